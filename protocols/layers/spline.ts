/**
 * Piecewise polynomials by table lookup (table.ts): GELU, 1/√x, 1/x. Column d holds the coefficient of t^d, t = l/w in [0, 1), of
 * the polynomial that interpolates the function at the Chebyshev nodes of the interval, so that the error of degree 2 is at
 * most w³·max|f'''|/192.
 *
 * In two levels, where the domain is wide and the function bends in a small part of it (1/√x near 0, GELU around 0): a fine table over
 * that part, and a coarse one over everything. Elements whose coarse segment begins in the part get 0 from the coarse table and a bit
 * (within.ts) that selects them in the fine one; the sum is the result. Costs 2 more flights, and 2^(m+1) entries of the fine table.
 */
import type { PlanBuilder } from './builder.ts';
import { add, local } from './local.ts';
import type { Op, Value } from './op.ts';
import type { DomainLike, SplineLike } from './specs.ts';
import { type SplineFunctionName, splineFunctions } from './splineFunctions.ts';
import { middleStart, segmentWidth, type TableFunction, type TableOp, tableProtocol } from './table.ts';
import { truncate } from './truncate.ts';
import { mostDropBits, type WideTableOp, wideTableProtocol } from './wideTable.ts';
import { type Interval, isWithin, within } from './within.ts';

export interface SplineOp extends TableOp {
  readonly kind: 'spline' | 'scalarSpline';
  readonly function: SplineFunctionName;
  /** Added to x·inputScale before the function. */
  readonly epsilon: number;
  /** The result is cut there: an activation that saturates. */
  readonly ceiling?: number;
  readonly degree: number;
  readonly coefficientFracBits: number;
  readonly basisFracBits: number;
  /** Segments that begin there are another table's, and give 0. */
  readonly except?: Interval;
}

/** A spline that is truncated along with its lookup (wideTable.ts). */
export interface ScalarSplineOp extends SplineOp, WideTableOp {
  readonly kind: 'scalarSpline';
}

/**
 * f(x·inputScale + epsilon), truncated to `spec.out`.
 * @throws RangeError for a function of positive numbers whose domain begins at 0 or below: there its tables would be anything.
 */
export function spline(plan: PlanBuilder, x: Value, fn: SplineFunctionName, spec: SplineLike, epsilon = 0): Value {
  const untruncated = byTables(plan, x, fn, spec, (inputs, domain) => {
    const output = plan.value(x.rows, x.cols, tableFracBits(spec));
    plan.add<SplineOp>({ kind: 'spline', inputs, output, function: fn, epsilon, ...domain });
    return output;
  });
  return truncate(plan, untruncated, spec.out.magnitudeBits, spec.out.fracBits);
}

/** The same of one number for each row: two flights fewer, for a table a half larger. The client knows its share of the result ahead. */
export function scalarSpline(
  plan: PlanBuilder,
  x: Value,
  fn: SplineFunctionName,
  spec: SplineLike,
  epsilon = 0,
): Value {
  const { fracBits } = spec.out;
  const dropBits = tableFracBits(spec) - fracBits;
  if (dropBits < 1 || dropBits > mostDropBits) return spline(plan, x, fn, spec, epsilon);
  return byTables(plan, x, fn, spec, (inputs, domain) => {
    const output = plan.value(x.rows, x.cols, fracBits, 0);
    plan.add<ScalarSplineOp>({ kind: 'scalarSpline', inputs, output, function: fn, epsilon, dropBits, ...domain });
    return output;
  });
}

const tableFracBits = ({ coefficientFracBits, basisFracBits }: SplineLike) => coefficientFracBits + basisFracBits;

/** The result of the one table, or the sum of the two tables' results. */
function byTables(
  plan: PlanBuilder,
  x: Value,
  fn: SplineFunctionName,
  spec: SplineLike,
  table: (
    inputs: SplineOp['inputs'],
    domain: Omit<SplineOp, keyof Op | 'kind' | 'function' | 'epsilon' | 'inputs' | 'output'>,
  ) => Value,
): Value {
  const { out: _out, fine, inputScale = 1, ...coarse } = spec;
  if (splineFunctions[fn].isOfPositive) requirePositive(plan.step, spec);
  if (!fine) return table([x], { ...coarse, inputScale });
  const interval = fineInterval(spec, fine);
  let coarsePart!: Value;
  let finePart!: Value;
  plan.parallel(
    () => (coarsePart = table([x], { ...coarse, inputScale, except: interval })),
    () => (finePart = table([x, within(plan, x, spec, interval)], { ...coarse, ...fine, inputScale })),
  );
  return local(plan, [coarsePart, finePart], x.rows, x.cols, add);
}

/**
 * Where the coarse segments that the fine table serves begin: with all of the segment in the fine domain, and above that one's lowest segment, where
 * the two tables' segments may begin on either side of its end. Where nothing lies below the fine domain it needs no beginning.
 */
