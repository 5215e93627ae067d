// Small-field VOLE (Roy, CRYPTO 2022, Figure 7) over Z_2^8, Z_2^16 and Z_2^32: from the leaves of a GGM tree, sums of vectors.
import { fourBlocks } from './_chacha';
import { hashRounds, setKey } from './_blocks';

// @ts-ignore: decorator
@inline function addLanes(a: v128, b: v128, laneBits: i32): v128 {
  if (laneBits == 8) return i8x16.add(a, b);
  if (laneBits == 16) return i16x8.add(a, b);
  return i32x4.add(a, b);
}

// @ts-ignore: decorator
@inline function fold(leaves: usize, count: i32, hole: i32, laneBits: i32, tiles: i32, u: usize, v: usize, lanes: usize, scratch: usize): void {
  memory.fill(u, 0, <usize>tiles << 8);
  memory.fill(v, 0, <usize>tiles << 8);
  for (let tile = 0; tile < tiles; tile++) {
    v128.store(lanes, i32x4.add(i32x4.splat(tile << 2), i32x4(0, 1, 2, 3)), 192);
    // v is the sum of the suffix sums, so no multiplication is needed.
    for (let x = count - 1; x >= 0; x--) {
      setKey(lanes, leaves + (<usize>x << 4));
      fourBlocks(lanes, scratch, hashRounds);
      // The hole's place is secret: its junk is computed like the others, and masked.
      const known = i32x4.splat(-<i32>(x != hole));
      for (let at: usize = 0; at < 256; at += 16) {
        v128.store(u + at, addLanes(v128.load(u + at), v128.and(v128.load(scratch + at), known), laneBits));
      }
      if (x > 0) {
        for (let at: usize = 0; at < 256; at += 16) v128.store(v + at, addLanes(v128.load(v + at), v128.load(u + at), laneBits));
      }
    }
    u += 256;
    v += 256;
  }
}

/**
 * r_x = `tiles` × 256 bytes of ChaCha8(leaf x), a vector of numbers of `laneBits` bits (8, 16 or 32); u = Σ_x r_x and v = Σ_x x·r_x.
 * The leaf at `hole` counts as 0 (−1: none).
 */
export function voleFold(
  leaves: usize, count: i32, hole: i32, laneBits: i32, tiles: i32, u: usize, v: usize, indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  v128.store(lanes, i32x4.splat(indexLow), 208);
  v128.store(lanes, i32x4.splat(indexHigh), 224);
  v128.store(lanes, i32x4.splat(0), 240);
  if (laneBits == 8) fold(leaves, count, hole, 8, tiles, u, v, lanes, scratch);
  else if (laneBits == 16) fold(leaves, count, hole, 16, tiles, u, v, lanes, scratch);
  else fold(leaves, count, hole, 32, tiles, u, v, lanes, scratch);
}
