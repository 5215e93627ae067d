/** The owner's products: a leaf is a sum of a request's ciphertexts times polynomials of the owner's (Huang et al., "Cheetah", figure 5, step 2). */
import { nttKernel } from '../../kernels/ntt.ts';
import { halvings, readCiphertext } from '../../rlwe/keys.ts';
import type { Ciphertext, Ring } from '../../rlwe/ring.ts';
import type { RandomWords } from '../../rlwe/sampling.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import type { RlweSpec } from '../correlations.ts';
import type { LayoutOf, OwnerInput } from './kind.ts';

/** One request's ciphertexts in the owner's memory, and the products of them that leaves are. */
export class LeafEvaluator {
  readonly #uploads: Ciphertext;
  readonly #bytesEach: number;
  /** The terms' coefficients, here and in the kernel's memory. */
  #words = new Int32Array(0);
  #sources: number | undefined;

  constructor(
    private readonly ring: Ring,
    private readonly layout: LayoutOf,
    bytes: Uint8Array,
    shared: RandomWords,
  ) {
    this.#bytesEach = 2 * ring.bytesPerPolynomial;
    this.#uploads = ring.allocate(2 * layout.uploads);
    const each = packedPolynomialBytes(ring.parameters);
    // Packing multiplies by 2^levels.
    const scale = halvings(ring, layout.levels);
    for (let i = 0; i < layout.uploads; i++) {
      const ciphertext = this.#uploads + i * this.#bytesEach;
      readCiphertext(ring, bytes.subarray(i * each, (i + 1) * each), shared, ciphertext);
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
      this.#sources = arena.allocate(4 * this.#words.length);
    }
    const target = ring.allocate(2);
    const pairs = new Uint32Array(2 * terms.length);
    this.#words.fill(0);
    for (const [i, { upload, fill }] of terms.entries()) {
      fill(this.#words.subarray(i * length, (i + 1) * length));
      const ciphertext = this.#uploads + upload * this.#bytesEach;
      pairs[2 * i] = ciphertext;
      pairs[2 * i + 1] = ring.maskOf(ciphertext);
    }
    new Int32Array(arena.memory.buffer, this.#sources, this.#words.length).set(this.#words);
    ring.shortProducts(this.#sources!, length, pairs, target);
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
