// Arithmetic in Z_p[X]/(X^n + 1) for p < 2^30, four 32-bit lanes at a time.
//
// Over 350 lines, because one WebAssembly module shares its lanes' helpers, which must be inlined where they are used.
//
// Negacyclic NTT: Longa and Naehrig, "Speeding up the Number Theoretic Transform for Faster Ideal Lattice-Based
// Cryptography" (CANS 2016), algorithms 1 and 2, with the lazy butterflies of Harvey, "Faster arithmetic for
// number-theoretic transforms" (JSC 2014): a product by a constant w comes with w' = ⌊w·2^32/p⌋ (Shoup) and lies in
// [0, 2p) for every 32-bit x. Two layers share one pass over the memory; the last two work inside the vectors.
//
// The order of the transformed values is the kernel's own (bit-reversed, with lanes 1 and 2 … of each octet exchanged):
// pointwise work does not care, and ../ntt.ts finds it out by transforming X.
//
// A table (u32 words): n twiddles by layer (index blocks + block), n times their w', then for each 8 entries the vectors
// of the last two layers: w and w' of distance 2, w and w' of distance 1.

// @ts-ignore: decorator
@inline function mulHigh(x: v128, y: v128): v128 {
  return v128.shuffle<u32>(i64x2.extmul_low_i32x4_u(x, y), i64x2.extmul_high_i32x4_u(x, y), 1, 3, 5, 7);
}

/** x·w mod p in [0, 2p), for any x < 2^32. */
// @ts-ignore: decorator
@inline function mulShoup(x: v128, w: v128, wq: v128, p: v128): v128 {
  return i32x4.sub(i32x4.mul(x, w), i32x4.mul(mulHigh(x, wq), p));
}

/** x − m where x ≥ m, else x; for x < 2m. */
// @ts-ignore: decorator
@inline function reduceOnce(x: v128, m: v128): v128 {
  return i32x4.min_u(x, i32x4.sub(x, m));
}

/** The same for one number below 2m < 2^31, by a mask. */
// @ts-ignore: decorator
@inline function reduceWord(x: u32, m: u32): u32 {
  const less = x - m;
  return less + (m & <u32>(<i32>less >> 31));
}

// @ts-ignore: decorator
@inline function at(base: usize, word: i32): usize {
  return base + ((<usize>word) << 2);
}

