// A connection that dies at every step of the plan, on either side; a thousand classifications in one pairing.
import { expect, it, vi } from 'vitest';
import { idealOffline } from '../ideal/dealer.ts';
import { hostileSession, requireProtocolError, type Side } from '../support/hostile.ts';
import { makeManifest } from '../support/manifest.ts';
import { growthPerStep, type MemoryInUse, memoryInUse } from '../support/memory.ts';
import { channels, modelOf, pair, picture } from '../support/pairing.ts';
import { offlineWith } from '../support/smallOffline.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

it('ends on both sides wherever the connection dies', async () => {
  const model = modelOf();
  const steps = model.plan.steps.map(({ name }) => name);
  let died = 0;
  for (const side of ['client', 'owner'] as const satisfies readonly Side[]) {
    for (const phase of ['offline', 'online'] as const) {
      const seen = new Set<string>();
      // The labels that progress has are those that the first run shows.
      await hostileSession(model, idealOffline(), {
        onEvent: (from, event) => {
          if (from === side && event.type === 'progress' && event.phase === phase) seen.add(event.label);
        },
      });
      for (const step of seen) {
        let isDead = false;
        const ends = await hostileSession(model, idealOffline(), {
          onEvent(from, event, kill) {
            if (isDead || from !== side || event.type !== 'progress') return;
            if (event.phase !== phase || event.label !== step || step === 'done') return;
            isDead = true;
            kill();
          },
        });
        if (!isDead) continue;
        died++;
        const where = `${phase} ${step}, killed by the ${side}`;
        for (const end of [ends.client, ends.owner]) requireProtocolError(end, where);
        expect(ends.owner.status, where).toBe('rejected');
      }
    }
  }
  console.log(`${died} deaths over ${steps.length} steps, both sides, both phases: both ended each time`);
  expect(died).toBeGreaterThan(steps.length);
});

it('a thousand classifications in one pairing, in memory that stays', async () => {
  const runs = Number(process.env.CLASSIFICATIONS ?? 1000);
  const model = modelOf(makeManifest({ imageSize: 4, patchSize: 2, depth: 1, dim: 8, mlpDim: 8, squareUnits: 2 }));
  const { client, served } = await pair(model, undefined, channels(), offlineWith());
  const samples: MemoryInUse[] = [];
  const at: number[] = [];
  for (let run = 1; run <= runs; run++) {
    await client.classify(picture(4, run));
    if (run % Math.ceil(runs / 20) > 0) continue;
    samples.push(await memoryInUse());
    at.push(run);
  }
  await client.close();
  await served;
  const inUse = samples.map(({ heapMiB, externalMiB }) => heapMiB + externalMiB);
  const growthKiB = 1024 * growthPerStep(inUse, at);
  const [early, late] = [samples[samples.length >> 1], samples.at(-1)!];
  console.log(
    `${runs} classifications in one pairing: in use ${inUse.at(-1)!.toFixed(1)} MiB, ${growthKiB.toFixed(2)} KiB more for each of the ` +
      `second half; resident ${early.rssMiB.toFixed(0)} MiB half-way, ${late.rssMiB.toFixed(0)} MiB at the end`,
  );
  // A session's counters and meters grow by nothing; a kept correlation or flight would be many KiB.
  expect(growthKiB).toBeLessThan(2);
  expect(late.rssMiB).toBeLessThan(1.1 * early.rssMiB);
});
