/**
 * Piecewise polynomials by table lookup (table.ts): GELU, 1/√x, 1/x. Column d holds the coefficient of t^d, t = l/w in [0, 1), of
 * the polynomial that interpolates the function at the Chebyshev nodes of the interval, so that the error of degree 2 is at
 * most w³·max|f'''|/192.
 *
 * In several levels, where the domain is wide and the function bends in a small part of it (1/√x near 0, GELU around 0): a finer table over that
 * part, and in it perhaps one that is finer still. All tables are looked up, and beside them for each finer one a bit that says whether it serves
 * the argument (within.ts); then the finest that does is selected (select.ts). Each table costs as if it were alone, whatever lies outside it;
 * 2 more flights in all.
 */
import type { PlanBuilder } from './builder.ts';
import type { Op, Value } from './op.ts';
import { scalarSelect, select } from './select.ts';
import type { DomainLike, SplineLike } from './specs.ts';
import { type SplineFunctionName, splineFunctions } from './splineFunctions.ts';
import { type Interval, segments, segmentWidth, type TableFunction, type TableOp, tableProtocol } from './table.ts';
import { truncate } from './truncate.ts';
import { mostDropBits, type WideTableOp, wideTableProtocol } from './wideTable.ts';
import { within } from './within.ts';

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
  const table = (level: Level) => {
    const fracBits = tableFracBits(level);
    // One is selected before it is truncated.
    if (fracBits !== tableFracBits(spec))
      throw new RangeError(`fine: expected tables of ${tableFracBits(spec)} fraction bits, got ${fracBits}`);
    const output = plan.value(x.rows, x.cols, fracBits);
    plan.add<SplineOp>({ kind: 'spline', inputs: [x], output, function: fn, epsilon, ...level });
    return output;
  };
  return truncate(plan, byLevels(plan, x, fn, spec, table, select), spec.out.magnitudeBits, spec.out.fracBits);
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
  const dropBitsOf = (level: TableScale) => tableFracBits(level) - fracBits;
  const levels = [spec, ...finerLevels(spec).map(({ table }) => table)];
  if (!levels.every((level) => dropBitsOf(level) >= 1 && dropBitsOf(level) <= mostDropBits))
    return spline(plan, x, fn, spec, epsilon);
  const table = (level: Level) => {
    const output = plan.value(x.rows, x.cols, fracBits, 0);
    const dropBits = dropBitsOf(level);
    plan.add<ScalarSplineOp>({ kind: 'scalarSpline', inputs: [x], output, function: fn, epsilon, dropBits, ...level });
    return output;
  };
  return byLevels(plan, x, fn, spec, table, scalarSelect);
}

type TableScale = Pick<SplineLike, 'coefficientFracBits' | 'basisFracBits'>;
const tableFracBits = ({ coefficientFracBits, basisFracBits }: TableScale) => coefficientFracBits + basisFracBits;

/** What an operation has of a spline's spec. */
type Level = Omit<SplineOp, keyof Op | 'kind' | 'function' | 'epsilon' | 'output'>;

/** The result of the one table, or of that which serves the argument. */
function byLevels(
  plan: PlanBuilder,
  x: Value,
  fn: SplineFunctionName,
  spec: SplineLike,
  table: (level: Level) => Value,
  choose: typeof select,
): Value {
  const { out: _out, fine: _fine, inputScale = 1, ...coarsest } = spec;
  const finer = finerLevels(spec);
  if (splineFunctions[fn].isOfPositive) requirePositive(plan.step, spec, finer);
  if (finer.length === 0) return table({ ...coarsest, inputScale });
  const all = { from: lowestArgument(spec, finer), to: topOf(spec) };
  const values: Value[] = [];
  const bits: Value[] = [];
  plan.parallel(
    ...[coarsest, ...finer.map(({ table }) => table)].map((level, j) => () => {
      values[j] = table({ ...coarsest, ...level, inputScale, extent: all });
    }),
    ...finer.map(({ boundary, serves }, j) => () => {
      bits[j] = within(plan, x, boundary, serves, all);
    }),
  );
  return choose(plan, values, bits);
}