// @ts-ignore: decorator
@inline function forwardLayers(poly: usize, n: i32, table: usize, prime: u32, fromBlocks: i32, lazy: bool): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(prime << 1);
  const shoup = at(table, n);
  let blocks = fromBlocks;
  let t = n / (2 * blocks);
  // Two layers at a time: distances t and t/2.
  for (; t >= 8; t >>= 2) {
    const half = t >> 1;
    const step = (<usize>half) << 2;
    for (let block = 0; block < blocks; block++) {
      const w0 = v128.load32_splat(at(table, blocks + block));
      const w0q = v128.load32_splat(at(shoup, blocks + block));
      const w1 = v128.load32_splat(at(table, 2 * (blocks + block)));
      const w1q = v128.load32_splat(at(shoup, 2 * (blocks + block)));
      const w2 = v128.load32_splat(at(table, 2 * (blocks + block) + 1));
      const w2q = v128.load32_splat(at(shoup, 2 * (blocks + block) + 1));
      const start = at(poly, 2 * t * block);
      const end = start + step;
      for (let a = start; a < end; a += 16) {
        const b = a + step;
        const c = b + step;
        const d = c + step;
        let xa = v128.load(a);
        let xb = v128.load(b);
        const tc = mulShoup(v128.load(c), w0, w0q, p);
        const td = mulShoup(v128.load(d), w0, w0q, p);
        if (!lazy) {
          xa = reduceOnce(xa, p2);
          xb = reduceOnce(xb, p2);
        }
        let ya = i32x4.add(xa, tc);
        const yb = i32x4.add(xb, td);
        let yc = i32x4.add(i32x4.sub(xa, tc), p2);
        const yd = i32x4.add(i32x4.sub(xb, td), p2);
        const tb = mulShoup(yb, w1, w1q, p);
        const te = mulShoup(yd, w2, w2q, p);
        if (!lazy) {
          ya = reduceOnce(ya, p2);
          yc = reduceOnce(yc, p2);
        }
        v128.store(a, i32x4.add(ya, tb));
        v128.store(b, i32x4.add(i32x4.sub(ya, tb), p2));
        v128.store(c, i32x4.add(yc, te));
        v128.store(d, i32x4.add(i32x4.sub(yc, te), p2));
      }
    }
    blocks <<= 2;
  }
  if (t == 4) {
    for (let block = 0; block < blocks; block++) {
      const w = v128.load32_splat(at(table, blocks + block));
      const wq = v128.load32_splat(at(shoup, blocks + block));
      const a = at(poly, 8 * block);
      let x = v128.load(a);
      const y = mulShoup(v128.load(a, 16), w, wq, p);
      if (!lazy) x = reduceOnce(x, p2);
      v128.store(a, i32x4.add(x, y));
      v128.store(a, i32x4.add(i32x4.sub(x, y), p2), 16);
    }
  }
  // Distances 2 and 1.
  let vectors = at(table, 2 * n);
  const end = at(poly, n);
  for (let a = poly; a < end; a += 32) {
    const v0 = v128.load(a);
    const v1 = v128.load(a, 16);
    let x = v128.shuffle<u32>(v0, v1, 0, 1, 4, 5);
    const y = mulShoup(v128.shuffle<u32>(v0, v1, 2, 3, 6, 7), v128.load(vectors), v128.load(vectors, 16), p);
    if (!lazy) x = reduceOnce(x, p2);
    const u = i32x4.add(x, y);
    const v = i32x4.add(i32x4.sub(x, y), p2);
    let even = v128.shuffle<u32>(u, v, 0, 2, 4, 6);
    const odd = mulShoup(v128.shuffle<u32>(u, v, 1, 3, 5, 7), v128.load(vectors, 32), v128.load(vectors, 48), p);
    if (!lazy) even = reduceOnce(even, p2);
    v128.store(a, i32x4.add(even, odd));
    v128.store(a, i32x4.add(i32x4.sub(even, odd), p2), 16);
    vectors += 64;
  }
}

/**
 * Transforms in place. Entries < 2p; results < 4p. For p < 2^27 nothing is reduced on the way, and results are any
 * 32-bit representatives (below 2p + 2p per layer, which fits).
 * The first log2(fromBlocks) layers are left out: the caller has laid the same n/fromBlocks entries side by side
 * fromBlocks times, which is what those layers make of a polynomial of that few coefficients.
 */
export function forward(poly: usize, n: i32, table: usize, p: u32, fromBlocks: i32): void {
  if (p < 1 << 27) forwardLayers(poly, n, table, p, fromBlocks, true);
  else forwardLayers(poly, n, table, p, fromBlocks, false);
}

/** Copies the first `length` (≥ 4) entries over the rest, `n / length` times in all. */
function repeat(poly: usize, length: i32, n: i32): void {
  const end = at(poly, length);
  for (let to = end; to < at(poly, n); to += (<usize>length) << 2) {
    for (let offset: usize = 0; offset < (<usize>length) << 2; offset += 16) {
      v128.store(to + offset, v128.load(poly + offset));
    }
  }
}

// @ts-ignore: decorator
@inline function inverseButterflyTimes(x: v128, y: v128, w: v128, wq: v128, p: v128, p2: v128): v128 {
  return mulShoup(i32x4.add(i32x4.sub(x, y), p2), w, wq, p);
}

/**
 * Transforms back in place, entries < 2p, results < p. The results are multiplied by `scale`; the caller puts n⁻¹ in.
 * `lastScale` is scale times the twiddle of the last layer.
 */
