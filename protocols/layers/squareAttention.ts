/**
 * Attention rows whose switch became the square: p = scores²/n (PriViT, Dhyani et al. 2024, §3.2). Online: 4 flights.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import type { TensorLike } from './specs.ts';

/** @param scores (rows, n), untruncated, with n a power of two: the 1/n is in the scale. */
export function squareRows(
  plan: PlanBuilder,
  scores: Value,
  spec: { readonly scores: TensorLike; readonly probabilities: TensorLike },
): Value {
  const s = plan.truncate(scores, spec.scores.magnitudeBits, spec.scores.fracBits);
  const p = plan.square(s, 2 * s.fracBits + Math.log2(scores.cols));
  return plan.truncate(p, spec.probabilities.magnitudeBits, spec.probabilities.fracBits);
}