function fineInterval(coarse: DomainLike, fine: DomainLike): Interval {
  const to = fine.minimum + 2 ** fine.rangeBits - segmentWidth(coarse);
  if (to < fine.minimum)
    throw new RangeError(`fine: rangeBits: expected at least ${coarse.rangeBits - coarse.digitBits}, a coarse segment`);
  return { from: fine.minimum <= lowest(coarse) ? coarse.minimum : lowest(fine), to };
}

/** The lowest argument that a table is read at is above 0: of two levels the fine one's, where that serves all that lies below it. */
function requirePositive(step: string, { fine, ...coarse }: SplineLike): void {
  let begin = lowest(coarse);
  if (fine) {
    const { from, to } = fineInterval(coarse, fine);
    if (from === coarse.minimum) begin = Math.min(lowest(fine), to);
  }
  if (begin > 0) return;
  throw new RangeError(`${step}: a function of positive numbers: expected a domain that begins above 0, got ${begin}`);
}

/** Chebyshev nodes of [0, 1] for degrees 0 to 4. */
const chebyshevNodes = Array.from({ length: 5 }, (_, degree) =>
  Float64Array.from({ length: degree + 1 }, (_, j) => (1 - Math.cos((Math.PI * (j + 0.5)) / (degree + 1))) / 2),
);
const lagrangeOnWhole = chebyshevNodes.map(lagrangeBasis);

/** Lagrange's basis polynomials for these nodes: [j·nodes + d] is the coefficient of t^d in the polynomial that is 1 at node j. */
function lagrangeBasis(nodes: Float64Array): Float64Array {
  const size = nodes.length;
  const basis = new Float64Array(size * size);
  for (let j = 0; j < size; j++) {
    const polynomial = basis.subarray(j * size, (j + 1) * size);
    polynomial[0] = 1;
    let degree = 0;
    for (let i = 0; i < size; i++) {
      if (i === j) continue;
      // Times (t − node i)/(node j − node i), from the top down.
      const difference = nodes[j] - nodes[i];
      degree++;
      for (let d = degree; d > 0; d--)
        polynomial[d] = (d < degree ? -(polynomial[d] * nodes[i]) / difference : 0) + polynomial[d - 1] / difference;
      polynomial[0] = -(polynomial[0] * nodes[i]) / difference;
    }
  }
  return basis;
}

const polynomials: TableFunction<SplineOp> = {
  title: 'spline',
  constants: 1,
  terms: (op) => op.degree,
  basisBits: (op) => op.basisFracBits,
  basis(op, t, out, at) {
    let power = 2 ** op.basisFracBits;
    for (let d = 0; d < op.degree; d++) out[at + d] = Math.round((power *= t));
  },
  columns(op) {
    const { degree, except } = op;
    const [width, begin] = [segmentWidth(op), lowest(op)];
    const unit = 2 ** op.coefficientFracBits;
    const constantUnit = unit * 2 ** op.basisFracBits;
    const evaluate = splineOf(op);
    return (start, out) => {
      if (except && isWithin(except, start)) return void out.fill(0);
      let nodes = chebyshevNodes[degree];
      let lagrange = lagrangeOnWhole[degree];
      const below = (begin - start) / width;
      if (below > 0) {
        // The interval begins in the lowest segment, which is out of the domain: fit what of it is inside (a quarter at least).
        const from = Math.min(below, 0.75);
        nodes = nodes.map((node) => from + (1 - from) * node);
        lagrange = lagrangeBasis(nodes);
      }
      out.fill(0);
      for (let j = 0, at = 0; j <= degree; j++) {
        const value = evaluate(start + nodes[j] * width);
        for (let d = 0; d <= degree; d++, at++) out[d] += value * lagrange[at];
      }
      out[0] *= constantUnit;
      for (let d = 1; d <= degree; d++) out[d] *= unit;
    };
  },
  evaluate(op) {
    const { except } = op;
    const evaluate = splineOf(op);
    return (x) => (except && isWithin(except, middleStart(op, x)) ? 0 : evaluate(x));
  },
};

export const splineProtocol = tableProtocol(polynomials);
export const scalarSplineProtocol = wideTableProtocol<ScalarSplineOp>(polynomials);

/** Where the domain that may be used begins: above the lowest segment. */
const lowest = (domain: DomainLike): number => domain.minimum + segmentWidth(domain);

/** The function; one of positive numbers is held constant well below the domain, where it would not be finite. */
function splineOf(op: SplineOp): (x: number) => number {
  const { inputScale, epsilon, ceiling = Number.POSITIVE_INFINITY } = op;
  const { evaluate, isOfPositive } = splineFunctions[op.function];
  const least = isOfPositive ? lowest(op) / 2 : Number.NEGATIVE_INFINITY;
  return (x) => Math.min(evaluate(Math.max(x, least) * inputScale + epsilon), ceiling);
}
