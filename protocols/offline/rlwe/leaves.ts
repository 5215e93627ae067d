/** The owner's products: a leaf is a sum of a request's ciphertexts times polynomials of the owner's (Huang et al., "Cheetah", figure 5, step 2). */
import { allocateWords, nttKernel, type Words } from '../../kernels/ntt.ts';
import { drawnResidues } from '../../rlwe/drawn.ts';
import { halvings, uniformResidues } from '../../rlwe/keys.ts';
import { type Ciphertext, Ring } from '../../rlwe/ring.ts';
import type { RandomWords } from '../../rlwe/sampling.ts';
import { packedPolynomialBytes, readPolynomial } from '../../rlwe/wire.ts';
import type { RlweSpec } from '../correlations.ts';
import type { LayoutOf, OwnerInput } from './kind.ts';
import type { SharedStreams } from './sharedStreams.ts';

/** One of the client's ciphertexts: b packed as it came, or residues where it is drawn; a's residues. */
export interface Upload {
  readonly b: Uint8Array | Uint32Array;
  readonly a: Uint32Array;
}

/** A request's ciphertexts. @param bytes what the client sent. */
export function readUploads(layout: LayoutOf, bytes: Uint8Array, shared: SharedStreams): Upload[] {
  const ring = Ring.of(layout.parameters);
  const each = packedPolynomialBytes(ring.parameters);
  let read = 0;
  return Array.from({ length: layout.uploads }, (_, i) => {
    if (layout.isDrawn?.(i)) return drawnResidues(ring, shared.ciphertexts);
    const b = bytes.subarray(read, (read += each));
    return { b, a: uniformResidues(ring, shared.halves) };
  });
}

/** A request's ciphertexts, or some of them, in the kernel's memory, and the products of them that leaves are. */
export class LeafEvaluator {
  readonly #ciphertexts: Ciphertext;
  /** Where each upload stands among them. */
  readonly #places = new Map<number, number>();
  /** The terms' coefficients, here and in the kernel's memory. */
  #words = new Int32Array(0);
  #sources: Words | undefined;

  /** @param uploads by number. @throws ProtocolError `length`, `value`. */
  constructor(
    private readonly ring: Ring,
    private readonly layout: LayoutOf,
    uploads: ReadonlyMap<number, Upload>,
  ) {
    this.#ciphertexts = ring.allocateCiphertexts(uploads.size);
    try {
      // Packing multiplies by 2^levels.
      const scale = halvings(ring, layout.levels);
      for (const [upload, { b, a }] of uploads) {
        const ciphertext = ring.ciphertextAt(this.#ciphertexts, this.#places.size);
        this.#places.set(upload, this.#places.size);
        if (b instanceof Uint32Array) ring.write(b, ciphertext);
        else readPolynomial(ring, b, ciphertext);
        ring.write(a, ring.maskOf(ciphertext));
        if (layout.levels === 0) continue;
        ring.multiplyScalar(ciphertext, scale, ciphertext);
        ring.multiplyScalar(ring.maskOf(ciphertext), scale, ring.maskOf(ciphertext));
      }
    } catch (error) {
      ring.release(this.#ciphertexts);
      throw error;
    }
  }

  /** A leaf, in memory of its own. @param random the owner's own. */
  leaf(input: OwnerInput<RlweSpec>, answer: number, index: number, random: RandomWords): Ciphertext {
    const { ring } = this;
    const { arena } = nttKernel();
    const terms = this.layout.leaf(input, answer, index, random);
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
      return ring.ciphertextAt(this.#ciphertexts, this.#places.get(upload)!);
    });
    new Int32Array(arena.memory.buffer, this.#sources, this.#words.length).set(this.#words);
    ring.shortProducts(this.#sources!, length, ciphertexts, target);
    return target;
  }

  release(): void {
    const { arena } = nttKernel();
    this.ring.release(this.#ciphertexts);
    if (this.#sources === undefined) return;
    arena.words(this.#sources, this.#words.length).fill(0);
    arena.release(this.#sources);
  }
}
