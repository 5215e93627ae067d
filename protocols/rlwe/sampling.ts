/** Random polynomials: ternary, centred binomial (uniform ones: sharing/field.ts). Randomness is passed in; the same stream gives the same samples. */
import { ChachaStream } from '../kernels/chacha.ts';
import { allocateWords, nttKernel, type Words } from '../kernels/ntt.ts';

/** A stream of uniform words, such as sharing/prg.ts's `Prg`. */
export interface RandomWords {
  words(count: number): Uint32Array;
  bytes(count: number): Uint8Array;
}

/** Of ChaCha. */
const wordsPerBlock = 16;

/**
 * A stream for sampling from a 32-byte key: the ChaCha kernel with 12 rounds, an order of magnitude faster than what the seeds come from.
 * @throws TypeError, RangeError when the key does not fit.
 */
export class SampleStream implements RandomWords {
  readonly #stream: ChachaStream;

  /**
   * @param index which of the key's streams, in [0, 2^32): the first four bytes of ChaCha's nonce.
   * @param firstWord where it begins.
   */
  constructor(key: Uint8Array, index = 0, firstWord = 0) {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(0, index, true);
    this.#stream = new ChachaStream(key, nonce, Math.floor(firstWord / wordsPerBlock), 12);
    this.#stream.words(firstWord % wordsPerBlock);
  }

  words(count: number): Uint32Array {
    return this.#stream.words(count);
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    this.#stream.fill(out);
    return out;
  }
}

/** `count` numbers uniform in {−1, 0, 1}, by rejection of one in four pairs of bits. */
export function sampleTernary(random: RandomWords, count: number): Int32Array {
  const out = new Int32Array(count);
  for (let filled = 0; filled < count; ) {
    // Four pairs of bits a byte, three of them good on average.
    for (const byte of random.bytes(Math.ceil((count - filled) / 3) + 8)) {
      for (let shift = 0; shift < 8 && filled < count; shift += 2) {
        const pair = (byte >> shift) & 3;
        if (pair !== 3) out[filled++] = pair - 1;
      }
    }
  }
  return out;
}

/** Writes `count` (a multiple of 4) errors of variance 10.5 at `target`, as signed words in the kernel's memory. */
export function sampleError(random: RandomWords, count: number, target: Words): void {
  const { arena, exports } = nttKernel();
  const words = random.words(2 * count);
  const address = allocateWords(2 * count);
  arena.words(address, 2 * count).set(words);
  exports.centredBinomial(address, target, count);
  arena.words(address, 2 * count).fill(0);
  arena.release(address);
}
