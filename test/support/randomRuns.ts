/** Random models from end to end, many of them: the ordinary suite and the long run differ in the number only. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { smallParameters } from '../ideal/otPair.ts';
import { runEndToEnd } from './endToEnd.ts';
import { randomModels } from './randomManifest.ts';

/**
 * How far a logit may be from the reference's. Truncations round at random: on the way to a logit of magnitude up to 32 their errors reach a few
 * hundredths. What goes wrong otherwise is uniform in its ring.
 */
const tolerance = 0.25;

/** @returns what was run, in words. @param seed of fast-check; a failure prints it with the path to the case. */
export async function runRandomModels(count: number, seed = Date.now() % 2 ** 31): Promise<string> {
  let [compared, worst] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      randomModels,
      // Short segments, so that small models have stages of many.
      fc.constantFrom(256, 1024, 2 ** 19),
      fc.boolean(),
      fc.integer({ min: 1, max: 2 }),
      fc.record({ client: fc.boolean(), owner: fc.boolean() }),
      async (model, segmentCots, isParallel, classifications, otChecks) => {
        const parameters = { ...smallParameters, segmentCots };
        const difference = await runEndToEnd(model, { parameters, isParallel, classifications, otChecks });
        if (difference === undefined) return;
        compared++;
        worst = Math.max(worst, difference);
        expect(difference).toBeLessThan(tolerance);
      },
    ),
    { numRuns: count, seed, endOnFailure: true },
  );
  // Ranges are chosen so that most models stay within them; a generator that left them always would compare nothing.
  expect(compared).toBeGreaterThan(count / 2);
  return `${count} random models (seed ${seed}): ${compared} compared with the reference, largest difference ${worst.toFixed(4)}`;
}
