// Four ChaCha blocks at once (RFC 8439, section 2.3): v128 number i holds word i of four independent states, one state
// per lane, so a quarter round is the same instruction for all four and lanes never mix.

// @ts-ignore: decorator
@inline function rotate16(x: v128): v128 {
  return i8x16.shuffle(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}
// @ts-ignore: decorator
@inline function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}
// Not a shuffle: engines build a byte shuffle's mask anew each time, which costs more than the two shifts (V8 on x64: 17 %).
// @ts-ignore: decorator
@inline function rotate8(x: v128): v128 {
  return v128.or(i32x4.shl(x, 8), i32x4.shr_u(x, 24));
}
// @ts-ignore: decorator
@inline function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

// @ts-ignore: decorator
@inline function storeTransposed(to: usize, a: v128, b: v128, c: v128, d: v128, stride: usize): void {
  const ab = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const abHigh = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cdHigh = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(to, i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to + stride, i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
  v128.store(to + 2 * stride, i8x16.shuffle(abHigh, cdHigh, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to + 3 * stride, i8x16.shuffle(abHigh, cdHigh, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}

// @ts-ignore: decorator
@inline function permute(input: usize, output: usize, rounds: i32, headsOnly: bool): void {
  let x0 = v128.load(input), x1 = v128.load(input, 16), x2 = v128.load(input, 32), x3 = v128.load(input, 48);
  let x4 = v128.load(input, 64), x5 = v128.load(input, 80), x6 = v128.load(input, 96), x7 = v128.load(input, 112);
  let x8 = v128.load(input, 128), x9 = v128.load(input, 144), x10 = v128.load(input, 160), x11 = v128.load(input, 176);
  let x12 = v128.load(input, 192), x13 = v128.load(input, 208), x14 = v128.load(input, 224), x15 = v128.load(input, 240);
  for (let round = 0; round < rounds; round += 2) {
    // Columns: (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15).
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7);
    x12 = rotate16(v128.xor(x12, x0)); x13 = rotate16(v128.xor(x13, x1));
    x14 = rotate16(v128.xor(x14, x2)); x15 = rotate16(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15);
    x4 = rotate12(v128.xor(x4, x8)); x5 = rotate12(v128.xor(x5, x9));
    x6 = rotate12(v128.xor(x6, x10)); x7 = rotate12(v128.xor(x7, x11));
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7);
    x12 = rotate8(v128.xor(x12, x0)); x13 = rotate8(v128.xor(x13, x1));
    x14 = rotate8(v128.xor(x14, x2)); x15 = rotate8(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15);
    x4 = rotate7(v128.xor(x4, x8)); x5 = rotate7(v128.xor(x5, x9));
    x6 = rotate7(v128.xor(x6, x10)); x7 = rotate7(v128.xor(x7, x11));
    // Diagonals: (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14).
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4);
    x15 = rotate16(v128.xor(x15, x0)); x12 = rotate16(v128.xor(x12, x1));
    x13 = rotate16(v128.xor(x13, x2)); x14 = rotate16(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14);
    x5 = rotate12(v128.xor(x5, x10)); x6 = rotate12(v128.xor(x6, x11));
    x7 = rotate12(v128.xor(x7, x8)); x4 = rotate12(v128.xor(x4, x9));
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4);
    x15 = rotate8(v128.xor(x15, x0)); x12 = rotate8(v128.xor(x12, x1));
    x13 = rotate8(v128.xor(x13, x2)); x14 = rotate8(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14);
    x5 = rotate7(v128.xor(x5, x10)); x6 = rotate7(v128.xor(x6, x11));
    x7 = rotate7(v128.xor(x7, x8)); x4 = rotate7(v128.xor(x4, x9));
  }
  x0 = i32x4.add(x0, v128.load(input)); x1 = i32x4.add(x1, v128.load(input, 16));
  x2 = i32x4.add(x2, v128.load(input, 32)); x3 = i32x4.add(x3, v128.load(input, 48));
  if (headsOnly) {
    storeTransposed(output, x0, x1, x2, x3, 16);
    return;
  }
  x4 = i32x4.add(x4, v128.load(input, 64)); x5 = i32x4.add(x5, v128.load(input, 80));
  x6 = i32x4.add(x6, v128.load(input, 96)); x7 = i32x4.add(x7, v128.load(input, 112));
  x8 = i32x4.add(x8, v128.load(input, 128)); x9 = i32x4.add(x9, v128.load(input, 144));
  x10 = i32x4.add(x10, v128.load(input, 160)); x11 = i32x4.add(x11, v128.load(input, 176));
  x12 = i32x4.add(x12, v128.load(input, 192)); x13 = i32x4.add(x13, v128.load(input, 208));
  x14 = i32x4.add(x14, v128.load(input, 224)); x15 = i32x4.add(x15, v128.load(input, 240));
  storeTransposed(output, x0, x1, x2, x3, 64);
  storeTransposed(output + 16, x4, x5, x6, x7, 64);
  storeTransposed(output + 32, x8, x9, x10, x11, 64);
  storeTransposed(output + 48, x12, x13, x14, x15, 64);
}

/**
 * The block function on four states: `input` is 16 v128 (word i of lanes 0 … 3 at input + 16 i), `output` receives four
 * serialised blocks of 64 bytes, lane 0's first. `rounds` is even. The two may not overlap.
 */
export function fourBlocks(input: usize, output: usize, rounds: i32): void {
  permute(input, output, rounds, false);
}

/** The same, but only the first 16 bytes of each block are written: 64 bytes. */
export function fourHeads(input: usize, output: usize, rounds: i32): void {
  permute(input, output, rounds, true);
}
