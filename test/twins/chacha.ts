/** ChaCha as RFC 8439 writes it, one block at a time: the oracle of ../chacha.ts. */

/** Section 2.1: the quarter round on state words a, b, c, d. */
export function quarterRound(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  state[a] += state[b];
  state[d] = rotateLeft(state[d] ^ state[a], 16);
  state[c] += state[d];
  state[b] = rotateLeft(state[b] ^ state[c], 12);
  state[a] += state[b];
  state[d] = rotateLeft(state[d] ^ state[a], 8);
  state[c] += state[d];
  state[b] = rotateLeft(state[b] ^ state[c], 7);
}

/** Section 2.3: key (32 bytes), counter, nonce (12 bytes) → one block of 64 bytes. */
export function chachaBlock(key: Uint8Array, counter: number, nonce: Uint8Array, rounds: 8 | 12 | 20): Uint8Array {
  const initial = new Uint32Array(16);
  initial.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let i = 0; i < 8; i++) initial[4 + i] = readWord(key, 4 * i);
  initial[12] = counter;
  for (let i = 0; i < 3; i++) initial[13 + i] = readWord(nonce, 4 * i);

  const state = initial.slice();
  for (let round = 0; round < rounds; round += 2) {
    quarterRound(state, 0, 4, 8, 12);
    quarterRound(state, 1, 5, 9, 13);
    quarterRound(state, 2, 6, 10, 14);
    quarterRound(state, 3, 7, 11, 15);
    quarterRound(state, 0, 5, 10, 15);
    quarterRound(state, 1, 6, 11, 12);
    quarterRound(state, 2, 7, 8, 13);
    quarterRound(state, 3, 4, 9, 14);
  }

  const block = new Uint8Array(64);
  const view = new DataView(block.buffer);
  for (let i = 0; i < 16; i++) view.setUint32(4 * i, (state[i] + initial[i]) >>> 0, true);
  return block;
}

/** Section 2.4 without the plaintext: blocks counter, counter + 1, … cut to `bytes` bytes. */
export function chachaKeystream(
  key: Uint8Array,
  nonce: Uint8Array,
  counter: number,
  bytes: number,
  rounds: 8 | 12 | 20,
): Uint8Array {
  const stream = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 64) {
    stream.set(chachaBlock(key, counter + at / 64, nonce, rounds).subarray(0, bytes - at), at);
  }
  return stream;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function readWord(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
