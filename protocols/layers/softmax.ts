/**
 * Attention rows whose switch kept the softmax: p = exp(c)/Σexp(c), with c the scores minus their row's **mean**, not its maximum: the
 * mean is linear, so it costs nothing, and then Σexp ≥ n by Jensen's inequality, so the reciprocal's domain is bounded below.
 *
 * By squaring, where scores are far from their mean: with P = 2^L·softmax(scores/2^k), L = ⌈log2 n⌉, each of k steps P ← P²/(Σ P²·2^-L) doubles
 * the exponent, and every intermediate stays small: Σ P²·2^-L ≥ 1, as Σ P·2^-L = 1.
 *
 * Means are sums·2^-L: with s = Σexp·2^-L the weights exp·(1/s)·2^-L are exact whatever n is. The centred scores are c·n/2^L, which the
 * exponential's `inputScale` makes up for, as it does for 2^-k.
 * The mean is taken before exp, or the square, is truncated: so the reciprocal is looked up while they are.
 * Online: 6 flights (exp 2, truncation and reciprocal 2, scaling 2), and for each squaring 4. Scores come untruncated.
 */
import type { PlanBuilder } from './builder.ts';
import { untruncatedExp } from './exp.ts';
import { ceilLog2, centreRows, local, sumRows } from './local.ts';
import type { Value } from './op.ts';
import { scale, square } from './product.ts';
import type { DomainLike, ExpLike, SplineLike, SquaringLike, TensorLike } from './specs.ts';
import { scalarSpline } from './spline.ts';
import { truncate } from './truncate.ts';

/** @param scores (rows, n). */
export function softmaxRows(
  plan: PlanBuilder,
  scores: Value,
  spec: {
    readonly exp: ExpLike;
    readonly reciprocal: SplineLike;
    readonly squarings?: readonly SquaringLike[];
    readonly probabilities: TensorLike;
  },
): Value {
  const { rows, cols } = scores;
  const log2n = ceilLog2(cols);
  /**
   * x, truncated to `held`, divided by its row's mean; truncated to 2^L times that over n where another step follows, else to that over n.
   */
  const normalise = (
    untruncated: Value,
    held: TensorLike,
    reciprocal: SplineLike,
    next: SquaringLike | undefined,
  ): Value => {
    let x!: Value;
    let r!: Value;
    const narrow = () => (x = truncate(plan, untruncated, held.magnitudeBits, held.fracBits));
    const invert = (of: Value) => {
      const mean = local(plan, [of], rows, 1, sumRows(rows, cols), of.fracBits + log2n);
      r = scalarSpline(plan, mean, 'reciprocal', reciprocal);
    };
    if (fitsUntruncated(reciprocal, untruncated.fracBits + log2n)) {
      plan.parallel(narrow, () => invert(untruncated));
    } else {
      narrow();
      invert(x);
    }
    const { magnitudeBits, fracBits } = next ? next.input : spec.probabilities;
    return truncate(plan, scale(plan, r, x, r.fracBits + x.fracBits + (next ? 0 : log2n)), magnitudeBits, fracBits);
  };
  const squarings = spec.squarings ?? [];
  const centred = local(plan, [scores], rows, cols, centreRows(rows, cols), scores.fracBits + log2n);
  let p = normalise(untruncatedExp(plan, centred, spec.exp), spec.exp.out, spec.reciprocal, squarings[0]);
  squarings.forEach((step, i) => {
    p = normalise(square(plan, p), step.square, step.reciprocal, squarings[i + 1]);
  });
  return p;
}

/** Whether a mean with so many fraction bits stays in the ring, and in signed words, over all of the reciprocal's domain. */
export function fitsUntruncated({ minimum, rangeBits }: DomainLike, fracBits: number): boolean {
  return rangeBits + fracBits <= 31 && (minimum + 2 ** rangeBits) * 2 ** fracBits <= 2 ** 31;
}
