// The two inner loops of SoftSpokenOT (Roy, CRYPTO 2022): the sums over a tree's leaves, and the 128 × n bit transposition.
import { fourBlocks } from './_chacha';
import { hashRounds, setKey } from './_blocks';

/**
 * For every 2048 bits of r_x = ChaCha8(leaf x), from bit 2048·firstTile on: u = ⊕_x r_x, and for every bit t of x: v_t = ⊕_{x with bit t} r_x.
 * r_hole counts as 0 (pass −1 for none). `u` and the `bits` rows at `v`, each of tiles · 256 bytes, are written; `scratch` is
 * 2^bits · 256 bytes.
 */
export function softSpokenFold(
  leaves: usize, bits: i32, hole: i32, firstTile: i32, tiles: i32, u: usize, v: usize, indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  const count: usize = 1 << bits;
  const rowBytes = <usize>tiles << 8;
  v128.store(lanes, i32x4.splat(indexLow), 208);
  v128.store(lanes, i32x4.splat(indexHigh), 224);
  v128.store(lanes, i32x4.splat(0), 240);
  for (let tile = 0; tile < tiles; tile++) {
    v128.store(lanes, i32x4.add(i32x4.splat((firstTile + tile) << 2), i32x4(0, 1, 2, 3)), 192);
    for (let x: usize = 0; x < count; x++) {
      setKey(lanes, leaves + (x << 4));
      fourBlocks(lanes, scratch + (x << 8), hashRounds);
      // The hole's place is secret: by a mask, not by its address.
      const known = i32x4.splat(-<i32>(<i32>x != hole));
      for (let at = scratch + (x << 8), end = at + 256; at < end; at += 16) v128.store(at, v128.and(v128.load(at), known));
    }
    for (let t = bits - 1; t >= 0; t--) {
      const half: usize = 1 << t;
      for (let at: usize = 0; at < 256; at += 16) {
        let sum = i32x4.splat(0);
        for (let x: usize = 0; x < half; x++) {
          const low = scratch + (x << 8) + at;
          const high = v128.load(low + (half << 8));
          sum = v128.xor(sum, high);
          v128.store(low, v128.xor(v128.load(low), high));
        }
        v128.store(v + <usize>t * rowBytes + (<usize>tile << 8) + at, sum);
      }
    }
    memory.copy(u + (<usize>tile << 8), scratch, 256);
  }
}

/** 128 rows of rowBytes bytes → 8·rowBytes blocks whose bit r is row r's bit. */
export function transpose(rows: usize, rowBytes: usize, blocks: usize): void {
  for (let column: usize = 0; column < rowBytes; column++) {
    for (let group: usize = 0; group < 8; group++) {
      let from = rows + (group << 4) * rowBytes + column;
      let bytes = i32x4.splat(0);
      bytes = v128.load8_lane(from, bytes, 0); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 1); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 2); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 3); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 4); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 5); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 6); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 7); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 8); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 9); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 10); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 11); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 12); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 13); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 14); from += rowBytes;
      bytes = v128.load8_lane(from, bytes, 15);
      let to = blocks + (column << 7) + (group << 1) + 112;
      for (let bit = 0; bit < 8; bit++) {
        store<u16>(to, <u16>i8x16.bitmask(bytes));
        bytes = i8x16.shl(bytes, 1);
        to -= 16;
      }
    }
  }
}
