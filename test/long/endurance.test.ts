// A connection that dies at every step of the plan, on either side; a thousand classifications in one pairing.
import { expect, it, vi } from 'vitest';
import { idealOffline } from '../ideal/dealer.ts';
import { hostileSession, requireProtocolError, type Side } from '../support/hostile.ts';
import { makeManifest } from '../support/manifest.ts';
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
  const megabytes = () => {
    (globalThis as { gc?: () => void }).gc?.();
    return process.memoryUsage().rss / 2 ** 20;
  };
  let early = 0;
  for (let run = 1; run <= runs; run++) {
    await client.classify(picture(4, run));
    if (run === Math.ceil(runs / 5)) early = megabytes();
  }
  const late = megabytes();
  await client.close();
  await served;
  console.log(
    `${runs} classifications in one pairing: ${Math.round(early)} MiB after a fifth, ${Math.round(late)} MiB at the end`,
  );
  expect(late - early).toBeLessThan(64);
});