export function inverse(
  poly: usize, n: i32, table: usize, prime: u32, scale: u32, scaleShoup: u32, lastScale: u32, lastScaleShoup: u32,
): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(prime << 1);
  const shoup = at(table, n);
  let vectors = at(table, 2 * n);
  const end = at(poly, n);
  for (let a = poly; a < end; a += 32) {
    const even = v128.load(a);
    const odd = v128.load(a, 16);
    const u = reduceOnce(i32x4.add(even, odd), p2);
    const v = inverseButterflyTimes(even, odd, v128.load(vectors, 32), v128.load(vectors, 48), p, p2);
    const x = v128.shuffle<u32>(u, v, 0, 4, 1, 5);
    const y = v128.shuffle<u32>(u, v, 2, 6, 3, 7);
    const s = reduceOnce(i32x4.add(x, y), p2);
    const d = inverseButterflyTimes(x, y, v128.load(vectors), v128.load(vectors, 16), p, p2);
    v128.store(a, v128.shuffle<u32>(s, d, 0, 1, 4, 5));
    v128.store(a, v128.shuffle<u32>(s, d, 2, 3, 6, 7), 16);
    vectors += 64;
  }
  let t = 4;
  let blocks = n >> 3;
  if ((ctz(n) & 1) == 0) {
    // An odd number of layers before the last: one by itself.
    for (let block = 0; block < blocks; block++) {
      const w = v128.load32_splat(at(table, blocks + block));
      const wq = v128.load32_splat(at(shoup, blocks + block));
      const a = at(poly, 8 * block);
      const x = v128.load(a);
      const y = v128.load(a, 16);
      v128.store(a, reduceOnce(i32x4.add(x, y), p2));
      v128.store(a, inverseButterflyTimes(x, y, w, wq, p, p2), 16);
    }
    t = 8;
    blocks >>= 1;
  }
  for (; t < n >> 1; t <<= 2) {
    // Distances t and 2t.
    const pairs = blocks >> 1;
    const step = (<usize>t) << 2;
    for (let pair = 0; pair < pairs; pair++) {
      const w1 = v128.load32_splat(at(table, blocks + 2 * pair));
      const w1q = v128.load32_splat(at(shoup, blocks + 2 * pair));
      const w2 = v128.load32_splat(at(table, blocks + 2 * pair + 1));
      const w2q = v128.load32_splat(at(shoup, blocks + 2 * pair + 1));
      const w0 = v128.load32_splat(at(table, pairs + pair));
      const w0q = v128.load32_splat(at(shoup, pairs + pair));
      const start = at(poly, 4 * t * pair);
      const stop = start + step;
      for (let a = start; a < stop; a += 16) {
        const b = a + step;
        const c = b + step;
        const d = c + step;
        const xa = v128.load(a);
        const xb = v128.load(b);
        const xc = v128.load(c);
        const xd = v128.load(d);
        const ya = reduceOnce(i32x4.add(xa, xb), p2);
        const yb = inverseButterflyTimes(xa, xb, w1, w1q, p, p2);
        const yc = reduceOnce(i32x4.add(xc, xd), p2);
        const yd = inverseButterflyTimes(xc, xd, w2, w2q, p, p2);
        v128.store(a, reduceOnce(i32x4.add(ya, yc), p2));
        v128.store(b, reduceOnce(i32x4.add(yb, yd), p2));
        v128.store(c, inverseButterflyTimes(ya, yc, w0, w0q, p, p2));
        v128.store(d, inverseButterflyTimes(yb, yd, w0, w0q, p, p2));
      }
    }
    blocks >>= 2;
  }
  // The last layer takes the scale in.
  const s = i32x4.splat(scale);
  const sq = i32x4.splat(scaleShoup);
  const l = i32x4.splat(lastScale);
  const lq = i32x4.splat(lastScaleShoup);
  const half = (<usize>n) << 1;
  for (let a = poly; a < poly + half; a += 16) {
    const x = v128.load(a);
    const y = v128.load(a + half);
    v128.store(a, reduceOnce(mulShoup(i32x4.add(x, y), s, sq, p), p));
    v128.store(a + half, reduceOnce(inverseButterflyTimes(x, y, l, lq, p, p2), p));
  }
}

