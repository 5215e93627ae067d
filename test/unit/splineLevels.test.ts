// Splines in several levels: right over all of the domain, whatever the sharing, at the planned cost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { local } from '../../protocols/layers/local.ts';
import { scalarSelect, select } from '../../protocols/layers/select.ts';
import type { FinerLevel, SplineLike } from '../../protocols/layers/specs.ts';
import { spline } from '../../protocols/layers/spline.ts';
import { type SplineFunctionName, splineFunctions } from '../../protocols/layers/splineFunctions.ts';
import { within } from '../../protocols/layers/within.ts';
import { bytesFrom, runMini } from '../support/mini.ts';

const fracBits = 10;
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const out = { fracBits: 12, magnitudeBits: 5 };

/** A ratio of 512 : 1 by 2^5 + 2·2^5 entries. */
const rsqrt: SplineLike = {
  ...{ minimum: -1, rangeBits: 5, digitBits: 5, degree: 2, coefficientFracBits: 12, basisFracBits: 9 },
  out: { fracBits: 12, magnitudeBits: 3 },
  fine: { minimum: 0, rangeBits: 1, digitBits: 5, degree: 2 },
};
/** A ratio of 8,000 : 1 by three tables of 2^4 entries. */
const wideRsqrt: SplineLike = {
  ...{ minimum: -18.25, rangeBits: 11, digitBits: 4, degree: 3, coefficientFracBits: 12, basisFracBits: 10 },
  out: { fracBits: 14, magnitudeBits: 2 },
  fine: {
    ...{ minimum: -2.25, rangeBits: 7, digitBits: 4, degree: 3, boundaryBits: 7 },
    fine: {
      minimum: -0.25,
      rangeBits: 3,
      digitBits: 4,
      degree: 3,
      boundaryBits: 10,
      coefficientFracBits: 8,
      basisFracBits: 14,
    },
  },
};
/** Exact around 0, and of inputs of any size that a network may have; saturating at 20. */
const gelu: SplineLike = {
  ...{
    minimum: -128,
    rangeBits: 8,
    digitBits: 5,
    degree: 1,
    ceiling: 20,
    coefficientFracBits: 12,
    basisFracBits: 8,
    out,
  },
  fine: { minimum: -16, rangeBits: 5, digitBits: 5, degree: 2 },
};

/** As the exporter makes them: neither domain begins where a segment of the other one does. */
const unaligned: SplineLike = {
  ...{ minimum: -82.678466796875, rangeBits: 8, digitBits: 5, degree: 1, coefficientFracBits: 12, basisFracBits: 9 },
  out: { fracBits: 12, magnitudeBits: 8 },
  fine: { minimum: -13.20001220703125, rangeBits: 5, digitBits: 4, degree: 3 },
};

const cases: [string, SplineFunctionName, SplineLike, number, number, (y: number) => number][] = [
  // Above one fine segment, up to the top; relative to the value.
  ['1/√x', 'rsqrt', rsqrt, 1 / 16, 30.9, (y) => 0.02 * y + 2 ** -9],
  ['1/√x over 8,000 : 1', 'rsqrt', wideRsqrt, 0.25, 2029, (y) => 0.02 * y + 2 ** -13],
  // Cut at the ceiling, which the segment across it rounds off.
  ['GELU', 'gelu', gelu, -119, 127, (y) => (Math.abs(y - 20) < 9 ? 2.2 : 0.012)],
  ['GELU of domains that are not aligned', 'gelu', unaligned, -74, 173, () => 0.05],
];

const finerOf = ({ fine }: { readonly fine?: FinerLevel }): FinerLevel[] => (fine ? [fine, ...finerOf(fine)] : []);

