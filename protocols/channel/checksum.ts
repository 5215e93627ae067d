/**
 * FNV-1a (Fowler, Noll, Vo) over 32-bit little-endian words instead of bytes, four times as fast. It detects accidents:
 * every step is a bijection of the state, so a change within one word never goes unnoticed. It does not stop an attacker;
 * the data channel's DTLS does.
 */
export const checksumStart = 0x811c9dc5;

/**
 * Continues a checksum over `bytes`; only the last piece of a message may have a length that is no multiple of 4 (it is
 * padded with zeros; the message's length is hashed too, so padding is not ambiguous).
 * @param state what the previous piece returned, or `checksumStart`.
 * @returns the new state, in [0, 2^32).
 */
export function checksum(state: number, bytes: Uint8Array): number {
  let hash = state;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
  const rest = bytes.length & 3;
  if (rest > 0) {
    let word = 0;
    for (let i = 0; i < rest; i++) word |= bytes[bytes.length - rest + i] << (8 * i);
    hash = Math.imul(hash ^ word, 0x01000193);
  }
  return hash >>> 0;
}

/** Continues a checksum over one 32-bit word. */
export function checksumWord(state: number, word: number): number {
  return Math.imul(state ^ word, 0x01000193) >>> 0;
}
