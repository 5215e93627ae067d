// 128-bit blocks, four at a time, and the hash that everything in ../cot.ts rests on:
//   H_label(x, index, column) = ChaCha8 keystream under key x ‖ label, nonce index (64 bits) ‖ column (32 bits).
// `lanes` are the 16 rows of four ChaCha states: the caller has put constants and label there (rows 0–3 and 8–11).
import { fourBlocks, fourHeads } from './_chacha';

export const hashRounds: i32 = 8;

// @ts-ignore: decorator
@inline export function setKeys(lanes: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const abHigh = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cdHigh = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(lanes, i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 64);
  v128.store(lanes, i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 80);
  v128.store(lanes, i8x16.shuffle(abHigh, cdHigh, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 96);
  v128.store(lanes, i8x16.shuffle(abHigh, cdHigh, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 112);
}

/** One key in all four lanes. */
// @ts-ignore: decorator
@inline export function setKey(lanes: usize, key: usize): void {
  v128.store(lanes, v128.load32_splat(key), 64);
  v128.store(lanes, v128.load32_splat(key, 4), 80);
  v128.store(lanes, v128.load32_splat(key, 8), 96);
  v128.store(lanes, v128.load32_splat(key, 12), 112);
}

/** Counter 0, nonce indexLow … indexLow + 3 (or the same in all lanes with step 0), indexHigh, column. */
// @ts-ignore: decorator
@inline export function setNonce(lanes: usize, indexLow: v128, indexHigh: u32, column: u32): void {
  v128.store(lanes, i32x4.splat(0), 192);
  v128.store(lanes, indexLow, 208);
  v128.store(lanes, i32x4.splat(indexHigh), 224);
  v128.store(lanes, i32x4.splat(column), 240);
}

/**
 * output[i] = the first 16 bytes of H(input[i] ⊕ offset, (index + i, indexHigh), column). `output` may be `input`;
 * `scratch` is 256 bytes.
 */
export function hashBlocks(
  input: usize, offset: usize, count: i32, output: usize,
  indexLow: u32, indexHigh: u32, column: u32, lanes: usize, scratch: usize,
): void {
  const delta = v128.load(offset);
  setNonce(lanes, i32x4.add(i32x4.splat(indexLow), i32x4(0, 1, 2, 3)), indexHigh, column);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    setKeys(
      lanes, v128.xor(v128.load(input), delta), v128.xor(v128.load(input, 16), delta),
      v128.xor(v128.load(input, 32), delta), v128.xor(v128.load(input, 48), delta),
    );
    fourHeads(lanes, scratch, hashRounds);
    v128.store(output, v128.load(scratch));
    v128.store(output, v128.load(scratch, 16), 16);
    v128.store(output, v128.load(scratch, 32), 32);
    v128.store(output, v128.load(scratch, 48), 48);
    v128.store(lanes, i32x4.add(v128.load(lanes, 208), i32x4.splat(4)), 208);
    input += 64;
    output += 64;
  }
  for (; i < count; i++) {
    const x = v128.xor(v128.load(input), delta);
    setKeys(lanes, x, x, x, x);
    fourHeads(lanes, scratch, hashRounds);
    v128.store(output, v128.load(scratch));
    v128.store(lanes, i32x4.add(v128.load(lanes, 208), i32x4.splat(1)), 208);
    input += 16;
    output += 16;
  }
}

/** output[i] (32 bits each) = the first word of H(input[i] ⊕ offset, (index + i, indexHigh), 0); count a multiple of 4. */
export function hashWords(
  input: usize, offset: v128, count: i32, output: usize, indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  setNonce(lanes, i32x4.add(i32x4.splat(indexLow), i32x4(0, 1, 2, 3)), indexHigh, 0);
  for (let i = 0; i < count; i += 4) {
    setKeys(
      lanes, v128.xor(v128.load(input), offset), v128.xor(v128.load(input, 16), offset),
      v128.xor(v128.load(input, 32), offset), v128.xor(v128.load(input, 48), offset),
    );
    fourHeads(lanes, scratch, hashRounds);
    store<u32>(output, load<u32>(scratch));
    store<u32>(output, load<u32>(scratch, 16), 4);
    store<u32>(output, load<u32>(scratch, 32), 8);
    store<u32>(output, load<u32>(scratch, 48), 12);
    v128.store(lanes, i32x4.add(v128.load(lanes, 208), i32x4.splat(4)), 208);
    input += 64;
    output += 16;
  }
}

/**
 * Messages of `words` 32-bit words: message i, at output + i·stride bytes, is the beginning of H(input[i] ⊕ offset,
 * (i, indexHigh), column) ANDed with `mask`, words beyond the 16th from the blocks after the first.
 */
export function hashMessages(
  input: usize, offset: usize, count: i32, words: i32, mask: u32, output: usize, stride: usize,
  indexHigh: u32, column: u32, lanes: usize, scratch: usize,
): void {
  const delta = v128.load(offset);
  for (let i = 0; i < count; i += 4) {
    const left = min(4, count - i);
    // Lanes beyond the last repeat it.
    const at1 = left > 1 ? 16 : 0, at2 = left > 2 ? 32 : 0, at3 = left > 3 ? 48 : 0;
    setKeys(
      lanes, v128.xor(v128.load(input), delta), v128.xor(v128.load(input + at1), delta),
      v128.xor(v128.load(input + at2), delta), v128.xor(v128.load(input + at3), delta),
    );
    setNonce(lanes, i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3)), indexHigh, column);
    for (let first = 0; first < words; first += 16) {
      v128.store(lanes, i32x4.splat(first >> 4), 192);
      fourBlocks(lanes, scratch, hashRounds);
      const some = min(16, words - first);
      for (let lane = 0; lane < left; lane++) {
        const from = scratch + (<usize>lane << 6);
        const to = output + <usize>lane * stride + (<usize>first << 2);
        for (let word = 0; word < some; word++) {
          store<u32>(to + (<usize>word << 2), load<u32>(from + (<usize>word << 2)) & mask);
        }
      }
    }
    input += 64;
    output += stride << 2;
  }
}

/**
 * Keys of 1-of-2^m OTs from those of m 1-of-2 OTs each: keys[j·count + i] = ⊕_t (bit t of j ? ones : zeros)[i·m + t].
 */
export function combineKeys(zeros: usize, ones: usize, m: i32, count: i32, keys: usize): void {
  const column = <usize>count << 4;
  for (let i = 0; i < count; i++) {
    let all = i32x4.splat(0);
    for (let t = 0; t < m; t++) all = v128.xor(all, v128.load(zeros + (<usize>t << 4)));
    v128.store(keys, all);
    for (let t = 0; t < m; t++) {
      const change = v128.xor(v128.load(zeros + (<usize>t << 4)), v128.load(ones + (<usize>t << 4)));
      const half: usize = 1 << t;
      for (let j: usize = 0; j < half; j++) {
        v128.store(keys + (half + j) * column, v128.xor(v128.load(keys + j * column), change));
      }
    }
    zeros += <usize>m << 4;
    ones += <usize>m << 4;
    keys += 16;
  }
}