/** Any 32-bit representatives → [0, p). `one` is ⌊2^32/p⌋. */
export function reduce(poly: usize, n: i32, prime: u32, one: u32): void {
  const p = i32x4.splat(prime);
  const q = i32x4.splat(one);
  for (let a = poly; a < at(poly, n); a += 16) {
    const x = v128.load(a);
    v128.store(a, reduceOnce(i32x4.sub(x, i32x4.mul(mulHigh(x, q), p)), p));
  }
}

/** Signed 32-bit integers → residues in [0, p). `one` is ⌊2^32/p⌋, `wrap` is −2^32 mod p. */
export function residues(source: usize, target: usize, n: i32, prime: u32, one: u32, wrap: u32): void {
  const p = i32x4.splat(prime);
  const q = i32x4.splat(one);
  const back = i32x4.splat(wrap);
  for (let offset: usize = 0; offset < (<usize>n) << 2; offset += 16) {
    const x = v128.load(source + offset);
    const y = reduceOnce(i32x4.sub(x, i32x4.mul(mulHigh(x, q), p)), p);
    v128.store(target + offset, reduceOnce(i32x4.add(y, v128.and(i32x4.shr_s(x, 31), back)), p));
  }
}

// @ts-ignore: decorator
@inline function reduceSum(low: v128, high: v128, fold: v128, foldShoup: v128, one: v128, p: v128, p2: v128): v128 {
  // (low, high) are the 64-bit sums of lanes 0, 1 and 2, 3: the upper words count 2^32 = fold each.
  const upper = v128.shuffle<u32>(low, high, 1, 3, 5, 7);
  const lower = v128.shuffle<u32>(low, high, 0, 2, 4, 6);
  const sum = i32x4.add(
    mulShoup(upper, fold, foldShoup, p),
    i32x4.sub(lower, i32x4.mul(mulHigh(lower, one), p)),
  );
  return reduceOnce(reduceOnce(sum, p2), p);
}

/**
 * outY = Σ x_i·y_i and outZ = Σ x_i·z_i, pointwise, in [0, p): sums of 64 bits, reduced once. `list` holds `terms`
 * triples of addresses (x, y, z), each moved on by `offset` bytes. The sums must stay below 2^64: the caller's duty.
 * `fold` is 2^32 mod p.
 */
export function dot2(
  list: usize, terms: i32, offset: usize, n: i32, outY: usize, outZ: usize,
  prime: u32, fold: u32, foldShoup: u32, one: u32,
): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(prime << 1);
  const f = i32x4.splat(fold);
  const fq = i32x4.splat(foldShoup);
  const o = i32x4.splat(one);
  const stop = list + 12 * (<usize>terms);
  const end = (<usize>n) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    let y0 = i64x2.splat(0);
    let y1 = i64x2.splat(0);
    let z0 = i64x2.splat(0);
    let z1 = i64x2.splat(0);
    for (let entry = list; entry < stop; entry += 12) {
      const x = v128.load(load<u32>(entry) + offset + i);
      const y = v128.load(load<u32>(entry, 4) + offset + i);
      const z = v128.load(load<u32>(entry, 8) + offset + i);
      y0 = i64x2.add(y0, i64x2.extmul_low_i32x4_u(x, y));
      y1 = i64x2.add(y1, i64x2.extmul_high_i32x4_u(x, y));
      z0 = i64x2.add(z0, i64x2.extmul_low_i32x4_u(x, z));
      z1 = i64x2.add(z1, i64x2.extmul_high_i32x4_u(x, z));
    }
    v128.store(outY + i, reduceSum(y0, y1, f, fq, o, p, p2));
    v128.store(outZ + i, reduceSum(z0, z1, f, fq, o, p, p2));
  }
}

/** Terms that are transformed before they are multiplied: so many polynomials stay in the second-level cache. */
const chunk = 8;

