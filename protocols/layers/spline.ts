/**
 * Piecewise polynomials by table lookup (table.ts): GELU, 1/√x, 1/x. Column d holds the coefficient of t^d, t = l/w in [0, 1), of
 * the polynomial that interpolates the function at the Chebyshev nodes of the interval, so that the error of degree 2 is at
 * most w³·max|f'''|/192.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import type { SplineLike } from './specs.ts';
import { type SplineFunctionName, splineFunctions } from './splineFunctions.ts';
import { domainOf, type TableOp, tableProtocol } from './table.ts';
import { truncate } from './truncate.ts';

export interface SplineOp extends TableOp {
  readonly kind: 'spline';
  readonly inputs: readonly [Value];
  readonly function: SplineFunctionName;
  /** Added to x before the function. */
  readonly epsilon: number;
  readonly degree: number;
  readonly coefficientFracBits: number;
  readonly basisFracBits: number;
}

/** Chebyshev nodes of [0, 1] for degrees 0 to 4. */
const chebyshevNodes = Array.from({ length: 5 }, (_, degree) =>
  Array.from({ length: degree + 1 }, (_, j) => (1 - Math.cos((Math.PI * (j + 0.5)) / (degree + 1))) / 2),
);
const lagrangeOnWhole = chebyshevNodes.map(lagrangeBasis);

/** Lagrange's basis polynomials for these nodes: [j][d] is the coefficient of t^d in the polynomial that is 1 at node j. */
function lagrangeBasis(nodes: readonly number[]): number[][] {
  return nodes.map((node, j) => {
    let coefficients = [1];
    for (const [i, other] of nodes.entries()) {
      if (i === j) continue;
      const next = new Array<number>(coefficients.length + 1).fill(0);
      coefficients.forEach((c, d) => {
        next[d] = next[d]! - (c * other) / (node - other);
        next[d + 1] = next[d + 1]! + c / (node - other);
      });
      coefficients = next;
    }
    return coefficients;
  });
}

/** f(x), truncated to `spec.out`. @param epsilon added to x first. */
export function spline(plan: PlanBuilder, x: Value, fn: SplineFunctionName, spec: SplineLike, epsilon = 0): Value {
  const { out, ...rest } = spec;
  const output = plan.value(x.rows, x.cols, spec.coefficientFracBits + spec.basisFracBits);
  plan.add<SplineOp>({ kind: 'spline', inputs: [x], output, function: fn, epsilon, ...rest });
  return truncate(plan, output, out.magnitudeBits, out.fracBits);
}

export const splineProtocol = tableProtocol<SplineOp>({
  title: 'spline',
  constants: 1,
  terms: (op) => op.degree,
  basisBits: (op) => op.basisFracBits,
  basis(op, t, out, at) {
    let power = 2 ** op.basisFracBits;
    for (let d = 0; d < op.degree; d++) out[at + d] = Math.round((power *= t));
  },
  columns(op, start, out) {
    const { width } = domainOf(op);
    let nodes: readonly number[] = chebyshevNodes[op.degree]!;
    let lagrange = lagrangeOnWhole[op.degree]!;
    const below = (lowest(op) - start) / width;
    if (below > 0) {
      // The interval begins in the lowest segment, which is out of the domain: fit what of it is inside (a quarter at least).
      const from = Math.min(below, 0.75);
      nodes = nodes.map((node) => from + (1 - from) * node);
      lagrange = lagrangeBasis(nodes);
    }
    out.fill(0);
    for (let j = 0; j < nodes.length; j++) {
      const value = evaluateSpline(op, start + nodes[j]! * width);
      for (let d = 0; d <= op.degree; d++) out[d]! += value * lagrange[j]![d]!;
    }
    const unit = 2 ** op.coefficientFracBits;
    out[0]! *= unit * 2 ** op.basisFracBits;
    for (let d = 1; d <= op.degree; d++) out[d]! *= unit;
  },
  evaluate: evaluateSpline,
});

/** Where the domain that may be used begins: above the lowest segment. */
const lowest = (op: SplineOp): number => op.minimum + 2 ** (op.rangeBits - op.digitBits);

/** The function; one of positive numbers is held constant well below the domain, where it would not be finite. */
function evaluateSpline(op: SplineOp, x: number): number {
  const { evaluate, isOfPositive } = splineFunctions[op.function];
  return evaluate((isOfPositive ? Math.max(x, lowest(op) / 2) : x) + op.epsilon);
}