describe.each(cases)('%s in levels', (_name, fn, spec, low, high, tolerance) => {
  it('is the function wherever a segment may begin', () => {
    const bound = 2 ** fracBits;
    fc.assert(
      fc.property(
        seeds,
        fc.array(fc.double({ min: low, max: high, noNaN: true }), { minLength: 40, maxLength: 40 }),
        (seed, at) => {
          // Also where each finer table begins and ends, in its first and last segments, and a segment of the comparison beside.
          const edges = finerOf(spec).flatMap(({ minimum, rangeBits, digitBits, boundaryBits = spec.digitBits }) => {
            const width = 2 ** (spec.rangeBits - boundaryBits);
            const fine = 2 ** (rangeBits - digitBits);
            const steps = [
              -width,
              -fine / 2,
              -1 / bound,
              0,
              1 / bound,
              fine / 4,
              fine / 2,
              (3 * fine) / 4,
              fine,
              width,
            ];
            return [minimum, minimum + 2 ** rangeBits].flatMap((edge) =>
              steps.map((step) => Math.min(high, Math.max(low, edge + step))),
            );
          });
          const x = Int32Array.from([...at, ...edges], (value) => Math.round(value * bound));
          const result = runMini(seed, x, x.length, (plan, v) =>
            spline(
              plan,
              local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits),
              fn,
              spec,
            ),
          );
          expect(result.violations).toEqual([]);
          result.secure.forEach((y, i) => {
            const exact = Math.min(
              splineFunctions[fn].evaluate(x[i] / bound),
              spec.ceiling ?? Number.POSITIVE_INFINITY,
            );
            expect(Math.abs(y / 2 ** spec.out.fracBits - exact), `${x[i] / bound}`).toBeLessThan(tolerance(exact));
          });
          const { clientToOwner, ownerToClient } = result.cost;
          expect(bytesFrom(result.messages, 'client')).toBe(clientToOwner);
          expect(bytesFrom(result.messages, 'owner')).toBe(ownerToClient);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('costs at most a kibibyte for each element', () => {
    const { cost } = runMini(new Uint8Array(32), new Int32Array(64).fill(2 ** fracBits), 64, (plan, v) =>
      spline(
        plan,
        local(plan, [v], 64, 1, ([w]) => w.slice(), fracBits),
        fn,
        spec,
      ),
    );
    expect((cost.clientToOwner + cost.ownerToClient) / 64).toBeLessThan(1024);
  });
});

it('a function of positive numbers has no table that reaches 0 or below', () => {
  const run = (spec: SplineLike) => () =>
    runMini(new Uint8Array(32), new Int32Array(1).fill(2 ** fracBits), 1, (plan, v) =>
      spline(
        plan,
        local(plan, [v], 1, 1, ([w]) => w.slice(), fracBits),
        'rsqrt',
        spec,
      ),
    );
  const { fine, ...single } = rsqrt;
  expect(run(rsqrt)).not.toThrow();
  expect(run(single)).toThrow('expected a domain that begins above 0, got 0');
  // The coarse table would serve what lies between −0.5 and the fine one's beginning.
  expect(run({ ...rsqrt, minimum: -1.5 })).toThrow('expected a domain that begins above 0, got -0.5');
  // Where the comparison's segments are narrower, the coarse table is read in segments that begin lower than those that it serves.
  expect(run({ ...rsqrt, fine: { ...fine!, boundaryBits: 6 } })).toThrow('begins above 0, got 0');
  expect(run(wideRsqrt)).not.toThrow();
  expect(run({ ...wideRsqrt, minimum: -128 })).toThrow('begins above 0, got 0');
  expect(run({ ...rsqrt, fine: { ...fine!, minimum: -1 / 16 } })).toThrow('begins above 0, got 0');
});

it.each([
  ['any share', select],
  ['a share known ahead', scalarSelect],
] as const)('selects the finest value whose bit is 1, and else the first: %s', (_name, choose) => {
  const domain = { minimum: -8, rangeBits: 4, digitBits: 4 };
  const integers = fc.array(fc.integer({ min: -7 * 1024 + 1, max: 8 * 1024 - 1 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(seeds, integers, fc.integer({ min: 1, max: 3 }), (seed, list, finer) => {
      const x = Int32Array.from(list);
      const levels = Array.from({ length: finer }, (_, j) => j + 1);
      const result = runMini(seed, x, x.length, (plan, v) => {
        const scaled = local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits);
        const times = (factor: number) => local(plan, [scaled], v.rows, v.cols, ([w]) => w.map((y) => factor * y));
        const bits = levels.map((j) => within(plan, scaled, domain, { from: -6 + j, to: 6 - 2 * j }));
        return choose(plan, [times(1), ...levels.map((j) => times(1 + j))], bits);
      });
      result.secure.forEach((y, i) => {
        const value = x[i] / 2 ** fracBits;
        // Surely in; out; or within a segment of an end, where either will do.
        const sure = levels.filter((j) => value >= -5 + j && value <= 6 - 2 * j).at(-1) ?? 0;
        const possible = levels.filter((j) => value >= -6 + j && value < 7 - 2 * j);
        expect([sure, ...possible.filter((j) => j > sure)].map((j) => (1 + j) * x[i])).toContain(y);
      });
      expect({
        clientToOwner: bytesFrom(result.messages, 'client'),
        ownerToClient: bytesFrom(result.messages, 'owner'),
      }).toEqual(result.cost);
    }),
    { numRuns: 60 },
  );
});

it('a bit says whether the segment begins in the interval, and either where the sharing decides', () => {
  const domain = { minimum: -8, rangeBits: 4, digitBits: 4 };
  fc.assert(
    fc.property(seeds, (seed) => {
      const x = Int32Array.from({ length: 14 * 8 }, (_, i) => (i - 6 * 8) * 128);
      const { secure } = runMini(
        seed,
        x,
        x.length,
        (plan, v) =>
          within(
            plan,
            local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits),
            domain,
            { from: -2, to: 3 },
          ),
        1,
      );
      secure.forEach((bit, i) => {
        const value = x[i] / 2 ** fracBits;
        if (value < -2 || value >= 4) expect(bit & 1, `${value}`).toBe(0);
        if (value >= -1 && value <= 3) expect(bit & 1, `${value}`).toBe(1);
      });
    }),
    { numRuns: 20 },
  );
});
