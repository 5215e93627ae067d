import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toyRun } from '../../client/src/explain/toy.ts';

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('the drawer’s example computes (3·value)² for all random numbers', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 * 256 }), fc.tuple(word, word, word, word), (units, random) => {
      const value = units / 256;
      const [split, linear, truncated, squared] = toyRun(value, Uint32Array.from(random));
      expect(split!.sum).toBe(units);
      expect(linear!.sum).toBe(3 * units);
      expect(Math.abs(truncated!.sum - (3 * units) / 16)).toBeLessThanOrEqual(1);
      expect(squared!.sum).toBe(truncated!.sum ** 2);
    }),
  );
});
