/**
 * Values out of range: what protocols, reference and the exporter's integers make of them is the same. Against outOfRange.json, which
 * outOfRange.py writes; model-artifacts/tests_exporter holds that it is what the exporter computes.
 */
import { expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { exp } from '../../protocols/layers/exp.ts';
import { fieldSquare, truncateSquares } from '../../protocols/layers/fieldSquare.ts';
import { harmonics } from '../../protocols/layers/harmonics.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import type { ExpLike, HarmonicsLike, SplineLike, TensorLike } from '../../protocols/layers/specs.ts';
import { scalarSpline, spline } from '../../protocols/layers/spline.ts';
import { truncate } from '../../protocols/layers/truncate.ts';
import { runMini } from '../support/mini.ts';
import list from './outOfRange.json' with { type: 'json' };

interface Case {
  readonly function: 'gelu' | 'exp' | 'rsqrt' | 'reciprocal' | 'harmonics' | 'truncate' | 'fieldSquare';
  readonly spec: unknown;
  readonly fracBits: number;
  readonly epsilon: number;
  readonly x: readonly number[];
  readonly simulated: readonly number[];
  readonly undecided: readonly number[];
}
const cases = list as Case[];

/** Fraction bits of each level's table. */
const scalesOf = ({ fine, ...level }: SplineLike): number[] => [
  level.coefficientFracBits + level.basisFracBits,
  ...(fine ? scalesOf({ ...level, ...fine }) : []),
];

type Build = (plan: PlanBuilder, x: Value) => Value;
function protocolsOf({ function: name, spec, epsilon }: Case): Build[] {
  if (name === 'exp') return [(plan, x) => exp(plan, x, spec as ExpLike)];
  if (name === 'harmonics') return [(plan, x) => harmonics(plan, x, 'gelu', spec as HarmonicsLike)];
  const { magnitudeBits, fracBits } = (spec as { out: TensorLike }).out;
  if (name === 'fieldSquare') {
    const { input } = spec as { input: TensorLike };
    return [(plan, x) => truncateSquares(plan, fieldSquare(plan, x, input, fracBits), input, fracBits)];
  }
  if (name === 'truncate') return [(plan, x) => truncate(plan, x, magnitudeBits, fracBits)];
  const isOfOneScale = new Set(scalesOf(spec as SplineLike)).size === 1;
  // A spline's levels are truncated together; each of a scalar's by itself.
  return (isOfOneScale ? [spline, scalarSpline] : [scalarSpline]).map((of) => (plan, x) => of(plan, x, name, spec as SplineLike, epsilon));
}

/** By how much the tables' and polynomials' own errors, and a unit of rounding, may move a result. */
const tolerance: Readonly<Record<Case['function'], (exact: number) => number>> = {
  gelu: (exact) => 0.02 + 0.002 * Math.abs(exact),
  exp: (exact) => 0.01 * exact + 0.002,
  rsqrt: (exact) => 0.03 * exact,
  reciprocal: (exact) => 0.03 * exact,
  harmonics: () => 0.02,
  truncate: () => 2 ** -12,
  // A unit of a weight below 2^9 with 8 fraction bits, and 5·10^-5 of a circle of 2^14.
  fieldSquare: () => (2 * 2 ** 9) / 2 ** 8 + 5e-5 * 2 ** 14,
};

it('there are vectors', () => expect(cases.length).toBeGreaterThan(7));

it.each(cases.flatMap((each, n) => protocolsOf(each).map((build, form) => ({ n, form, name: each.function, each, build }))))(
  '$n: $name, form $form: reference and exporter to the last unit, the protocol within its error',
  ({ name, each, build }) => {
    const { out } = each.spec as { out: TensorLike };
    const x = Int32Array.from(each.x);
    const withFracBits: Build = (plan, v) =>
      build(
        plan,
        local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), each.fracBits),
      );
    for (let seed = 0; seed < 3; seed++) {
      const result = runMini(new Uint8Array(32).fill(seed), x, x.length, withFracBits, out.magnitudeBits);
      expect([...result.reference]).toEqual(each.simulated);
      expect(result.violations.length).toBeGreaterThan(0);
      // Wherever the sharing does not decide, and modulo the ring in which the result is revealed.
      const unused = 31 - out.fracBits - out.magnitudeBits;
      result.secure.forEach((y, i) => {
        if (each.undecided.includes(i)) return;
        const difference = ((y - each.simulated[i]) << unused) >> unused;
        const exact = each.simulated[i] * 2 ** -out.fracBits;
        expect(Math.abs(difference) * 2 ** -out.fracBits, `at ${each.x[i]}`).toBeLessThanOrEqual(tolerance[name](exact));
      });
    }
  },
);
