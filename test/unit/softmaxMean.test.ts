// The mean of a softmax row is that of its untruncated terms where it fits, of the truncated ones where not: right either way.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import { fitsUntruncated, softmaxRows } from '../../protocols/layers/softmax.ts';
import type { SplineLike } from '../../protocols/layers/specs.ts';
import { bytesFrom, runMini } from '../support/mini.ts';

const [rows, n, fracBits] = [3, 8, 12];
const probabilities = { fracBits: 12, magnitudeBits: 1 };
const exp = {
  ...{ minimum: -8, rangeBits: 4, digitBits: 3, coefficientFracBits: 12, basisFracBits: 8 },
  out: { fracBits: 9, magnitudeBits: 9 },
};
/** Its first segment ends at 0.9375: a mean is at least 1, less what rounding takes (the exporter allows for 3 %). */
const reciprocal: SplineLike = {
  ...{ minimum: 0.4375, rangeBits: 6, digitBits: 7, degree: 2, coefficientFracBits: 12, basisFracBits: 10 },
  out: { fracBits: 13, magnitudeBits: 1 },
};
const squaring = { input: { fracBits: 8, magnitudeBits: 4 }, square: { fracBits: 8, magnitudeBits: 8 }, reciprocal };
/** A domain that no score reaches, too wide for a mean with 23 fraction bits. */
const wide: SplineLike = { ...reciprocal, rangeBits: 9, digitBits: 10 };

const scores = fc
  .array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: rows * n, maxLength: rows * n })
  .map((list) => Int32Array.from(list, (x) => Math.round(x * 2 ** fracBits)));

describe.each([
  ['plain', reciprocal, {}, 1],
  ['plain, not fitting', wide, {}, 1],
  ['by squaring', reciprocal, { squarings: [squaring] }, 2],
] as const)('softmax rows, %s', (_name, inverse, more, power) => {
  it('are the softmax, at the planned cost', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), scores, (seed, x) => {
        const result = runMini(
          seed,
          x,
          rows,
          (plan: PlanBuilder, v: Value) =>
            softmaxRows(
              plan,
              local(plan, [v], rows, n, ([w]) => w.slice(), fracBits),
              { exp, reciprocal: inverse, probabilities, ...more },
            ),
          2,
        );
        expect(result.violations).toEqual([]);
        for (let row = 0; row < rows; row++) {
          const terms = [...x.subarray(row * n, (row + 1) * n)].map((s) => Math.exp((power * s) / 2 ** fracBits));
          const sum = terms.reduce((a, b) => a + b);
          terms.forEach((term, j) => {
            const i = row * n + j;
            expect(Math.abs(result.secure[i] / 4096 - term / sum)).toBeLessThan(0.01);
            expect(Math.abs(result.secure[i] - result.reference[i])).toBeLessThan(40);
          });
        }
        expect(bytesFrom(result.messages, 'client')).toBe(result.cost.clientToOwner);
        expect(bytesFrom(result.messages, 'owner')).toBe(result.cost.ownerToClient);
      }),
      { numRuns: 25 },
    );
  });
});

it('a mean fits that stays below 2^31 over all of the domain', () => {
  const domain = { minimum: 0, rangeBits: 3, digitBits: 3 };
  expect(fitsUntruncated(domain, 28)).toBe(true);
  expect(fitsUntruncated(domain, 29)).toBe(false);
  expect(fitsUntruncated({ ...domain, minimum: 0.4375 }, 28)).toBe(false);
  expect(fitsUntruncated(reciprocal, 23)).toBe(true);
  expect(fitsUntruncated(wide, 23)).toBe(false);
});