/**
 * outY = Σ x_i·y_i and outZ = Σ x_i·z_i in [0, p) like `dot2`, for x_i given by their first `length` coefficients: signed words, one polynomial
 * after another at `sources`. `list` holds pairs of addresses (y, z), each moved on by `offset` bytes. `work` is chunk·(4n + 64) bytes,
 * `sums` 16n. At most `maximum` products and a reduced number fit 64 bits.
 */
export function shortProducts(
  sources: usize, length: i32, terms: i32, list: usize, offset: i32, n: i32, table: usize,
  prime: u32, one: u32, wrap: u32, fold: u32, foldShoup: u32, maximum: i32, work: usize, sums: usize, outY: usize, outZ: usize,
): void {
  const p = i32x4.splat(prime);
  const p2 = i32x4.splat(prime << 1);
  const f = i32x4.splat(fold);
  const fq = i32x4.splat(foldShoup);
  const o = i32x4.splat(one);
  // Not 4n: see Ring.bytesPerPolynomial.
  const stride = ((<usize>n) << 2) + 64;
  const end = (<usize>n) << 2;
  const size = min(chunk, maximum);
  let held = 0;
  for (let done = 0; done < terms; done += size) {
    const count = min(size, terms - done);
    let x = work;
    for (let term = 0; term < count; term++) {
      residues(at(sources, (done + term) * length), x, length, prime, one, wrap);
      if (length < n) repeat(x, length, n);
      forward(x, n, table, prime, n / length);
      x += stride;
    }
    const first = done == 0;
    const last = done + count == terms;
    // Sums that would overflow are reduced on the way in; what is left counts less than a term.
    const reduced = held + count > maximum;
    held = reduced ? count + 1 : held + count;
    const pairs = list + ((<usize>done) << 3);
    const stop = pairs + ((<usize>count) << 3);
    let partial = sums;
    for (let i: usize = 0; i < end; i += 16) {
      let y0 = i64x2.splat(0);
      let y1 = i64x2.splat(0);
      let z0 = i64x2.splat(0);
      let z1 = i64x2.splat(0);
      if (!first) {
        y0 = v128.load(partial);
        y1 = v128.load(partial, 16);
        z0 = v128.load(partial, 32);
        z1 = v128.load(partial, 48);
        if (reduced) {
          const y = reduceSum(y0, y1, f, fq, o, p, p2);
          const z = reduceSum(z0, z1, f, fq, o, p, p2);
          y0 = i64x2.extend_low_i32x4_u(y);
          y1 = i64x2.extend_high_i32x4_u(y);
          z0 = i64x2.extend_low_i32x4_u(z);
          z1 = i64x2.extend_high_i32x4_u(z);
        }
      }
      let from = work + i;
      for (let pair = pairs; pair < stop; pair += 8) {
        const v = v128.load(from);
        const y = v128.load(load<u32>(pair) + offset + i);
        const z = v128.load(load<u32>(pair, 4) + offset + i);
        y0 = i64x2.add(y0, i64x2.extmul_low_i32x4_u(v, y));
        y1 = i64x2.add(y1, i64x2.extmul_high_i32x4_u(v, y));
        z0 = i64x2.add(z0, i64x2.extmul_low_i32x4_u(v, z));
        z1 = i64x2.add(z1, i64x2.extmul_high_i32x4_u(v, z));
        from += stride;
      }
      if (last) {
        v128.store(outY + i, reduceSum(y0, y1, f, fq, o, p, p2));
        v128.store(outZ + i, reduceSum(z0, z1, f, fq, o, p, p2));
      } else {
        v128.store(partial, y0);
        v128.store(partial, y1, 16);
        v128.store(partial, z0, 32);
        v128.store(partial, z1, 48);
      }
      partial += 64;
    }
  }
}

/** x + y, entries and results in [0, p). */
export function add(x: usize, y: usize, target: usize, n: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    v128.store(target + i, reduceOnce(i32x4.add(v128.load(x + i), v128.load(y + i)), p));
  }
}

