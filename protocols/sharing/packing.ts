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
  const out = new Uint8Array(packedBytes(count, bits));
  if (bits === 8) {
    for (let i = 0; i < count; i++) out[i] = words[i];
    return out;
  }
  const mask = maskOf(bits);
  // The accumulator holds under 8 bits between elements; a word of up to 31 bits is added in two steps so that no bit
  // passes the 32nd.
  let held = 0;
  let heldBits = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const word = words[i] & mask;
    const firstBits = bits < 24 ? bits : 24;
    held |= (word & 0xffffff) << heldBits;
    heldBits += firstBits;
    while (heldBits >= 8) {
      out[at++] = held;
      held >>>= 8;
      heldBits -= 8;
    }
    if (bits > 24) {
      held |= (word >>> 24) << heldBits;
      heldBits += bits - 24;
      while (heldBits >= 8) {
        out[at++] = held;
        held >>>= 8;
        heldBits -= 8;
      }
    }
  }
  if (heldBits > 0) out[at] = held;
  return out;
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
  const mask = maskOf(bits);
  let bit = 0;
  for (let i = 0; i < count; i++) {
    const at = bit >>> 3;
    const shift = bit & 7;
    let word = bytes[at] | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    word >>>= shift;
    if (shift + bits > 32) word |= (bytes[at + 4] ?? 0) << (32 - shift);
    out[i] = word & mask;
    bit += bits;
  }
  return out;
}

function checkBits(bits: number): void {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32)
    throw new RangeError(`bits: expected an integer from 0 to 32, got ${bits}`);
}
