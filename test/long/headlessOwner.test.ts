/** Endurance of a headless owner, over real WebRTC in Node: many clients at once for minutes, and thousands of pairings. */
import { expect, test } from 'vitest';
import { startHeadless } from '../support/headless.ts';

const minutes = Number(process.env.ENDURANCE_MINUTES ?? 5);
const clients = Number(process.env.ENDURANCE_CLIENTS ?? 20);
const pairings = Number(process.env.ENDURANCE_PAIRINGS ?? 2000);

/** Clients of this process hold memory too; what has to be flat is all of it together. */
const rssMiB = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** The second half's median over the first's, after the first tenth, in which pools fill. */
function growth(samples: number[]): { growthMiB: number; first: number; second: number } {
  const steady = samples.slice(Math.ceil(samples.length / 10));
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

test(`${pairings} pairings with one owner: none refused, flat memory`, async () => {
  const rooms = 8;
  const headless = await startHeadless({ rooms });
  const samples: number[] = [];
  const failures: string[] = [];
  let done = 0;
  await Promise.all(
    headless.invites.map(async (invite) => {
      while (done < pairings) {
        try {
          await headless.classify(invite, done % 256, 30_000);
          done++;
          if (done % 20 === 0) samples.push(rssMiB());
        } catch (error) {
          failures.push((error as Error).message);
          if (failures.length > 20) return;
        }
      }
    }),
  );
  const { growthMiB, first, second } = growth(samples);
  console.log(`${done} pairings, ${failures.length} failures; memory ${first} → ${second} MiB (medians of the halves)`);
  await headless.stop();
  expect(failures).toEqual([]);
  expect(done).toBeGreaterThanOrEqual(pairings);
  expect(growthMiB).toBeLessThan(0.1 * first);
});
