/** Ring elements on the wire: k bits each, one after another, least significant bit first, the last byte padded with zeros. */
import { ProtocolError } from '../channel/errors.ts';

/** Bytes that `count` elements of `bits` bits take. */
export const packedBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8);

/** 2^bits − 1 as an unsigned word; bits in [0, 32]. */
export const maskOf = (bits: number): number => (bits >= 32 ? 0xffffffff : (1 << bits) - 1) >>> 0;

/**
 * Packs the low `bits` bits of every word.
 * @param bits 0 to 32; 0 gives no bytes.
 */
export function pack(words: Uint32Array, bits: number): Uint8Array {
  checkBits(bits);
  const count = words.length;
  if (bits === 0) return new Uint8Array(0);
  if (bits === 32) return new Uint8Array(words.buffer.slice(words.byteOffset, words.byteOffset + 4 * count));
  const bytes = packedBytes(count, bits);
  const out = new Uint32Array(Math.ceil(bytes / 4));
  const mask = maskOf(bits);
  let [held, heldBits, at] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const word = words[i] & mask;
    held |= word << heldBits;
    heldBits += bits;
    if (heldBits < 32) continue;
    out[at++] = held;
    heldBits -= 32;
    // What of the word did not fit: its topmost bits.
    held = heldBits === 0 ? 0 : word >>> (bits - heldBits);
  }
  if (heldBits > 0) out[at] = held;
  return new Uint8Array(out.buffer, 0, bytes);
}

/**
 * Reads `count` elements of `bits` bits.
 * @throws ProtocolError `length` when `bytes` is not exactly as long as they take.
 */
export function unpack(bytes: Uint8Array, count: number, bits: number): Uint32Array {
  checkBits(bits);
  const expected = packedBytes(count, bits);
  if (bytes.length !== expected) {
    throw new ProtocolError(
      'length',
      'unpack',
      `expected ${expected} bytes for ${count} elements of ${bits} bits, got ${bytes.length}`,
    );
  }
  const out = new Uint32Array(count);
  if (bits === 0) return out;
  if (bits === 32) {
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  // Whole words, and one beyond the last for an element that ends there.
  const words = new Uint32Array(Math.ceil(expected / 4) + 1);
  new Uint8Array(words.buffer).set(bytes);
  const mask = maskOf(bits);
  let [at, shift] = [0, 0];
  for (let i = 0; i < count; i++) {
    let word = words[at] >>> shift;
    shift += bits;
    if (shift >= 32) {
      at++;
      shift -= 32;
      if (shift > 0) word |= words[at] << (bits - shift);
    }
    out[i] = word & mask;
  }
  return out;
}

function checkBits(bits: number): void {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32)
    throw new RangeError(`bits: expected an integer from 0 to 32, got ${bits}`);
}
