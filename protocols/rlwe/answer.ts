/**
 * Answers: what the owner returns, and what both sides keep. The owner re-randomises a ciphertext (b', a') and switches its modulus down to 2^k. In
 * Cheetah (Huang et al., USENIX Security 2022, figure 5) it then returns a' and, masked uniformly, the coefficients of b' that carry results. What the
 * mask makes of them is uniform, so here both sides draw that from a seed of the owner's, and only a' travels: with drawn β the client's share is
 * β − a'·s, the owner's b' − β. The mask is over all of Z_2^k, in place of noise flooding. Both sides round their share from 2^k to the result's ring.
 */
import {
  allocateWideWords,
  allocateWords,
  invertMod,
  multiplyMod,
  nttKernel,
  shoupOf,
  type WideWords,
} from '../kernels/ntt.ts';
import { addError, type PublicKey, type SecretKey } from './keys.ts';
import type { Ciphertext, Polynomial, Ring } from './ring.ts';
import type { RandomWords } from './sampling.ts';
import { packedNumbersBytes, readNumbers, writeNumbers } from './wire.ts';

/** Bytes of an answer: all of a'. */
export const answerBytes = (degree: number, bits: number): number => packedNumbersBytes(degree, bits);

/** For the kernel's `switchModulus` and `onCircle`: by ring and width. */
const constants = new Map<Ring, Map<number, number>>();

export function switchConstants(ring: Ring, bits: number): number {
  let byBits = constants.get(ring);
  if (byBits === undefined) constants.set(ring, (byBits = new Map()));
  let address = byBits.get(bits);
  if (address === undefined) {
    const { arena } = nttKernel();
    address = arena.allocate(24 * ring.primes.length);
    const view = new DataView(arena.memory.buffer, address, 24 * ring.primes.length);
    ring.primes.forEach((p, i) => {
      // (q/p)⁻¹ mod p: the inverse of the product of the other primes.
      const rest = ring.primes.reduce(
        (product, other) => (other === p ? product : multiplyMod(product, other % p, p)),
        1,
      );
      const inverse = invertMod(rest, p);
      view.setUint32(24 * i, p, true);
      view.setUint32(24 * i + 4, inverse, true);
      view.setUint32(24 * i + 8, shoupOf(inverse, p), true);
      view.setUint32(24 * i + 12, 0, true);
      view.setFloat64(24 * i + 16, 2 ** bits / p, true);
    });
    byBits.set(bits, address);
  }
  return address;
}

/** round(2^bits·x/q) mod 2^bits of a polynomial's coefficients, as 64-bit words at `target` (8·n bytes). */
export function switchModulus(ring: Ring, poly: Polynomial, bits: number, target: WideWords): void {
  const { exports } = nttKernel();
  exports.switchModulus(
    ring.residueAddress(poly, 0),
    ring.primes.length,
    switchConstants(ring, bits),
    ring.n,
    bits,
    target,
  );
}

/**
 * One party's shares of results modulo 2^bits: answers are added to it, then it is rounded to the results' ring. It holds 8 bytes of the
 * kernel's memory for each result until it is rounded.
 */
export class ShareSums {
  readonly #address: WideWords;

