/**
 * LayerNorm whose mean and affine part were folded away at export: RMS normalisation, y = x·1/√(mean(x²) + ε), row by row. The mean is held
 * as `meanSquare` says: the table's `inputScale` makes up for the factor.
 *
 * One opening of x serves the sum of squares and the scaling. Online: 4 flights; per row of n: n ring elements, one digit and the
 * basis →, one table ←; one ring element and n choice bits →, n truncations ←.
 */

import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import { meanSquare, scale } from './product.ts';
import type { NormLike } from './specs.ts';
import { scalarSpline } from './spline.ts';
import { truncate } from './truncate.ts';

export function layerNorm(plan: PlanBuilder, x: Value, spec: NormLike): Value {
  const s = scalarSpline(plan, meanSquare(plan, x), 'rsqrt', spec.rsqrt, spec.epsilon);
  return truncate(plan, scale(plan, s, x), spec.out.magnitudeBits, spec.out.fracBits);
}
