/**
 * Reveal of the label only: which of C values is the largest, and nothing else about them.
 *
 * Up to 128 classes all pairs are compared (winners.ts). More are a tournament in two levels: the classes in √C groups of √C, the winners of
 * all groups at once, their values as inner products with the shares of 0 and 1, and the winner among them, whose bits select its index
 * (select.ts); C^1.5 comparisons in place of C²/2. The last group is filled with copies of the last class, which lose their ties against it.
 *
 * The client learns the index of the largest, the owner nothing. For −2^(k−2) + 2^(k−17) ≤ x < 2^(k−2), k bits of ring.
 * Online: 9 flights (comparisons 8, reveal 1), in two levels 19. Reveals ⌈log2 C⌉ bits.
 */
import type { PlanBuilder } from './builder.ts';
import { add, ceilLog2, gather, local } from './local.ts';
import type { Value } from './op.ts';
import { matmul } from './product.ts';
import { type RevealOp, revealIndex } from './reveal.ts';
import { select } from './select.ts';
import { maxInRow, winners } from './winners.ts';

/** @param x (1, C), |x| < 2^magnitudeBits. */
export function argmax(plan: PlanBuilder, x: Value, magnitudeBits: number): RevealOp {
  const classes = x.cols;
  const bits = ceilLog2(classes);
  if (classes <= maxInRow) return revealIndex(plan, weightedSum(plan, winners(plan, x, magnitudeBits), 1), bits);
  const size = Math.ceil(Math.sqrt(classes));
  const groups = Math.ceil(classes / size);
  const grouped = gather(Uint32Array.from({ length: groups * size }, (_, i) => Math.min(i, classes - 1)));
  const inGroups = winners(plan, local(plan, [x], groups, size, grouped), magnitudeBits);
  const largest = matmul(plan, inGroups, local(plan, [x], groups * size, 1, grouped), groups);
  const group = winners(plan, local(plan, [largest], 1, groups, copy), magnitudeBits);
  // An index must be exact, and products by ring-LWE are so within a unit only (docs/rlwe.md): the group's bits select it.
  const within = local(plan, [weightedSum(plan, inGroups, 1)], 1, groups, copy);
  const chosen = select(plan, [local(plan, [within], 1, groups, zero), within], [group]);
  const first = weightedSum(plan, group, size);
  return revealIndex(plan, local(plan, [first, local(plan, [chosen], 1, 1, sum)], 1, 1, add), bits);
}

const copy = ([x]: readonly Uint32Array[]): Uint32Array => x.slice();
const zero = ([x]: readonly Uint32Array[]): Uint32Array => new Uint32Array(x.length);
const sum = ([x]: readonly Uint32Array[]): Uint32Array => Uint32Array.of(x.reduce((total, word) => total + word, 0));

/** Σ_j step·j·x_ij of each row. */
function weightedSum(plan: PlanBuilder, x: Value, step: number): Value {
  const { rows, cols } = x;
  return local(plan, [x], rows, 1, ([words]) =>
    Uint32Array.from({ length: rows }, (_, row) => {
      let sum = 0;
      for (let j = 0; j < cols; j++) sum = (sum + Math.imul(step * j, words[row * cols + j])) | 0;
      return sum;
    }),
  );
}
