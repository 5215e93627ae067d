// The mean of a softmax row is that of its untruncated terms where it fits, of the truncated ones where not: right either way. And so is
// the weighted sum of values, whether each weight is divided or their sum.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import { matmul } from '../../protocols/layers/product.ts';
import { fitsUntruncated, mixUnnormalised, softmaxRows, unnormalisedSoftmax } from '../../protocols/layers/softmax.ts';
import type { SplineLike } from '../../protocols/layers/specs.ts';
import { truncate } from '../../protocols/layers/truncate.ts';
import { bytesFrom, type Message, runMini } from '../support/mini.ts';

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

/** How often who speaks changes. */
const flights = (messages: readonly Message[]) =>
  messages.filter(({ from }, i) => i === 0 || from !== messages[i - 1].from).length;

describe.each([
  ['plain', exp, {}, 1, 0.02],
  [
    'of few fraction bits',
    { ...exp, out: { fracBits: 5, magnitudeBits: 9 } },
    {},
    1,
    // n roundings of less than 2^-5 at the largest value, of a sum of at least n.
    0.02 + 2 ** -5 * 3,
  ],
  ['by squaring', exp, { squarings: [squaring] }, 2, 0.02],
] as const)('weighted sums divided at the end, %s', (_name, table, more, power, tolerance) => {
  const [batch, columns, valueBits] = [2, 3, 8];
  const total = batch * rows * n;
  const inputs = fc
    .record({
      scores: fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: total, maxLength: total }),
      values: fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: total, maxLength: total }),
    })
    // As many values as scores: (batch·n, columns) with rows = columns.
    .map(({ scores: s, values }) => ({
      scores: s.map((x) => Math.round(x * 2 ** fracBits)),
      values: values.map((x) => Math.round(x * 2 ** (valueBits + 4))),
    }));

  it('are those of the softmax, at the planned cost and in as many flights', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), inputs, (seed, given) => {
        const mixedBy = (mix: (plan: PlanBuilder, scores: Value, values: Value) => Value) =>
          runMini(
            seed,
            Int32Array.from([...given.scores, ...given.values]),
            2,
            (plan, x) => {
              const half = (first: number, height: number, width: number, bits: number) =>
                local(plan, [x], height, width, ([w]) => w.slice(first, first + total), bits);
              const v = truncate(plan, half(total, batch * n, columns, valueBits + 4), 3, valueBits);
              return truncate(plan, mix(plan, half(0, batch * rows, n, fracBits), v), 3, 9);
            },
            4,
          );
        const spec = { exp: table, reciprocal, ...more };
        const sum = { fracBits: 10, magnitudeBits: 6 };
        const result = mixedBy((plan, s, v) =>
          mixUnnormalised(plan, unnormalisedSoftmax(plan, s, spec), v, batch, sum),
        );
        const usual = mixedBy((plan, s, v) => matmul(plan, softmaxRows(plan, s, { ...spec, probabilities }), v, batch));
        expect(flights(result.messages)).toBe(flights(usual.messages));
        expect(result.violations).toEqual([]);
        for (let row = 0; row < batch * rows; row++) {
          const group = Math.floor(row / rows);
          const terms = given.scores.slice(row * n, (row + 1) * n).map((s) => Math.exp((power * s) / 2 ** fracBits));
          const whole = terms.reduce((a, b) => a + b);
          for (let j = 0; j < columns; j++) {
            const value = (term: number) => given.values[(group * n + term) * columns + j] / 2 ** (valueBits + 4);
            const expected = terms.reduce((a, term, t) => a + term * value(t), 0) / whole;
            const i = row * columns + j;
            expect(Math.abs(result.secure[i] / 512 - expected)).toBeLessThan(tolerance);
            expect(Math.abs(result.reference[i] / 512 - expected)).toBeLessThan(tolerance);
          }
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
