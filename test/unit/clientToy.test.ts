import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toyRandomNumbers, toyRun } from '../../client/src/explain/toy.ts';

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const words = fc.array(word, { minLength: toyRandomNumbers, maxLength: toyRandomNumbers });

test('the drawer’s example computes (3·value)² for all random numbers', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 * 256 }), words, (units, random) => {
      const [split, linear, truncated, squared, revealed] = toyRun(units / 256, Uint32Array.from(random));
      expect(split.sum).toBe(units);
      expect(linear.sum).toBe(3 * units);
      expect(Math.abs(truncated.sum - (3 * units) / 16)).toBeLessThanOrEqual(1);
      expect(squared.sum).toBe(truncated.sum ** 2);
      expect(revealed.sum).toBe(squared.sum);
      for (const { client, owner, sum } of [split, linear, truncated, squared]) {
        expect((client.value + owner.value) | 0).toBe(sum);
      }
    }),
  );
});

test('the masked value says nothing: another share of the client explains any other value', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 * 256 }), fc.integer({ min: 0, max: 40 * 256 }), words, (a, b, random) => {
      const [first] = toyRun(a / 256, Uint32Array.from(random));
      const [xClient, ...others] = random as [number, ...number[]];
      const [second] = toyRun(b / 256, Uint32Array.from([(xClient + b - a) >>> 0, ...others]));
      expect(second.travels).toEqual(first.travels);
    }),
  );
});
