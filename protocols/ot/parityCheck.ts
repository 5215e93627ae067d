/**
 * Whether COTs are what they should be: M = K ⊕ c·Δ for one Δ, and c the receiver's. Random parities of COTs are COTs; masked
 * by as many further COTs they may be seen, so one party shows its own and the other compares.
 *
 * It is the consistency check of two protocols, with one hash:
 * - SoftSpokenOT (Roy, CRYPTO 2022, the check of its subspace VOLE): the receiver proves to the sender.
 * - Ferret (Yang et al., CCS 2020; ePrint 2020/924, Figure 6, "consistency check"), whose trees may be correlated ones (Guo et al.,
 *   EUROCRYPT 2023): the sender proves to the receiver.
 * Ferret multiplies in GF(2^128). Here the universal hash is a random Toeplitz matrix over bits with 128 rows (Krawczyk, CRYPTO
 * 1994): two different inputs meet with probability 2^-128, as there, and no field is needed: without a carry-less multiplication,
 * sums of four blocks from a table cost less. SoftSpokenOT takes any universal hash that is linear; Ferret's proof uses
 * of the field just this. The receiver's choices are the blocks' lowest bits, so those of the parities come for free.
 *
 * **Challenge** by Fiat and Shamir, SHA-256 as a random oracle: every message that makes blocks is absorbed before their matrix is drawn
 * from the transcript's hash. The parities of several messages are added up: the last message that made a wrong block decides.
 *
 * Computes: nothing; either party learns whether the other's blocks fit its own.
 * Who learns what: the masked parities' choices are uniform. A prover that guesses which secrets its wrong blocks depend on (bytes of
 *   Δ, bits of a path) and guesses right is not found, and knows them. Whoever is wrong is found: the session ends.
 * Bytes: choices and a digest, 48 in all, for any number of COTs. Consumed: 128 COTs for each check.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { blockBytes, type CotKernel, parityCount } from '../kernels/cot.ts';

export { parityCount } from '../kernels/cot.ts';

/** A bit for every parity. */
export const parityChoiceBytes = parityCount / 8;
export const parityDigestBytes = 32;
export const parityProofBytes = parityChoiceBytes + parityDigestBytes;
const paritiesBytes = parityCount * blockBytes;

/** Masked parities of one party's blocks, and the transcript that they belong to. */
export class Parities {
  constructor(
    private readonly transcript: Uint8Array,
    private readonly blocks: Uint8Array,
  ) {}

  /** The receiver's: bit b is the choice of parity b. */
  choices(): Uint8Array {
    const bits = new Uint8Array(parityChoiceBytes);
    for (let b = 0; b < parityCount; b++) bits[b >> 3] |= (this.blocks[b * blockBytes] & 1) << (b & 7);
    return bits;
  }

  /** The receiver's digest. */
  digest(): Uint8Array {
    return sha256(concatBytes(this.transcript, this.blocks));
  }

  /** The sender's, which is the receiver's where M = K ⊕ c·Δ. */
  digestFor(choices: Uint8Array, delta: Uint8Array): Uint8Array {
    const moved = this.blocks.map(
      (byte, i) => byte ^ (delta[i % blockBytes] & -((choices[i >> 7] >> ((i >> 4) & 7)) & 1)),
    );
    return sha256(concatBytes(this.transcript, moved));
  }

  /** The receiver's proof to the sender. */
  proof(): Uint8Array {
    return concatBytes(this.choices(), this.digest());
  }

  /** Whether the receiver's proof fits the sender's blocks. */
  isProvedBy(proof: Uint8Array, delta: Uint8Array): boolean {
    const choices = proof.subarray(0, parityChoiceBytes);
    return isSame(proof.subarray(parityChoiceBytes), this.digestFor(choices, delta));
  }
}

/** One party's side of a check that goes on: messages and blocks in, `finish` as often as it is to be settled. */
export class ParityCheck {
  readonly #sums: number;
  #transcript: Uint8Array;

  /** @param label tells the transcripts of different uses apart. */
  constructor(
    private readonly kernel: CotKernel,
    label: string,
  ) {
    this.#sums = kernel.arena.allocate(paritiesBytes);
    this.#clear();
    this.#transcript = sha256(utf8ToBytes(`blindsight/parities ${label}`));
  }

  /** Something that blocks depend on; its length is public. */
  absorb(message: Uint8Array): void {
    this.#transcript = sha256(concatBytes(this.#transcript, message));
  }

  /** Adds parities of the blocks that the messages up to `message` have made. @param count a multiple of 4. */
  add(message: Uint8Array, blocks: number, count: number): void {
    this.absorb(message);
    this.kernel.parities(this.#transcript, blocks, count, this.#sums);
  }

  /**
   * The parities since the last `finish`.
   * @param masks address of `parityCount` COTs which are used for nothing else, and were fixed before the first of the matrices.
   */
  finish(masks: number): Parities {
    const blocks = this.kernel.bytes(this.#sums, paritiesBytes).slice();
    const mask = this.kernel.bytes(masks, paritiesBytes);
    for (let i = 0; i < paritiesBytes; i++) blocks[i] ^= mask[i];
    this.#clear();
    return new Parities(this.#transcript, blocks);
  }

  /** Gives its memory back. */
  release(): void {
    this.kernel.arena.release(this.#sums);
  }

  #clear(): void {
    this.kernel.bytes(this.#sums, paritiesBytes).fill(0);
  }
}

/** Of public digests: not in constant time. */
export const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
