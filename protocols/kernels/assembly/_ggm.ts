// Correlated GGM trees (Half-Tree, Guo et al., EUROCRYPT 2023, Figure 3): left = H(parent), right = parent ⊕ left, so
// that all nodes of a level XOR to Δ. The nodes of a level lie in split order: the children of node j among n parents
// are j (left) and n + j (right), so level i's bit of the path is bit i − 1 of the leaf's position.
import { fourHeads } from './_chacha';
import { hashRounds, setKeys, setNonce } from './_blocks';

/**
 * Expands `parents` nodes in place to twice as many, ANDed with `mask`. The XORs of all left and all right children go
 * to sums and sums + 16.
 */
function expandLevel(nodes: usize, parents: i32, mask: v128, sums: usize, lanes: usize, scratch: usize): void {
  let leftSum = i32x4.splat(0);
  let rightSum = i32x4.splat(0);
  let left = nodes;
  let right = nodes + (<usize>parents << 4);
  if (parents < 4) {
    for (let i = 0; i < parents; i++) {
      const parent = v128.load(left);
      setKeys(lanes, parent, parent, parent, parent);
      fourHeads(lanes, scratch, hashRounds);
      const l = v128.load(scratch);
      const r = v128.and(v128.xor(l, parent), mask);
      const lm = v128.and(l, mask);
      v128.store(left, lm);
      v128.store(right, r);
      leftSum = v128.xor(leftSum, lm);
      rightSum = v128.xor(rightSum, r);
      left += 16;
      right += 16;
    }
  } else {
    for (let i = 0; i < parents; i += 4) {
      const p0 = v128.load(left), p1 = v128.load(left, 16), p2 = v128.load(left, 32), p3 = v128.load(left, 48);
      setKeys(lanes, p0, p1, p2, p3);
      fourHeads(lanes, scratch, hashRounds);
      const q0 = v128.load(scratch), q1 = v128.load(scratch, 16), q2 = v128.load(scratch, 32), q3 = v128.load(scratch, 48);
      const l0 = v128.and(q0, mask), l1 = v128.and(q1, mask), l2 = v128.and(q2, mask), l3 = v128.and(q3, mask);
      const r0 = v128.and(v128.xor(p0, q0), mask), r1 = v128.and(v128.xor(p1, q1), mask);
      const r2 = v128.and(v128.xor(p2, q2), mask), r3 = v128.and(v128.xor(p3, q3), mask);
      v128.store(left, l0); v128.store(left, l1, 16); v128.store(left, l2, 32); v128.store(left, l3, 48);
      v128.store(right, r0); v128.store(right, r1, 16); v128.store(right, r2, 32); v128.store(right, r3, 48);
      leftSum = v128.xor(leftSum, v128.xor(v128.xor(l0, l1), v128.xor(l2, l3)));
      rightSum = v128.xor(rightSum, v128.xor(v128.xor(r0, r1), v128.xor(r2, r3)));
      left += 64;
      right += 64;
    }
  }
  v128.store(sums, leftSum);
  v128.store(sums, rightSum, 16);
}

/** All ones where i is `chosen`, else zeros: secret positions choose by masks, never by branches or addresses. */
// @ts-ignore: decorator
@inline function maskAt(i: usize, chosen: usize): v128 {
  return i32x4.splat(-<i32>(i == chosen));
}

/** The node at a secret position among `count`. */
function nodeAt(nodes: usize, count: usize, position: usize): v128 {
  let found = i32x4.splat(0);
  for (let i: usize = 0; i < count; i++) {
    found = v128.or(found, v128.and(v128.load(nodes + (i << 4)), maskAt(i, position)));
  }
  return found;
}

/** Overwrites the node at a secret position among `count`. */
function setNode(nodes: usize, count: usize, position: usize, value: v128): void {
  for (let i: usize = 0; i < count; i++) {
    const at = nodes + (i << 4);
    v128.store(at, v128.bitselect(value, v128.load(at), maskAt(i, position)));
  }
}

// @ts-ignore: decorator
@inline function leafMask(level: i32, depth: i32, clearLsb: bool): v128 {
  return clearLsb && level == depth ? i32x4(-2, -1, -1, -1) : i32x4.splat(-1);
}

/**
 * The sender's tree of `depth` levels: nodes of level 1 are (K_1, K_1 ⊕ Δ), K_i = bases[i − 1]. Writes 2^depth leaves and
 * the message (depth − 1 blocks): K_i ⊕ (XOR of level i's left children), i = 2 … depth.
 */
export function ggmSend(
  nodes: usize, depth: i32, bases: usize, delta: usize, message: usize,
  indexLow: u32, indexHigh: u32, clearLsb: bool, lanes: usize, scratch: usize,
): void {
  const root = v128.load(bases);
  v128.store(nodes, root);
  v128.store(nodes, v128.xor(root, v128.load(delta)), 16);
  const sums = scratch + 256;
  for (let level = 2; level <= depth; level++) {
    setNonce(lanes, i32x4.splat(indexLow), indexHigh, level);
    expandLevel(nodes, 1 << (level - 1), leafMask(level, depth, clearLsb), sums, lanes, scratch);
    v128.store(message, v128.xor(v128.load(bases, 16), v128.load(sums)));
    bases += 16;
    message += 16;
  }
}

/**
 * The receiver's tree: all leaves but the one whose path is the complement of `choices` (bit i − 1 for level i), which is 0.
 * With `clearLsb` (Ferret), that leaf is filled so that it is the sender's leaf ⊕ Δ. Returns its position.
 */
export function ggmReceive(
  nodes: usize, depth: i32, bases: usize, choices: u32, message: usize,
  indexLow: u32, indexHigh: u32, clearLsb: bool, lanes: usize, scratch: usize,
): u32 {
  const sums = scratch + 256;
  let hole: usize = 1 - (choices & 1);
  const isRight = maskAt(hole, 1);
  v128.store(nodes, v128.and(v128.load(bases), isRight));
  v128.store(nodes, v128.andnot(v128.load(bases), isRight), 16);
  let known = v128.load(bases);
  for (let level = 2; level <= depth; level++) {
    const parents: usize = 1 << (level - 1);
    const side: usize = (choices >> (level - 1)) & 1;
    const mask = leafMask(level, depth, clearLsb);
    bases += 16;
    setNonce(lanes, i32x4.splat(indexLow), indexHigh, level);
    expandLevel(nodes, <i32>parents, mask, sums, lanes, scratch);
    // The hole's two children are junk (equal, since the hole is 0): out of the sums, and one of them is what the message gives.
    const junk = nodeAt(nodes, parents, hole);
    const isRightSide = maskAt(side, 1);
    const sideSum = v128.xor(v128.bitselect(v128.load(sums, 16), v128.load(sums), isRightSide), junk);
    const sibling = v128.and(mask, v128.xor(sideSum, v128.xor(v128.load(message), v128.load(bases))));
    setNode(nodes, parents, hole, v128.andnot(sibling, isRightSide));
    setNode(nodes + (parents << 4), parents, hole, v128.and(sibling, isRightSide));
    hole += (side ^ 1) * parents;
    known = v128.xor(v128.xor(v128.load(sums), v128.load(sums, 16)), sibling);
    message += 16;
  }
  if (clearLsb) setNode(nodes, (<usize>1) << depth, hole, v128.xor(known, i32x4(1, 0, 0, 0)));
  return <u32>hole;
}
