/**
 * A seeded stream of pseudorandom ring elements: ChaCha12 in counter mode under a key derived from (seed, label).
 * Two parties with the same seed and label draw the same words in the same order.
 */
import { chacha12 } from '@noble/ciphers/chacha.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';

export const seedBytes = 32;
const blockBytes = 64;
const refillBlocks = 256;
/** ChaCha's counter has 32 bits; a new nonce starts before it wraps. */
const blocksPerNonce = 2 ** 31;

export class Prg {
  readonly #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  #block = 0;
  #buffer = new Uint8Array(0);
  #offset = 0;

  /**
   * @param seed 32 bytes; whoever knows it knows the stream.
   * @param label separates streams of one seed.
   * @throws RangeError when the seed has another length.
   */
  constructor(seed: Uint8Array, label: string) {
    if (seed.length !== seedBytes) throw new RangeError(`seed: expected ${seedBytes} bytes, got ${seed.length}`);
    this.#key = sha256(concatBytes(utf8ToBytes(`blindsight/prg/${label}\0`), seed));
  }

  /** The next `count` bytes, as a fresh array. */
  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    let filled = Math.min(count, this.#buffer.length - this.#offset);
    out.set(this.#buffer.subarray(this.#offset, this.#offset + filled));
    this.#offset += filled;
    while (filled < count) {
      const blocks = Math.min(Math.max(refillBlocks, Math.ceil((count - filled) / blockBytes)), blocksPerNonce);
      this.#refill(blocks);
      const taken = Math.min(count - filled, this.#buffer.length);
      out.set(this.#buffer.subarray(0, taken), filled);
      this.#offset = taken;
      filled += taken;
    }
    return out;
  }

  /** The next `count` words, uniform in [0, 2^32). */
  words(count: number): Uint32Array {
    return new Uint32Array(this.bytes(count * 4).buffer);
  }

  /** The next 32 bytes, to seed another generator. */
  seed(): Uint8Array {
    return this.bytes(seedBytes);
  }

  #refill(blocks: number): void {
    if (this.#block + blocks > blocksPerNonce) {
      const nonces = new DataView(this.#nonce.buffer);
      nonces.setUint32(0, nonces.getUint32(0, true) + 1, true);
      this.#block = 0;
    }
    this.#buffer = chacha12(this.#key, this.#nonce, new Uint8Array(blocks * blockBytes), undefined, this.#block);
    this.#block += blocks;
    this.#offset = 0;
  }
}

/** A generator seeded from the platform's cryptographic randomness. */
export function systemPrg(label: string): Prg {
  return new Prg(crypto.getRandomValues(new Uint8Array(seedBytes)), label);
}
