/**
 * A narrow MLP whose activation is the square, the polynomial of CryptoNets (Gilad-Bachrach et al., ICML 2016): what tokens without GELU
 * have for a nonlinearity. It stands beside attention, as in parallel layers (Dehghani et al., ICML 2023, arXiv 2302.05442), so that its
 * two linear layers are parts of attention's and its flights are attention's. Online: 4 flights of its own, were it alone.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import { square } from './product.ts';
import type { TensorLike } from './specs.ts';
import { truncate } from './truncate.ts';

/**
 * @param units (tokens, units), untruncated.
 * @param fracBits of the result.
 */
export function squareUnits(
  plan: PlanBuilder,
  units: Value,
  spec: { readonly input: TensorLike; readonly outMagnitudeBits: number },
  fracBits: number,
): Value {
  const u = truncate(plan, units, spec.input.magnitudeBits, spec.input.fracBits);
  return truncate(plan, square(plan, u), spec.outMagnitudeBits, fracBits);
}