/** x − y, entries and results in [0, p). */
export function subtract(x: usize, y: usize, target: usize, n: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    const d = i32x4.sub(v128.load(x + i), v128.load(y + i));
    v128.store(target + i, i32x4.min_u(d, i32x4.add(d, p)));
  }
}

/** x·w pointwise in [0, p), where `shoup` holds w's companions; any 32-bit x. */
export function multiplyShoup(x: usize, w: usize, shoup: usize, target: usize, n: i32, prime: u32): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    v128.store(target + i, reduceOnce(mulShoup(v128.load(x + i), v128.load(w + i), v128.load(shoup + i), p), p));
  }
}

/** x·w for one number w. */
export function multiplyScalar(x: usize, target: usize, n: i32, prime: u32, w: u32, wShoup: u32): void {
  const p = i32x4.splat(prime);
  const v = i32x4.splat(w);
  const vq = i32x4.splat(wShoup);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    v128.store(target + i, reduceOnce(mulShoup(v128.load(x + i), v, vq, p), p));
  }
}

/** sum = x + y·w and difference = x − y·w, all in [0, p): the two halves of a packing step. */
export function fork(
  x: usize, y: usize, w: usize, shoup: usize, sum: usize, difference: usize, n: i32, prime: u32,
): void {
  const p = i32x4.splat(prime);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    const a = v128.load(x + i);
    const b = reduceOnce(mulShoup(v128.load(y + i), v128.load(w + i), v128.load(shoup + i), p), p);
    v128.store(sum + i, reduceOnce(i32x4.add(a, b), p));
    const d = i32x4.sub(a, b);
    v128.store(difference + i, i32x4.min_u(d, i32x4.add(d, p)));
  }
}

/** target[i] = source[order[i]]. */
export function permute(source: usize, order: usize, target: usize, n: i32): void {
  for (let i = 0; i < n; i += 4) {
    const o = at(order, i);
    const t = at(target, i);
    store<u32>(t, load<u32>(at(source, load<u32>(o))));
    store<u32>(t, load<u32>(at(source, load<u32>(o, 4))), 4);
    store<u32>(t, load<u32>(at(source, load<u32>(o, 8))), 8);
    store<u32>(t, load<u32>(at(source, load<u32>(o, 12))), 12);
  }
}

/**
 * A digit of each entry x in [0, prime): ((x centred + offset) >> shift) & mask) + bias.
 */
export function digit(
  source: usize, target: usize, n: i32, prime: u32, offset: u32, shift: i32, mask: u32, bias: u32,
): void {
  const p = i32x4.splat(prime);
  const half = i32x4.splat(prime >> 1);
  const o = i32x4.splat(offset);
  const m = i32x4.splat(mask);
  const b = i32x4.splat(bias);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    const x = v128.load(source + i);
    const y = i32x4.add(i32x4.sub(x, v128.and(i32x4.gt_s(x, half), p)), o);
    v128.store(target + i, i32x4.add(v128.and(i32x4.shr_u(y, shift), m), b));
  }
}

/**
 * Residues mod p of round(q·m/2^bits): with c the centred residue of q·m mod 2^bits, (q·m − c)/2^bits ≡ −c·2^−bits,
 * since p divides q. `factor` is q mod 2^bits, `scale` is −2^−bits mod p.
 */
export function encode(
  source: usize, target: usize, n: i32, bits: i32, factor: u32, prime: u32, scale: u32, scaleShoup: u32, one: u32, wrap: u32,
): void {
  const p = i32x4.splat(prime);
  const q = i32x4.splat(one);
  const back = i32x4.splat(wrap);
  const f = i32x4.splat(factor);
  const s = i32x4.splat(scale);
  const sq = i32x4.splat(scaleShoup);
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    const product = i32x4.mul(v128.load(source + i), f);
    const c = i32x4.shr_s(i32x4.shl(product, 32 - bits), 32 - bits);
    const y = reduceOnce(i32x4.sub(c, i32x4.mul(mulHigh(c, q), p)), p);
    const residue = i32x4.add(y, v128.and(i32x4.shr_s(c, 31), back));
    v128.store(target + i, reduceOnce(mulShoup(residue, s, sq, p), p));
  }
}

