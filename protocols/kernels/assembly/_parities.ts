// Random parities of blocks: a universal hash that is linear over bits, by a random Toeplitz matrix (Krawczyk, "LFSR-based
// hashing and authentication", CRYPTO 1994). The matrix is public, so it may choose addresses; the blocks may not.
import { fourBlocks } from './_chacha';
import { hashRounds } from './_blocks';

/** Rows of the matrix. */
const rows: usize = 128;
/** Groups of four blocks whose sums (16 each, 256 bytes) are in memory at once. */
const groupsAtOnce: usize = 16;

/**
 * sums[b] ⊕= ⊕_i t[i + b]·blocks[i] for b < 128 and i < count, a multiple of 4; t is the ChaCha8 keystream under the key in `lanes`,
 * counter and nonce 0. `scratch` is 4096 + 2·(count + 128) + 1024 bytes.
 */
export function parities(blocks: usize, count: usize, sums: usize, lanes: usize, scratch: usize): void {
  const width = (count + rows) >> 2;
  const places = scratch + (groupsAtOnce << 8);
  const bits = places + (width << 2);
  v128.store(lanes, i32x4(0, 1, 2, 3), 192);
  for (let row: usize = 208; row < 256; row += 16) v128.store(lanes + row, i32x4.splat(0));
  // A window of 19 bits is read beyond the last place.
  for (let at = bits, end = bits + ((count + rows) >> 3) + 4; at < end; at += 256) {
    fourBlocks(lanes, at, hashRounds);
    v128.store(lanes, i32x4.add(v128.load(lanes, 192), i32x4.splat(4)), 192);
  }
  // Four bits of t from bit 4k + r on choose one of a group's 16 sums: its place, of 16 bytes each, is at places + r·width + k.
  for (let k: usize = 0; k < width; k++) {
    const window = load<u32>(bits + (k >> 1)) >> (<u32>(k & 1) << 2);
    for (let r: usize = 0; r < 4; r++) store<u8>(places + r * width + k, ((window >> <u32>r) & 15) << 4);
  }
  // The method of four Russians.
  const groups = count >> 2;
  for (let first: usize = 0; first < groups; first += groupsAtOnce) {
    const some = min(groupsAtOnce, groups - first);
    for (let g: usize = 0; g < some; g++) {
      const table = scratch + (g << 8);
      const from = blocks + ((first + g) << 6);
      v128.store(table, i32x4.splat(0));
      for (let t: usize = 0; t < 4; t++) {
        const half: usize = 16 << t;
        const block = v128.load(from + (t << 4));
        for (let at = table, end = table + half; at < end; at += 16) v128.store(at + half, v128.xor(v128.load(at), block));
      }
    }
    for (let b: usize = 0; b < rows; b++) {
      const sum = sums + (b << 4);
      let place = places + (b & 3) * width + (b >> 2) + first;
      let total = v128.load(sum);
      let table = scratch;
      const end = scratch + (some << 8);
      for (; table + 1024 <= end; table += 1024) {
        const a = v128.xor(v128.load(table + <usize>load<u8>(place)), v128.load(table + <usize>load<u8>(place, 1), 256));
        const c = v128.xor(v128.load(table + <usize>load<u8>(place, 2), 512), v128.load(table + <usize>load<u8>(place, 3), 768));
        total = v128.xor(total, v128.xor(a, c));
        place += 4;
      }
      for (; table < end; table += 256) {
        total = v128.xor(total, v128.load(table + <usize>load<u8>(place)));
        place++;
      }
      v128.store(sum, total);
    }
  }
}