/** The lowest argument that a table serves: above its lowest segment. */
const beginOf = (domain: DomainLike) => domain.minimum + segmentWidth(domain);
const topOf = ({ minimum, rangeBits }: DomainLike) => minimum + 2 ** rangeBits;

interface Finer {
  readonly table: DomainLike & TableScale & { readonly degree: number };
  /** The comparison's segments. */
  readonly boundary: DomainLike;
  /** Where those begin that the level serves: with all of the segment in its domain, which needs no beginning where nothing lies below it. */
  readonly serves: Interval;
}

/** The levels but the coarsest, from coarse to fine. */
function finerLevels(coarsest: SplineLike): Finer[] {
  const { minimum, rangeBits } = coarsest;
  const levels: Finer[] = [];
  for (let level = coarsest.fine; level; level = level.fine) {
    const { fine: _, boundaryBits: digitBits = coarsest.digitBits, ...own } = level;
    const { coefficientFracBits, basisFracBits } = coarsest;
    const table = { coefficientFracBits, basisFracBits, ...own };
    const boundary = { minimum, rangeBits, digitBits };
    const to = topOf(level) - segmentWidth(boundary);
    if (to < level.minimum)
      throw new RangeError(`fine: rangeBits: expected at least ${rangeBits - digitBits}, the comparison's segment`);
    const isLowest = level.minimum <= beginOf(coarsest);
    levels.push({ table, boundary, serves: { from: isLowest ? minimum : beginOf(level), to } });
  }
  return levels;
}

/** Of all levels: the finest's where it serves all that lies below it, and the comparisons reach there. */
function lowestArgument(coarsest: SplineLike, finer: readonly Finer[]): number {
  const finest = finer.at(-1);
  const begin = beginOf(finest?.serves.from === coarsest.minimum ? finest.table : coarsest);
  return Math.max(begin, ...finer.map(({ boundary }) => beginOf(boundary)));
}

/**
 * The lowest argument that a table is read at must be above 0. Of a level with finer ones below, that is where its domain begins; or, if its
 * segments are the comparison's, where theirs end.
 */
function requirePositive(step: string, spec: SplineLike, finer: readonly Finer[]): void {
  const levels: readonly DomainLike[] = [spec, ...finer.map(({ table }) => table)];
  levels.forEach((level, j) => {
    const below = finer[j];
    const isAligned = j === 0 && below?.boundary.digitBits === spec.digitBits && below.serves.from === spec.minimum;
    const lowest = isAligned ? Math.max(beginOf(level), below.serves.to) : beginOf(level);
    if (lowest > 0) return;
    throw new RangeError(
      `${step}: a function of positive numbers: expected a domain that begins above 0, got ${lowest}`,
    );
  });
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
    const { degree } = op;
    const [width, begin] = [segmentWidth(op), beginOf(op)];
    const unit = 2 ** op.coefficientFracBits;
    const constantUnit = unit * 2 ** op.basisFracBits;
    const evaluate = splineOf(op);
    return (start, out) => {
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
  evaluate: (op) => splineOf(op),
};

export const splineProtocol = tableProtocol(segments(polynomials));
export const scalarSplineProtocol = wideTableProtocol<ScalarSplineOp>(segments(polynomials));

/** The function; one of positive numbers is held constant well below the domain, where it would not be finite. */
function splineOf(op: SplineOp): (x: number) => number {
  const { inputScale, epsilon, ceiling = Number.POSITIVE_INFINITY } = op;
  const { evaluate, isOfPositive } = splineFunctions[op.function];
  const least = isOfPositive ? beginOf(op) / 2 : Number.NEGATIVE_INFINITY;
  return (x) => Math.min(evaluate(Math.max(x, least) * inputScale + epsilon), ceiling);
}
