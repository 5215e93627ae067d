/**
 * Attention rows whose switch kept the softmax: p = exp(c)/Σexp(c), with c the scores minus their row's **mean**, not its maximum: the
 * mean is linear, so it costs nothing, and then Σexp ≥ n by Jensen's inequality, so the reciprocal's domain is bounded below.
 *
 * By squaring, where scores are far from their mean: with P = 2^L·softmax(scores/2^k), L = ⌈log2 n⌉, each of k steps P ← P²/(Σ P²·2^-L) doubles
 * the exponent, and every intermediate stays small: Σ P²·2^-L ≥ 1, as Σ P·2^-L = 1.
 *
 * Means are sums·2^-L: with s = Σexp·2^-L the weights exp·(1/s)·2^-L are exact whatever n is. The centred scores are c·n/2^L, which the
 * exponential's `inputScale` makes up for, as it does for 2^-k.
 * The mean is taken before exp, or the square, is truncated: so the reciprocal is looked up while they are. Squares are taken in a field where they
 * fit it (fieldSquare.ts): their correlations are a third of the bytes then, and no oblivious transfers.
 * Online: 6 flights (exp 2, truncation and reciprocal 2, scaling 2), and for each squaring 4. Scores come untruncated.
 *
 * Divided after they have mixed the values (FlashAttention's order, Dao et al., NeurIPS 2022, §3.1), weights take one product fewer each:
 * Σ_j p_j·v_j = (1/s)·Σ_j x_j·v_j·2^-L, with x their last state, before its division by s. The flights are the same.
 */
import type { PlanBuilder } from './builder.ts';
import { untruncatedExp } from './exp.ts';
import { fieldSquare, truncateSquares, turnBits } from './fieldSquare.ts';
import { ceilLog2, centreRows, local, sumRows } from './local.ts';
import type { Value } from './op.ts';
import { matmul, scale, square } from './product.ts';
import type { DomainLike, ExpLike, SplineLike, SquaringLike, TensorLike } from './specs.ts';
import { scalarSpline } from './spline.ts';
import { truncate } from './truncate.ts';

interface SoftmaxSpec {
  readonly exp: ExpLike;
  readonly reciprocal: SplineLike;
  readonly squarings?: readonly SquaringLike[];
}

/** Softmax before its last division, p = x·r·2^-L. */
export interface UnnormalisedSoftmax {
  /** Truncated, (rows, n). */
  readonly x: Value;
  /** 1/(Σx·2^-L), (rows, 1). */
  readonly r: Value;
}

/** The weights before the last division, for `mixUnnormalised`. @param scores (rows, n). */
export function unnormalisedSoftmax(plan: PlanBuilder, scores: Value, spec: SoftmaxSpec): UnnormalisedSoftmax {
  const { rows, cols } = scores;
  const log2n = ceilLog2(cols);
  /** x, truncated by `narrow`, and what divides it by its row's mean. */
  const beforeDivision = (untruncated: Value, narrow: () => Value, reciprocal: SplineLike): UnnormalisedSoftmax => {
    let x!: Value;
    let r!: Value;
    const invert = (of: Value) => {
      const mean = local(plan, [of], rows, 1, sumRows(rows, cols), of.fracBits + log2n);
      r = scalarSpline(plan, mean, 'reciprocal', reciprocal);
    };
    if (fitsUntruncated(reciprocal, untruncated.fracBits + log2n)) {
      plan.parallel(
        () => (x = narrow()),
        () => invert(untruncated),
      );
    } else {
      x = narrow();
      invert(x);
    }
    return { x, r };
  };
  const to = (x: Value, { magnitudeBits, fracBits }: TensorLike) => truncate(plan, x, magnitudeBits, fracBits);
  const centred = local(plan, [scores], rows, cols, centreRows(rows, cols), scores.fracBits + log2n);
  const exp = untruncatedExp(plan, centred, spec.exp);
  let weights = beforeDivision(exp, () => to(exp, spec.exp.out), spec.reciprocal);
  for (const { input, square: held, reciprocal } of spec.squarings ?? []) {
    const p = scale(plan, weights.r, weights.x);
    const isInField = fitsField(input, held, reciprocal, log2n);
    const squares = isInField ? fieldSquare(plan, p, input, held.fracBits) : square(plan, to(p, input));
    const narrow = () => (isInField ? truncateSquares(plan, squares, input, held.fracBits) : to(squares, held));
    weights = beforeDivision(squares, narrow, reciprocal);
  }
  return weights;
}

/** The softmax itself. @param scores (rows, n). */
export function softmaxRows(
  plan: PlanBuilder,
  scores: Value,
  spec: SoftmaxSpec & { readonly probabilities: TensorLike },
): Value {
  const { x, r } = unnormalisedSoftmax(plan, scores, spec);
  const p = scale(plan, r, x, r.fracBits + x.fracBits + ceilLog2(scores.cols));
  return truncate(plan, p, spec.probabilities.magnitudeBits, spec.probabilities.fracBits);
}

/**
 * The weighted sums of values, divided after the sum. Not truncated yet. Online: 2 flights, and openings that travel with them.
 * @param values (batch·n, columns), for as many groups of rows.
 * @param sum the sums before the division, times 2^-L.
 * @returns (rows, columns).
 */
export function mixUnnormalised(
  plan: PlanBuilder,
  { x, r }: UnnormalisedSoftmax,
  values: Value,
  batch: number,
  sum: TensorLike,
): Value {
  const sums = matmul(plan, x, values, batch, x.fracBits + values.fracBits + ceilLog2(x.cols));
  return scale(plan, r, truncate(plan, sums, sum.magnitudeBits, sum.fracBits));
}

/** Whether squares of the weights, and the sum of a row's, fit the circle of fieldSquare.ts. */
const fitsField = (input: TensorLike, held: TensorLike, { rangeBits }: DomainLike, log2n: number): boolean =>
  turnBits(input) > Math.max(held.magnitudeBits, rangeBits + log2n - 1);

/** Whether a mean with so many fraction bits stays in the ring, and in signed words, over all of the reciprocal's domain. */
export function fitsUntruncated({ minimum, rangeBits }: DomainLike, fracBits: number): boolean {
  return rangeBits + fracBits <= 31 && (minimum + 2 ** rangeBits) * 2 ** fracBits <= 2 ** 31;
}
