// Matrix product mod 2^32, blocked for registers: 4 rows × 8 columns of the result are kept in eight v128 accumulators
// while k runs, so each 128-bit load of B feeds four multiply-adds (Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication", ACM TOMS 2008, without cache blocking: our panels fit the second-level cache).
//
// Layouts (u32, little endian): A is row major n × k. B is *packed* in panels of 8 columns: panel j holds, for each of
// the k rows, columns 8j … 8j + 7, with zeros beyond m. C is row major n × (m rounded up to 8).

/** Packs B (k × m, row major) into panels. */
export function packRows(source: usize, target: usize, k: i32, m: i32): void {
  const whole = m & ~7;
  for (let column = 0; column < whole; column += 8) {
    let from = source + ((<usize>column) << 2);
    for (let row = 0; row < k; row++) {
      v128.store(target, v128.load(from));
      v128.store(target, v128.load(from, 16), 16);
      from += (<usize>m) << 2;
      target += 32;
    }
  }
  if (whole == m) return;
  let from = source + ((<usize>whole) << 2);
  for (let row = 0; row < k; row++) {
    for (let lane = 0; lane < 8; lane++) {
      store<u32>(target + (lane << 2), whole + lane < m ? load<u32>(from + (lane << 2)) : 0);
    }
    from += (<usize>m) << 2;
    target += 32;
  }
}

/** Packs B given as its transpose (m × k, row major: weights stored out × in) into panels. */
export function packTransposed(source: usize, target: usize, k: i32, m: i32): void {
  for (let column = 0; column < m; column += 8) {
    for (let lane = 0; lane < 8; lane++) {
      let to = target + (lane << 2);
      const from = source + (((<usize>(column + lane)) * k) << 2);
      const inside = column + lane < m;
      for (let row = 0; row < k; row++) {
        store<u32>(to, inside ? load<u32>(from + ((<usize>row) << 2)) : 0);
        to += 32;
      }
    }
    target += (<usize>k) << 5;
  }
}

// The two blocks are exported only so that the optimiser leaves them functions of their own: an engine that compiles
// in tiers replaces a function between two calls, and one call of `multiply` would otherwise run in the slow tier.

/** 4 rows of A × one panel of B → 4 × 8 of C. Strides in bytes. */
export function block4(a: usize, aStride: usize, panel: usize, c: usize, cStride: usize, k: i32): void {
  let a1 = a + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  let c00 = i32x4.splat(0), c01 = i32x4.splat(0);
  let c10 = i32x4.splat(0), c11 = i32x4.splat(0);
  let c20 = i32x4.splat(0), c21 = i32x4.splat(0);
  let c30 = i32x4.splat(0), c31 = i32x4.splat(0);
  let b0: v128, b1: v128, s: v128;
  for (let p = k >> 1; p > 0; p--) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    s = v128.load32_splat(a);
    c00 = i32x4.add(c00, i32x4.mul(b0, s));
    c01 = i32x4.add(c01, i32x4.mul(b1, s));
    s = v128.load32_splat(a1);
    c10 = i32x4.add(c10, i32x4.mul(b0, s));
    c11 = i32x4.add(c11, i32x4.mul(b1, s));
    s = v128.load32_splat(a2);
    c20 = i32x4.add(c20, i32x4.mul(b0, s));
    c21 = i32x4.add(c21, i32x4.mul(b1, s));
    s = v128.load32_splat(a3);
    c30 = i32x4.add(c30, i32x4.mul(b0, s));
    c31 = i32x4.add(c31, i32x4.mul(b1, s));
    b0 = v128.load(panel, 32);
    b1 = v128.load(panel, 48);
    s = v128.load32_splat(a, 4);
    c00 = i32x4.add(c00, i32x4.mul(b0, s));
    c01 = i32x4.add(c01, i32x4.mul(b1, s));
    s = v128.load32_splat(a1, 4);
    c10 = i32x4.add(c10, i32x4.mul(b0, s));
    c11 = i32x4.add(c11, i32x4.mul(b1, s));
    s = v128.load32_splat(a2, 4);
    c20 = i32x4.add(c20, i32x4.mul(b0, s));
    c21 = i32x4.add(c21, i32x4.mul(b1, s));
    s = v128.load32_splat(a3, 4);
    c30 = i32x4.add(c30, i32x4.mul(b0, s));
    c31 = i32x4.add(c31, i32x4.mul(b1, s));
    panel += 64;
    a += 8;
    a1 += 8;
    a2 += 8;
    a3 += 8;
  }
  if (k & 1) {
    b0 = v128.load(panel);
    b1 = v128.load(panel, 16);
    s = v128.load32_splat(a);
    c00 = i32x4.add(c00, i32x4.mul(b0, s));
    c01 = i32x4.add(c01, i32x4.mul(b1, s));
    s = v128.load32_splat(a1);
    c10 = i32x4.add(c10, i32x4.mul(b0, s));
    c11 = i32x4.add(c11, i32x4.mul(b1, s));
    s = v128.load32_splat(a2);
    c20 = i32x4.add(c20, i32x4.mul(b0, s));
    c21 = i32x4.add(c21, i32x4.mul(b1, s));
    s = v128.load32_splat(a3);
    c30 = i32x4.add(c30, i32x4.mul(b0, s));
    c31 = i32x4.add(c31, i32x4.mul(b1, s));
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += cStride;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += cStride;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += cStride;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

/** One row of A × one panel of B → 1 × 8 of C, for the rows that do not fill a block of four. */
export function block1(a: usize, panel: usize, c: usize, k: i32): void {
  let c0 = i32x4.splat(0), c1 = i32x4.splat(0);
  for (let p = 0; p < k; p++) {
    const s = v128.load32_splat(a);
    c0 = i32x4.add(c0, i32x4.mul(v128.load(panel), s));
    c1 = i32x4.add(c1, i32x4.mul(v128.load(panel, 16), s));
    panel += 32;
    a += 4;
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
}

/** C = A · B for packed B. */
export function multiply(a: usize, packed: usize, c: usize, n: i32, k: i32, m: i32): void {
  const aStride = (<usize>k) << 2;
  const cStride = (<usize>((m + 7) & ~7)) << 2;
  const panelBytes = (<usize>k) << 5;
  for (let column = 0; column < m; column += 8) {
    let row = 0;
    let from = a;
    let to = c + ((<usize>column) << 2);
    for (; row + 4 <= n; row += 4) {
      block4(from, aStride, packed, to, cStride, k);
      from += aStride << 2;
      to += cStride << 2;
    }
    for (; row < n; row++) {
      block1(from, packed, to, k);
      from += aStride;
      to += cStride;
    }
    packed += panelBytes;
  }
}
