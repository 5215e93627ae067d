/**
 * Prime fields Z_p, for products whose correlations are made in the slots of ring-LWE plaintexts (offline/rlwe/ole.ts). Every p here is
 * 1 mod 2^13, so X^n + 1 splits modulo p for n up to 4096. Elements are words in [0, p).
 */

/** Ascending; below 2^26, so that the product of two elements is exact in a double. */
export const fieldPrimes: readonly number[] = Object.freeze([
  114689, 188417, 417793, 1032193, 1417217, 2056193, 4169729, 8380417, 33538049, 67084289,
]);

/** A field for the squares of numbers of up to 15 bits (layers/fieldSquare.ts): just below 2^30, as many as the transform takes. */
export const squaresBits = 30;
export const squaresPrime = 1073692673;

/** x·y mod p for elements of any of these fields: in two steps that stay below 2^53. */
export const timesInField = (x: number, y: number, p: number): number =>
  p < 2 ** 26 ? (x * y) % p : (((x * (y >>> 15)) % p) * 32768 + x * (y & 32767)) % p;

/** Words of a mask in a field: 96 bits modulo p < 2^30, so at most 2^-66 from uniform. */
export const wordsPerMask = 3;

/** Mask i of `words`. */
export function maskAt(words: Uint32Array, i: number, p: number): number {
  const radix = 2 ** 32 % p;
  const at = wordsPerMask * i;
  // A product is below p, a word below 2^32.
  const high = (timesInField(words[at + 2] % p, radix, p) + words[at + 1]) % p;
  return (timesInField(high, radix, p) + words[at]) % p;
}

/**
 * The smallest of the fields with at least `size` elements.
 * @throws RangeError when there is none.
 */
export function fieldOf(size: number): number {
  const prime = fieldPrimes.find((p) => p >= size);
  if (prime === undefined)
    throw new RangeError(`field: expected at most ${fieldPrimes.at(-1)} elements, got ${Math.ceil(size)}`);
  return prime;
}

/** Bits of an element on the wire. */
export const fieldBits = (p: number): number => 32 - Math.clz32(p - 1);

/** An integer modulo p; |x| < 2^53. */
export const intoField = (x: number, p: number): number => x - Math.floor(x / p) * p;

/** A stream of uniform words, such as `Prg`. */
interface Words {
  words(count: number): Uint32Array;
}

/** Fills `out` with numbers uniform in [0, p), by rejection. */
export function sampleUniform(random: Words, p: number, out: Uint32Array): void {
  const mask = 2 ** (32 - Math.clz32(p - 1)) - 1;
  for (let filled = 0; filled < out.length; ) {
    const words = random.words(out.length - filled);
    for (let i = 0; i < words.length; i++) {
      const value = words[i] & mask;
      if (value < p) out[filled++] = value;
    }
  }
}

/**
 * A share modulo p as a share modulo 2^ringBits: of x·2^ringBits/p, so of a number in other units. Two parties' are off by less than 1 unit
 * and a little: the circle Z_p is laid over the circle Z_2^ringBits, and what wraps in one wraps in the other.
 */
export const fieldToRing = (share: number, p: number, ringBits: number): number =>
  Math.round((share / p) * 2 ** ringBits) >>> 0;