/** Centred binomial numbers from two words each: popcount of 21 bits minus popcount of 21 bits; signed words. */
export function centredBinomial(words: usize, target: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    const x = load<u32>(at(words, 2 * i)) & 0x1fffff;
    const y = load<u32>(at(words, 2 * i), 4) & 0x1fffff;
    store<i32>(at(target, i), popcnt(x) - popcnt(y));
  }
}

/**
 * Switches the modulus: round(2^bits·Σ_i y_i/p_i) mod 2^bits with y_i = x_i·(q/p_i)⁻¹ mod p_i, which is
 * round(2^bits·x/q) mod 2^bits, as 64-bit words. `constants` holds, for each prime, p, (q/p)⁻¹ mod p, its companion, a
 * zero word, and the double 2^bits/p. Doubles have 53 bits: the sum is off by less than 2^(bits − 51).
 */
export function switchModulus(source: usize, primes: i32, constants: usize, n: i32, bits: i32, target: usize): void {
  const mask = ((<u64>1) << bits) - 1;
  for (let i = 0; i < n; i++) {
    let sum: f64 = 0.5;
    for (let j = 0; j < primes; j++) {
      const c = constants + 24 * (<usize>j);
      const p = load<u32>(c);
      const x = load<u32>(at(source, j * n + i));
      const y = reduceWord(x * load<u32>(c, 4) - <u32>((<u64>x * load<u32>(c, 8)) >> 32) * p, p);
      sum += <f64>y * load<f64>(c, 16);
    }
    store<u64>(target + ((<usize>i) << 3), (<u64>sum) & mask);
  }
}

/**
 * Where numbers x of Z_q lie on the circle of 2^ringBits units: (x + u − 1/2)·2^ringBits/q with a uniform u in [0, 1), as whole units at `words` and
 * parts of a unit, times 2^32, at `fractions`. Computed in units of 2^-96 of the circle, each prime's y_i/p_i (see `switchModulus`) rounded down.
 * `random` holds two words for each number, `step` is 2^96/q·2^-53; in `constants`, what lies at 16 bytes is not read.
 */
export function onCircle(
  source: usize, primes: i32, constants: usize, n: i32, ringBits: i32, random: usize, step: f64, words: usize, fractions: usize,
): void {
  const half = <i64>(step * 4503599627370496.0);
  for (let i = 0; i < n; i++) {
    let high: u64 = 0;
    let low = <i64>(<f64>(load<u64>(random + ((<usize>i) << 3)) >> 11) * step) - half;
    for (let j = 0; j < primes; j++) {
      const c = constants + 24 * (<usize>j);
      const p = load<u32>(c);
      const x = load<u32>(at(source, j * n + i));
      const y = reduceWord(x * load<u32>(c, 4) - <u32>((<u64>x * load<u32>(c, 8)) >> 32) * p, p);
      const first = (<u64>y << 32) / p;
      const rest = (<u64>y << 32) - first * p;
      const second = (rest << 32) / p;
      high += (first << 32) | second;
      low += <i64>((((rest << 32) - second * p) << 32) / p);
    }
    high += <u64>(low >> 32);
    store<u32>(at(words, i), <u32>(high >> (64 - ringBits)));
    store<u32>(at(fractions, i), <u32>(high >> (32 - ringBits)));
  }
}

/** Writes `bits` (≤ 32) bits of each word one after another; `target` is zero, and writable 8 bytes past its end. */
export function pack32(source: usize, n: i32, bits: i32, target: usize): void {
  let position = 0;
  for (let i = 0; i < n; i++) {
    const to = target + (position >> 3);
    store<u64>(to, load<u64>(to) | ((<u64>load<u32>(at(source, i))) << (position & 7)));
    position += bits;
  }
}

