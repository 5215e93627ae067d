/**
 * Attention rows whose switch kept the softmax: p = exp(c)/Σexp(c), with c the scores minus their row's **mean**, not its maximum: the
 * mean is linear, so it costs nothing, and then Σexp ≥ n by Jensen's inequality, so the reciprocal's domain is bounded below.
 *
 * Online: 10 flights (exp 4, reciprocal 4, scaling 2). Scores come untruncated.
 */
import type { PlanBuilder } from './builder.ts';
import { exp } from './exp.ts';
import { centreRows, local, sumRows } from './local.ts';
import type { Value } from './op.ts';
import { scale } from './product.ts';
import type { ExpLike, SplineLike, TensorLike } from './specs.ts';
import { spline } from './spline.ts';
import { truncate } from './truncate.ts';

/** @param scores (rows, n) with n a power of two. */
export function softmaxRows(
  plan: PlanBuilder,
  scores: Value,
  spec: { readonly exp: ExpLike; readonly reciprocal: SplineLike; readonly probabilities: TensorLike },
): Value {
  const { rows, cols } = scores;
  const log2n = Math.log2(cols);
  const centred = local(plan, [scores], rows, cols, centreRows(rows, cols), scores.fracBits + log2n);
  const e = exp(plan, centred, spec.exp);
  const mean = local(plan, [e], rows, 1, sumRows(rows, cols), e.fracBits + log2n);
  const r = spline(plan, mean, 'reciprocal', spec.reciprocal);
  const p = scale(plan, r, e, r.fracBits + e.fracBits + log2n);
  return truncate(plan, p, spec.probabilities.magnitudeBits, spec.probabilities.fracBits);
}