  constructor(
    readonly count: number,
    readonly bits: number,
    readonly ringBits: number,
  ) {
    const { arena } = nttKernel();
    this.#address = allocateWideWords(count);
    arena.words(this.#address, 2 * count).fill(0);
  }

  get address(): WideWords {
    return this.#address;
  }

  /** The shares, two words each. */
  words(): Uint32Array {
    return nttKernel()
      .arena.words(this.#address, 2 * this.count)
      .slice();
  }

  /** Adds other sums' words to the results of `places`, one to each. */
  add(words: Uint32Array, places: Places): void {
    nttKernel().arena.scope((scope) => {
      const zero = allocateWideWords(1, scope);
      nttKernel().arena.words(zero, 2).fill(0);
      const targets = new Uint32Array(places.length);
      for (let i = 1; i < places.length; i += 2) targets[i] = places[i];
      addResults(words, zero, targets, this, 1);
    });
  }

  /** round(share·2^ringBits/2^bits) mod 2^ringBits of every share: both sides' local step. */
  round(): Uint32Array {
    const { arena, exports } = nttKernel();
    return arena.scope((scope) => {
      const out = allocateWords(this.count, scope);
      exports.roundResults(this.#address, this.count, this.bits, this.ringBits, out);
      return arena.words(out, this.count).slice();
    });
  }

  /**
   * Of shares in units of 2^bits/p: the digit ⌊share·p/2^bits⌋, times 2, plus 1 where the rest is half a unit or more.
   * @param offset what is added first, in units.
   */
  cut(p: number, offset: number): Uint32Array {
    const words = nttKernel().arena.words(this.#address, 2 * this.count);
    const unit = 2 ** this.bits / p;
    const out = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      // Exact to 2^-53 of the modulus: far below the room that the noise leaves to either side of a unit's border.
      const share = words[2 * i] + words[2 * i + 1] * 2 ** 32 + offset * unit;
      const digit = Math.floor(share / unit);
      out[i] = 2 * (digit % p) + (share - digit * unit >= unit / 2 ? 1 : 0);
    }
    return out;
  }

  /** Overwrites the shares and gives the memory back. */
  release(): void {
    const { arena } = nttKernel();
    arena.words(this.#address, 2 * this.count).fill(0);
    arena.release(this.#address);
  }
}

/** Pairs (coefficient of the answer, result that it is added to), one after the other. */
export type Places = Uint32Array;

/**
 * The owner's last steps for one answer; its shares are added to `sums`. `ciphertext` is overwritten.
 * @param random the owner's own.
 * @param drawn what both sides draw from: uniform, the owner's choice, and the client's only after its ciphertexts came.
 * @returns what the client gets.
 */
export function makeAnswer(
  ring: Ring,
  ciphertext: Ciphertext,
  places: Places,
  sums: ShareSums,
  publicKey: PublicKey,
  random: RandomWords,
  drawn: RandomWords,
): Uint8Array {
  const { arena } = nttKernel();
  return arena.scope((scope) => {
    const { n } = ring;
    const { bits } = sums;
    // The client made every a, so their combination alone would reveal the weights: add a fresh encryption of zero.
    publicKey.addZero(random, ciphertext);
    ring.inverse(ciphertext);
    const a = ring.maskOf(ciphertext);
    ring.inverse(a);
    addError(ring, random, a);
    const switched = allocateWideWords(n, scope);
    switchModulus(ring, a, bits, switched);
    const bytes = writeNumbers(switched, n, bits);
    switchModulus(ring, ciphertext, bits, switched);
    addResults(drawn.words(places.length), switched, places, sums, -1);
    arena.words(switched, 2 * n).fill(0);
    return bytes;
  });
}

/**
 * Adds the client's shares β − a'·s of an answer's results to `sums`.
 * @param drawn as the owner's.
 * @throws ProtocolError `length`.
 */
export function openAnswer(
  key: SecretKey,
  bytes: Uint8Array,
  places: Places,
  sums: ShareSums,
  drawn: RandomWords,
): void {
  const { arena } = nttKernel();
  arena.scope((scope) => {
    const { n } = key.ring;
    const a = allocateWideWords(n, scope);
    const product = allocateWideWords(n, scope);
    readNumbers(bytes, n, sums.bits, a);
    key.multiplyInteger(a, product);
    addResults(drawn.words(places.length), product, places, sums, 1);
    arena.words(product, 2 * n).fill(0);
  });
}

/** Adds sign·(β − polynomial's coefficient) for every result, β numbers modulo 2^bits of two words each. */
function addResults(beta: Uint32Array, polynomial: WideWords, places: Places, sums: ShareSums, sign: 1 | -1): void {
  const { arena, exports } = nttKernel();
  arena.scope((scope) => {
    const count = places.length / 2;
    const numbers = allocateWideWords(count, scope);
    const pairs = allocateWords(2 * count, scope);
    arena.words(numbers, 2 * count).set(beta);
    arena.words(pairs, 2 * count).set(places);
    exports.addResults(numbers, polynomial, pairs, count, sums.bits, sign, sums.address);
  });
}