/** Reads what `pack32` wrote; `source` is readable 8 bytes past its end. Returns the largest word. */
export function unpack32(source: usize, n: i32, bits: i32, target: usize): u32 {
  const mask = ((<u64>1) << bits) - 1;
  let position = 0;
  let largest: u32 = 0;
  for (let i = 0; i < n; i++) {
    const x = <u32>((load<u64>(source + (position >> 3)) >> (position & 7)) & mask);
    store<u32>(at(target, i), x);
    if (x > largest) largest = x;
    position += bits;
  }
  return largest;
}

/** Like `pack32` for 64-bit words of at most 57 bits. */
export function pack64(source: usize, n: i32, bits: i32, target: usize): void {
  let position = 0;
  for (let i = 0; i < n; i++) {
    const to = target + (position >> 3);
    store<u64>(to, load<u64>(to) | (load<u64>(source + ((<usize>i) << 3)) << (position & 7)));
    position += bits;
  }
}

export function unpack64(source: usize, n: i32, bits: i32, target: usize): void {
  const mask = ((<u64>1) << bits) - 1;
  let position = 0;
  for (let i = 0; i < n; i++) {
    store<u64>(target + ((<usize>i) << 3), (load<u64>(source + (position >> 3)) >> (position & 7)) & mask);
    position += bits;
  }
}

/** Residues of 64-bit words. */
export function residues64(source: usize, n: i32, prime: u32, target: usize): void {
  for (let i = 0; i < n; i++) {
    store<u32>(at(target, i), <u32>(load<u64>(source + ((<usize>i) << 3)) % (<u64>prime)));
  }
}

/**
 * The centred integer in (−p1·p2/2, p1·p2/2) with these residues, as signed 64-bit words. `inverse1` is p1⁻¹ mod p2.
 */
export function combine2(
  x1: usize, x2: usize, n: i32, p1: u32, p2: u32, inverse1: u32, inverse1Shoup: u32, one2: u32, target: usize,
): void {
  const q = (<u64>p1) * (<u64>p2);
  for (let i = 0; i < n; i++) {
    const r1 = load<u32>(at(x1, i));
    const r2 = load<u32>(at(x2, i));
    const r = reduceWord(r1 - <u32>((<u64>r1 * one2) >> 32) * p2, p2);
    const d = reduceWord(r2 + p2 - r, p2);
    const k = reduceWord(d * inverse1 - <u32>((<u64>d * inverse1Shoup) >> 32) * p2, p2);
    const v = (<u64>r1) + (<u64>p1) * (<u64>k);
    store<u64>(target + ((<usize>i) << 3), v - (q & -(<u64>(v > q >> 1))));
  }
}

/** A party's shares: sign·(drawn[i] − polynomial[place]) is added to sums[target], modulo 2^bits. `places` holds pairs (place, target). */
export function addResults(
  drawn: usize, polynomial: usize, places: usize, count: i32, bits: i32, sign: i32, sums: usize,
): void {
  const modulus = ((<u64>1) << bits) - 1;
  for (let i: usize = 0; i < <usize>count; i++) {
    const place = <usize>load<u32>(places + (i << 3));
    const sum = sums + ((<usize>load<u32>(places + (i << 3), 4)) << 3);
    const share = load<u64>(drawn + (i << 3)) - load<u64>(polynomial + (place << 3));
    store<u64>(sum, (load<u64>(sum) + <u64>(<i64>sign) * share) & modulus);
  }
}

/** out[i] = round(sums[i]·2^ringBits/2^bits) mod 2^ringBits, 32-bit words. */
export function roundResults(sums: usize, count: i32, bits: i32, ringBits: i32, out: usize): void {
  const shift = bits - ringBits;
  const half = (<u64>1) << (shift - 1);
  const modulus = ((<u64>1) << ringBits) - 1;
  for (let i = 0; i < count; i++) {
    store<u32>(at(out, i), <u32>(((load<u64>(sums + ((<usize>i) << 3)) + half) >> shift) & modulus));
  }
}
