/**
 * Elements of rings Z_2^k with k up to 52, each as the integer of [0, 2^k) that a double holds exactly; for the few numbers whose truncation is
 * to be local (layers/wideTable.ts). In correlations and on the wire they are words: the low 32 bits, and where k > 32 the others.
 */
import { pack, packedBytes, unpack } from './packing.ts';

/** So that the sum of two elements is still exact. */
export const mostWideBits = 52;

/** 32-bit words that an element of the ring takes. */
export const limbsOf = (bits: number): 1 | 2 => (bits > 32 ? 2 : 1);

const sizes = Float64Array.from({ length: mostWideBits + 1 }, (_, bits) => 2 ** bits);

/** An integer modulo 2^bits; |x| < 2^53. */
export function modulo(x: number, bits: number): number {
  const size = sizes[bits];
  return x - Math.floor(x / size) * size;
}

/** x·y modulo 2^bits, for x in [0, 2^bits) and y in [0, 2^26]; y in [0, 2^32) where bits ≤ 32. */
export function timesModulo(x: number, y: number, bits: number): number {
  if (bits <= 32) return modulo(Math.imul(x, y), bits);
  const high = Math.floor(x / 2 ** 26);
  const low = x - high * 2 ** 26;
  // Each product is below 2^52.
  return modulo(low * y + modulo(high * y, bits - 26) * 2 ** 26, bits);
}

/**
 * Element i of words that hold `limbsOf(ringBits)` of them each, low word first.
 * @param bits what lies above is cut off.
 */
export function elementAt(words: Uint32Array, i: number, ringBits: number, bits = ringBits): number {
  if (limbsOf(ringBits) === 1) return modulo(words[i], bits);
  return (bits > 32 ? modulo(words[2 * i + 1], bits - 32) * 2 ** 32 : 0) + modulo(words[2 * i], Math.min(bits, 32));
}

/** Elements as words, `limbsOf(bits)` each. */
export function wordsOf(elements: Float64Array, bits: number): Uint32Array {
  const limbs = limbsOf(bits);
  const words = new Uint32Array(limbs * elements.length);
  for (let i = 0; i < elements.length; i++) {
    const high = Math.floor(elements[i] / 2 ** 32);
    words[limbs * i] = elements[i] - high * 2 ** 32;
    if (limbs === 2) words[2 * i + 1] = high;
  }
  return words;
}

/** Elements from words. */
export function elementsOf(words: Uint32Array, bits: number): Float64Array {
  const elements = new Float64Array(words.length / limbsOf(bits));
  for (let i = 0; i < elements.length; i++) elements[i] = elementAt(words, i, bits);
  return elements;
}

const [lowBits, highBits] = [(bits: number) => Math.min(bits, 32), (bits: number) => Math.max(0, bits - 32)];

/** Bytes that `packWide` makes. */
export const wideBytes = (count: number, bits: number): number =>
  packedBytes(count, lowBits(bits)) + packedBytes(count, highBits(bits));

/** All low words' bits, then all high ones'; see packing.ts. */
export function packWide(elements: Float64Array, bits: number): Uint8Array {
  const [low, high] = [new Uint32Array(elements.length), new Uint32Array(elements.length)];
  for (let i = 0; i < elements.length; i++) {
    high[i] = Math.floor(elements[i] / 2 ** 32);
    low[i] = elements[i] - high[i] * 2 ** 32;
  }
  const bytes = new Uint8Array(wideBytes(elements.length, bits));
  bytes.set(pack(low, lowBits(bits)));
  bytes.set(pack(high, highBits(bits)), packedBytes(elements.length, lowBits(bits)));
  return bytes;
}

/** @throws ProtocolError `length` when `bytes` is not exactly as long as `count` elements take. */
export function unpackWide(bytes: Uint8Array, count: number, bits: number): Float64Array {
  const end = packedBytes(count, lowBits(bits));
  const low = unpack(bytes.subarray(0, end), count, lowBits(bits));
  const high = unpack(bytes.subarray(end), count, highBits(bits));
  const elements = new Float64Array(count);
  for (let i = 0; i < count; i++) elements[i] = low[i] + high[i] * 2 ** 32;
  return elements;
}
