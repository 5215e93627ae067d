// Small-field VOLE (Roy, CRYPTO 2022, Figure 7) over Z_2^32: from the leaves of a GGM tree, sums of vectors.
import { fourBlocks } from './_chacha';
import { hashRounds, setKey } from './_blocks';

/**
 * r_x = `tiles` × 64 words of ChaCha8(leaf x); u = Σ_x r_x and v = Σ_x x·r_x. The leaf at `hole` counts as 0 (−1: none).
 */
export function voleFold(
  leaves: usize, count: i32, hole: i32, tiles: i32, u: usize, v: usize, indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  v128.store(lanes, i32x4.splat(indexLow), 208);
  v128.store(lanes, i32x4.splat(indexHigh), 224);
  v128.store(lanes, i32x4.splat(0), 240);
  memory.fill(u, 0, <usize>tiles << 8);
  memory.fill(v, 0, <usize>tiles << 8);
  for (let tile = 0; tile < tiles; tile++) {
    v128.store(lanes, i32x4.add(i32x4.splat(tile << 2), i32x4(0, 1, 2, 3)), 192);
    // v is the sum of the suffix sums, so no multiplication is needed.
    for (let x = count - 1; x >= 0; x--) {
      if (x != hole) {
        setKey(lanes, leaves + (<usize>x << 4));
        fourBlocks(lanes, scratch, hashRounds);
        for (let at: usize = 0; at < 256; at += 16) v128.store(u + at, i32x4.add(v128.load(u + at), v128.load(scratch + at)));
      }
      if (x > 0) {
        for (let at: usize = 0; at < 256; at += 16) v128.store(v + at, i32x4.add(v128.load(v + at), v128.load(u + at)));
      }
    }
    u += 256;
    v += 256;
  }
}
