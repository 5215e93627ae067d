/** Endurance of a headless owner, over real WebRTC in Node: many clients at once for minutes, and thousands of pairings. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Invite } from '../../client/src/pairing/invite.ts';
import { startHeadless } from '../support/headless.ts';
import { growthPerStep, median, memoryInUse } from '../support/memory.ts';

const minutes = Number(process.env.ENDURANCE_MINUTES ?? 5);
const clients = Number(process.env.ENDURANCE_CLIENTS ?? 20);
const pairings = Number(process.env.ENDURANCE_PAIRINGS ?? 2000);
/** Of so many pairings one makes keys and classifies, which takes some two seconds of a core; the others shake hands and leave. */
const oneIn = Number(process.env.ENDURANCE_ONE_IN ?? 1);

const settleMs = 3000;
/** Keys for all 2,000 are fifty minutes of a core, on a machine that has nothing else to do. */
const longestMs = 4 * 3_600_000;

/** Clients of this process hold memory too; what has to be flat is all of it together. */
const rssMiB = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

/** The second half's median over the first's, after the first fifth, in which pools fill. */
function growth(samples: number[]): { growthMiB: number; first: number; second: number } {
  const steady = samples.slice(Math.ceil(samples.length / 5));
  const half = steady.length >> 1;
  const [first, second] = [median(steady.slice(0, half)), median(steady.slice(half))];
  return { growthMiB: second - first, first, second };
}

test(`${clients} clients at one owner for ${minutes} min: fair, no failure, flat memory`, async () => {
  const headless = await startHeadless({ rooms: clients });
  const untilMs = performance.now() + 60_000 * minutes;
  const answers = new Array<number>(clients).fill(0);
  const failures: string[] = [];
  const samples: number[] = [];
  const sampler = setInterval(() => samples.push(rssMiB()), 2000);
  try {
    await Promise.all(
      headless.invites.map(async (invite, i) => {
        while (performance.now() < untilMs) {
          try {
            await headless.classify(invite, (7 * i + answers[i]) % 256, 30_000);
            answers[i]++;
          } catch (error) {
            failures.push((error as Error).message);
          }
        }
      }),
    );
  } finally {
    clearInterval(sampler);
  }
  const { owner } = headless;
  const total = answers.reduce((a, b) => a + b, 0);
  const [least, most] = [Math.min(...answers), Math.max(...answers)];
  const { growthMiB, first, second } = growth(samples);
  console.log(
    `${total} answers in ${minutes} min, ${least} to ${most} for each of ${clients} clients; ${failures.length} failures; ` +
      `memory ${first} → ${second} MiB (medians of the halves)`,
  );
  const { figures } = owner;
  await headless.stop();
  expect(failures).toEqual([]);
  expect(figures.failed).toBe(0);
  expect(least).toBeGreaterThan(0);
  expect(least).toBeGreaterThanOrEqual(0.5 * most - 1);
  expect(growthMiB).toBeLessThan(0.1 * first);
});

test(
  `${pairings} pairings with one owner: none refused, flat memory`,
  async () => {
    // A place is free again a second or two after its guest has left. Who makes keys computes in this thread, which the signaling server and the owner's
    // connections share: more than a few at once, and these answer nobody in time.
    const headless = await startHeadless({ rooms: oneIn === 1 ? 4 : 32 });
    const samples: number[] = [];
    const inUse: number[] = [];
    const at: number[] = [];
    const failures: string[] = [];
    let [started, classified, done] = [0, 0, 0];
    const run = async (invite: Invite, until: number) => {
      while (started < until && failures.length < 20) {
        const number = started++;
        try {
          if (number % oneIn === 0) {
            await headless.classify(invite, number % 256, 30_000);
            classified++;
          } else await headless.greet(invite, 30_000);
          done++;
          if (done % 10 === 0) samples.push(rssMiB());
        } catch (error) {
          failures.push((error as Error).message);
        }
      }
    };
    for (let part = 1; part <= 20; part++) {
      await Promise.all(headless.invites.map((invite) => run(invite, Math.ceil((pairings * part) / 20))));
      await pause(settleMs); // connections that are being closed hold a dozen MiB each
      const { heapMiB, externalMiB } = await memoryInUse();
      inUse.push(heapMiB + externalMiB);
      at.push(done);
      console.log(
        `${done} pairings, ${failures.length} failures: ${inUse.at(-1)!.toFixed(1)} MiB in use, ${rssMiB()} MiB resident`,
      );
    }
    const { growthMiB, first, second } = growth(samples);
    const growthKiB = 1024 * growthPerStep(inUse, at);
    const { figures } = headless.owner;
    console.log(
      `${done} pairings, ${classified} of them with keys and an answer, ${failures.length} failures; in use ` +
        `${inUse.at(-1)!.toFixed(1)} MiB in the main thread, ${growthKiB.toFixed(2)} KiB more for each pairing of the second half; ` +
        `resident ${first} → ${second} MiB (medians of the halves)`,
    );
    await headless.stop();
    expect(failures).toEqual([]);
    expect(figures.failed).toBe(0);
    expect(done).toBeGreaterThanOrEqual(pairings);
    // A connection that stays would be a hundred KiB, a pairing's keys a dozen MiB.
    expect(growthKiB).toBeLessThan(16);
    expect(growthMiB).toBeLessThan(0.1 * first);
  },
  longestMs,
);
