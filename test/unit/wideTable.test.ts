// Tables whose result is truncated along with the lookup: right in every ring, without bias, masked in all bits, two flights fewer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Op, Value } from '../../protocols/layers/op.ts';
import type { SplineLike } from '../../protocols/layers/specs.ts';
import { type ScalarSplineOp, scalarSpline, spline } from '../../protocols/layers/spline.ts';
import { mostDropBits } from '../../protocols/layers/wideTable.ts';
import { unpackWide } from '../../protocols/sharing/wide.ts';
import { bytesFrom, type MiniResult, runMini } from '../support/mini.ts';

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const fracBits = 10;
const withFracBits = (plan: PlanBuilder, v: Value) => local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits);
const out = { fracBits: 12, magnitudeBits: 1 };
const oneLevel: SplineLike = {
  ...{ minimum: 0.5, rangeBits: 3, digitBits: 4, degree: 2, coefficientFracBits: 14, basisFracBits: 10, out },
};
const twoLevels: SplineLike = {
  ...{ minimum: -1, rangeBits: 5, digitBits: 5, degree: 2, coefficientFracBits: 12, basisFracBits: 9 },
  out: { fracBits: 12, magnitudeBits: 3 },
  fine: { minimum: 0, rangeBits: 1, digitBits: 5, degree: 2 },
};

/** Each with fraction bits of its own. */
const threeLevels: SplineLike = {
  ...{ minimum: -0.5, rangeBits: 5, digitBits: 4, degree: 3, coefficientFracBits: 12, basisFracBits: 9 },
  out: { fracBits: 12, magnitudeBits: 3 },
  fine: {
    ...{ minimum: 0.125, rangeBits: 2, digitBits: 4, degree: 3, boundaryBits: 6, basisFracBits: 11 },
    fine: { minimum: 0, rangeBits: -1, digitBits: 4, degree: 2, boundaryBits: 8, coefficientFracBits: 10 },
  },
};

/** How often the owner begins to speak. */
const rounds = ({ messages }: MiniResult) =>
  messages.filter(({ from, step }, i) => step === 'test' && from === 'owner' && messages[i - 1].from === 'client')
    .length;
const scalars = (operations: readonly Op[]) =>
  operations.filter((op): op is ScalarSplineOp => op.kind === 'scalarSpline');

describe.each([
  ['one level', oneLevel, 1.01, 8.4, 1, true],
  ['two levels', twoLevels, 1 / 16, 30.9, 2, true],
  ['three levels of scales of their own', threeLevels, 1 / 16, 30.9, 2, false],
] as const)('a scalar spline in %s', (_name, spec, low, high, expectedRounds, isOneScale) => {
  const values = fc.array(fc.double({ min: low, max: high, noNaN: true }), { minLength: 24, maxLength: 24 });
  const inputs = values.map((list) => Int32Array.from(list, (x) => Math.round(x * 2 ** fracBits)));

  // The reveal's ring is the result's: of as few bits as the value has, and of all 32.
  it.each([spec.out.magnitudeBits, 31 - spec.out.fracBits])(
    'is the function, revealed with %i bits before the point',
    (bits) => {
      fc.assert(
        fc.property(seeds, inputs, fc.constantFrom('rsqrt', 'reciprocal'), (seed, x, fn) => {
          const fits = fn === 'rsqrt' ? x : x.map((v) => Math.max(v, 2 ** fracBits));
          const build = (of: typeof spline) => (plan: PlanBuilder, v: Value) =>
            of(plan, withFracBits(plan, v), fn, spec);
          const result = runMini(seed, fits, fits.length, build(scalarSpline), bits);
          expect(result.violations).toEqual([]);
          result.secure.forEach((y, i) => {
            const at = fits[i] / 2 ** fracBits;
            const exact = fn === 'rsqrt' ? 1 / Math.sqrt(at) : 1 / at;
            expect(Math.abs(y / 2 ** 12 - exact), `${fn} of ${at}`).toBeLessThan(0.02 * exact + 2 ** -9);
          });
          expect({
            clientToOwner: bytesFrom(result.messages, 'client'),
            ownerToClient: bytesFrom(result.messages, 'owner'),
          }).toEqual(result.cost);
          expect(rounds(result)).toBe(expectedRounds);
          for (const { output, dropBits, coefficientFracBits, basisFracBits } of scalars(result.operations))
            expect(output.ringBits + dropBits).toBe(bits + 1 + coefficientFracBits + basisFracBits);
          // Several tables of different scales cannot be truncated after one was selected.
          if (!isOneScale) return;
          const separate = runMini(seed, fits, fits.length, build(spline), bits);
          expect(result.reference).toEqual(separate.reference);
          // In the value's own ring the truncation after the table is local too.
          expect(rounds(separate)).toBe(expectedRounds + (bits > spec.out.magnitudeBits ? 1 : 0));
        }),
        { numRuns: 40 },
      );
    },
  );
});

it('rounds without bias', () => {
  // A table that is exact to a sixteenth of the result's unit: the result's fraction, 0.38, is what rounding must give on average.
  const x = new Int32Array(4000).fill(2766);
  const precise = { ...oneLevel, digitBits: 5, degree: 3, coefficientFracBits: 15, basisFracBits: 14 };
  const { secure } = runMini(new Uint8Array(32).fill(4), x, 100, (plan, v) =>
    scalarSpline(plan, withFracBits(plan, v), 'reciprocal', precise),
  );
  const exact = 2 ** (12 + fracBits) / x[0];
  const mean = secure.reduce((sum, y) => sum + y, 0) / secure.length;
  expect(new Set(secure)).toEqual(new Set([Math.floor(exact), Math.ceil(exact)]));
  expect(Math.abs(mean - exact)).toBeLessThan(0.04);
});

it('masks every entry in all its bits', () => {
  const x = new Int32Array(500).fill(2 ** fracBits * 2);
  const { messages, operations } = runMini(new Uint8Array(32).fill(6), x, 500, (plan, v) =>
    scalarSpline(plan, withFracBits(plan, v), 'rsqrt', oneLevel),
  );
  const [{ output, dropBits }] = scalars(operations);
  const bits = output.ringBits + dropBits;
  const sent = messages.find(({ from, step }) => from === 'client' && step === 'test')!;
  const table = unpackWide(sent.bytes, 16 * 3 * 500, bits);
  for (let shift = 0; shift + 8 <= bits; shift += 8) {
    const counts = new Float64Array(256);
    for (const word of table) counts[Math.floor(word / 2 ** shift) % 256]++;
    // χ² with 255 degrees of freedom: mean 255, deviation 23.
    const expected = table.length / 256;
    expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(400);
  }
});

it('keeps the truncation apart where the ring would be too wide', () => {
  const drops = (coefficientFracBits: number) => {
    const { operations } = runMini(
      new Uint8Array(32),
      new Int32Array(4).fill(2 ** fracBits * 2),
      4,
      (plan, v) =>
        scalarSpline(plan, withFracBits(plan, v), 'rsqrt', {
          ...{ ...oneLevel, coefficientFracBits, basisFracBits: 11 },
          out: { fracBits: 6, magnitudeBits: 1 },
        }),
      20,
    );
    return scalars(operations).map(({ dropBits }) => dropBits);
  };
  expect(mostDropBits).toBe(20);
  expect(drops(15)).toEqual([20]);
  expect(drops(16)).toEqual([]);
});
