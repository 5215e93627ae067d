/** The owner's products: a leaf is a sum of a request's ciphertexts times polynomials of the owner's (Huang et al., "Cheetah", figure 5, step 2). */
import { allocateWords, nttKernel, type Words } from '../../kernels/ntt.ts';
import { drawCiphertext } from '../../rlwe/drawn.ts';
import { halvings, readCiphertext } from '../../rlwe/keys.ts';
import type { Ciphertext, Ring } from '../../rlwe/ring.ts';
import type { RandomWords } from '../../rlwe/sampling.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import type { RlweSpec } from '../correlations.ts';
import type { LayoutOf, OwnerInput } from './kind.ts';

/**
 * The streams that both sides draw from: the uniform halves of ciphertexts, and whole ones. Two, for the client draws whole ones before a stage
 * begins, the owner when their turn comes.
 */
export interface SharedStreams {
  readonly halves: RandomWords;
  readonly ciphertexts: RandomWords;
}

/** One request's ciphertexts in the owner's memory, and the products of them that leaves are. */
export class LeafEvaluator {
  readonly #uploads: Ciphertext;
  /** The terms' coefficients, here and in the kernel's memory. */
  #words = new Int32Array(0);
  #sources: Words | undefined;

  constructor(
    private readonly ring: Ring,
    private readonly layout: LayoutOf,
    /** Of what the client sent. */
    bytes: Uint8Array,
    shared: SharedStreams,
  ) {
    this.#uploads = ring.allocateCiphertexts(layout.uploads);
    const each = packedPolynomialBytes(ring.parameters);
    // Packing multiplies by 2^levels.
    const scale = halvings(ring, layout.levels);
    let read = 0;
    for (let i = 0; i < layout.uploads; i++) {
      const ciphertext = ring.ciphertextAt(this.#uploads, i);
      if (layout.isDrawn?.(i)) {
        drawCiphertext(ring, shared.ciphertexts, ciphertext);
      } else {
        readCiphertext(ring, bytes.subarray(read, read + each), shared.halves, ciphertext);
        read += each;
      }
      if (layout.levels === 0) continue;
      ring.multiplyScalar(ciphertext, scale, ciphertext);
      ring.multiplyScalar(ring.maskOf(ciphertext), scale, ring.maskOf(ciphertext));
    }
  }

  /** A leaf, in memory of its own. */
  leaf(input: OwnerInput<RlweSpec>, answer: number, index: number): Ciphertext {
    const { ring } = this;
    const { arena } = nttKernel();
    const terms = this.layout.leaf(input, answer, index);
    const { length } = terms[0];
    if (this.#words.length < terms.length * length) {
      this.#words = new Int32Array(terms.length * length);
      if (this.#sources !== undefined) arena.release(this.#sources);
      this.#sources = allocateWords(this.#words.length);
    }
    const target = ring.allocateCiphertexts();
    this.#words.fill(0);
    const ciphertexts = terms.map(({ upload, fill }, i) => {
      fill(this.#words.subarray(i * length, (i + 1) * length));
      return ring.ciphertextAt(this.#uploads, upload);
    });
    new Int32Array(arena.memory.buffer, this.#sources, this.#words.length).set(this.#words);
    ring.shortProducts(this.#sources!, length, ciphertexts, target);
    return target;
  }

  release(): void {
    const { arena } = nttKernel();
    this.ring.release(this.#uploads);
    if (this.#sources === undefined) return;
    arena.words(this.#sources, this.#words.length).fill(0);
    arena.release(this.#sources);
  }
}
