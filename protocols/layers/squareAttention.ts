/**
 * Attention rows whose switch became the square: p = scores²/n (PriViT, Dhyani et al. 2024, §3.2). Online: 4 flights.
 */
import type { PlanBuilder } from './builder.ts';
import { ceilLog2 } from './local.ts';
import type { Value } from './op.ts';
import { square } from './product.ts';
import type { TensorLike } from './specs.ts';
import { truncate } from './truncate.ts';

/**
 * @param scores (rows, n), untruncated, times √(2^⌈log2 n⌉/n), which the exporter folds into the queries' weights: the division by
 *   2^⌈log2 n⌉ is in the fraction bits.
 */
export function squareRows(
  plan: PlanBuilder,
  scores: Value,
  spec: { readonly scores: TensorLike; readonly probabilities: TensorLike },
): Value {
  const s = truncate(plan, scores, spec.scores.magnitudeBits, spec.scores.fracBits);
  const p = square(plan, s, 2 * s.fracBits + ceilLog2(scores.cols));
  return truncate(plan, p, spec.probabilities.magnitudeBits, spec.probabilities.fracBits);
}
