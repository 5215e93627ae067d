/**
 * GELU of a linear layer's output, for the tokens whose switch kept it (PriViT, Dhyani et al. 2024, §3.2). The spline takes the
 * product as it is, without a truncation before it. Online: 4 flights, see table.ts and truncate.ts.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import type { SplineLike } from './specs.ts';

export function gelu(plan: PlanBuilder, x: Value, spec: SplineLike): Value {
  return plan.spline(x, 'gelu', spec);
}
