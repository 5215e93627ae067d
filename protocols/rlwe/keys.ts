/**
 * Keys and encryption: the ring-LWE scheme of Fan and Vercauteren, "Somewhat Practical Fully Homomorphic Encryption" (ePrint
 * 2012/144), without multiplication of ciphertexts, and key switching by digits of the RNS residues (Bajard et al., SAC 2016; Halevi,
 * Polyakov and Shoup, CT-RSA 2019). A ciphertext (b, a) has the phase b − a·s = ⌊q·m/t⌉ + error.
 *
 * Everything the client publishes has a uniform `a`, so only b travels (or not even that: drawn.ts): both sides draw `a` from one seed, directly in the transformed
 * domain, in the order of the messages.
 */
import {
  allocateWords,
  invertMod,
  multiplyMod,
  nttKernel,
  shoupOf,
  type WideWords,
  type Words,
} from '../kernels/ntt.ts';
import { sampleUniform } from '../sharing/field.ts';
import type { Ciphertext, Factor, Polynomial, Ring } from './ring.ts';
import { type RandomWords, sampleError, sampleTernary } from './sampling.ts';
import { packedPolynomialBytes, readPolynomial, writePolynomial } from './wire.ts';

/** A uniform half of a ciphertext, transformed: residues, prime after prime. */
export function uniformResidues(ring: Ring, shared: RandomWords): Uint32Array {
  const residues = new Uint32Array(ring.n * ring.primes.length);
  for (const [i, p] of ring.primes.entries()) sampleUniform(shared, p, residues.subarray(i * ring.n, (i + 1) * ring.n));
  return residues;
}

/** Draws it into the kernel's memory. */
export const drawUniform = (ring: Ring, shared: RandomWords, target: Polynomial): void =>
  ring.write(uniformResidues(ring, shared), target);

/** The client's key; its methods are the client's part of the scheme. */
export class SecretKey {
  /** s transformed. */
  readonly #s: Factor;
  /** s itself, to derive key-switching keys. */
  readonly #coefficients: Int32Array;

  /** @param random the client's own. */
  constructor(
    readonly ring: Ring,
    random: RandomWords,
  ) {
    this.#coefficients = sampleTernary(random, ring.n);
    this.#s = ring.allocateFactor();
    this.#transform(this.#coefficients, this.#s);
    ring.setCompanions(this.#s);
  }

  /**
   * An encryption's b, packed for the wire: b = a·s + e + message.
   * @param message residues of what to encrypt (not transformed); overwritten.
   * @param shared draws a; the evaluator has the same stream.
   * @param random the client's own.
   */
  encrypt(message: Polynomial, shared: RandomWords, random: RandomWords): Uint8Array {
    const { ring } = this;
    const error = allocateWords(ring.n);
    const a = ring.allocate();
    sampleError(random, ring.n, error);
    this.#addSigned(error, message);
    ring.forward(message, true);
    drawUniform(ring, shared, a);
    ring.multiply(a, this.#s, a);
    ring.add(message, a, message);
    const bytes = writePolynomial(ring, message);
    releaseCleared(error, ring.n);
    ring.release(a);
    return bytes;
  }

  /**
   * Encryptions that let the evaluator switch from s(X^g) to s: for each prime i and digit k, −s(X^g)·2^(kB) in the residues of p_i and
   * 0 in the others, so that Σ digit·key has the phase −a·s(X^g).
   */
  automorphismKey(g: number, shared: RandomWords, random: RandomWords): Uint8Array {
    const { ring } = this;
    const { n, parameters } = ring;
    const image = new Int32Array(n);
    this.#coefficients.forEach((value, i) => {
      const to = (i * g) % (2 * n);
      image[to % n] = to < n ? -value : value;
    });
    const message = ring.allocate();
    const parts: Uint8Array[] = [];
    ring.primes.forEach((p, i) => {
      for (let k = 0; k < parameters.digitsPerPrime; k++) {
        const factor = 2 ** (k * parameters.digitBits[i]) % p;
        ring.clear(message);
        ring
          .residue(message, i)
          .set(Uint32Array.from(image, (value) => ((value + 1) >> 1) * factor + ((1 - value) >> 1) * (p - factor)));
        parts.push(this.encrypt(message, shared, random));
      }
    });
    ring.clear(message);
    ring.release(message);
    return join(parts);
  }

  /** An encryption of zero's b, the public key. */
  publicKey(shared: RandomWords, random: RandomWords): Uint8Array {
    const { ring } = this;
    const message = ring.allocate();
    ring.clear(message);
    const bytes = this.encrypt(message, shared, random);
    ring.release(message);
    return bytes;
  }

  /**
   * a·s as signed 64-bit words at `target` (8·n bytes), exactly, for integers a below 2^52 as 64-bit words at `source`; the product must
   * stay below p_1·p_2/2 in magnitude (see noise.ts).
   */
  multiplyInteger(source: WideWords, target: WideWords): void {
    const { ring } = this;
    const { exports } = nttKernel();
    const product = ring.allocate();
    const [n1, n2] = [ring.ntts[0], ring.ntts[1]];
    [n1, n2].forEach((ntt, i) => {
      const at = ring.residueAddress(product, i);
      exports.residues64(source, ring.n, ntt.p, at);
      ntt.forward(at);
      const s = ring.residueAddress(this.#s, i);
      exports.multiplyShoup(at, s, ring.residueAddress(ring.companionsOf(this.#s), i), at, ring.n, ntt.p);
      ntt.inverse(at);
    });
    const inverse = invertMod(n1.p % n2.p, n2.p);
    exports.combine2(
      ring.residueAddress(product, 0),
      ring.residueAddress(product, 1),
      ring.n,
      n1.p,
      n2.p,
      inverse,
      shoupOf(inverse, n2.p),
      n2.one,
      target,
    );
    ring.clear(product);
    ring.release(product);
  }

  /** The phase b − a·s of a transformed ciphertext, in coefficients. */
  phase(ciphertext: Ciphertext, target: Polynomial): void {
    const { ring } = this;
    ring.multiply(ring.maskOf(ciphertext), this.#s, target);
    ring.subtract(ciphertext, target, target);
    ring.inverse(target);
  }

  /** Overwrites the key and gives its memory back. */
  destroy(): void {
    this.#coefficients.fill(0);
    this.ring.clear(this.#s, 2);
    this.ring.release(this.#s);
  }

  #transform(coefficients: Int32Array, target: Polynomial): void {
    const { ring } = this;
    const { arena } = nttKernel();
    const source = allocateWords(ring.n);
    arena.words(source, ring.n).set(coefficients);
    ring.setSigned(source, target);
    ring.forward(target, true);
    releaseCleared(source, ring.n);
  }

  /** message += the signed words at `error`. */
  #addSigned(error: Words, message: Polynomial): void {
    const { ring } = this;
    const residues = ring.allocate();
    ring.setSigned(error, residues);
    ring.add(message, residues, message);
    ring.clear(residues);
    ring.release(residues);
  }
}

/**
 * Residues of round(q·m/2^bits), m being the n words at `source` modulo 2^bits. With t = 2^bits and q·m/t rounded exactly, no error
 * proportional to m arises (as it would with m·⌊q/t⌋).
 */
export function encodeMessage(ring: Ring, source: Words, bits: number, target: Polynomial): void {
  const factor = Number(BigInt.asUintN(bits, ring.parameters.modulus));
  ring.ntts.forEach((ntt, i) => ntt.encode(source, bits, factor, ring.residueAddress(target, i)));
}

/** What the evaluator reads: a ciphertext from b's bytes and the shared stream. @throws ProtocolError `length`, `value`. */
export function readCiphertext(ring: Ring, bytes: Uint8Array, shared: RandomWords, target: Ciphertext): void {
  readPolynomial(ring, bytes, target);
  drawUniform(ring, shared, ring.maskOf(target));
}

/** How many ciphertexts a key for one automorphism has. */
export const automorphismKeyLength = (ring: Ring): number => ring.primes.length * ring.parameters.digitsPerPrime;

/** The evaluator's side of `SecretKey.automorphismKey`. */
export class AutomorphismKey {
  readonly #ciphertexts: Ciphertext[];

  constructor(
    readonly ring: Ring,
    readonly g: number,
    bytes: Uint8Array,
    shared: RandomWords,
  ) {
    const length = automorphismKeyLength(ring);
    const each = packedPolynomialBytes(ring.parameters);
    this.#ciphertexts = Array.from({ length }, (_, i) => {
      const ciphertext = ring.allocateCiphertexts();
      readCiphertext(ring, bytes.subarray(i * each, (i + 1) * each), shared, ciphertext);
      return ciphertext;
    });
  }

  /** target += source(X^g), switched back to the key s. Both transformed; `target` is not `source`. */
  addAutomorphism(source: Ciphertext, target: Ciphertext): void {
    const { ring, g } = this;
    const { exports } = nttKernel();
    const { n, parameters, primes, ntts } = ring;
    const { digitsPerPrime, digitBits } = parameters;
    const { digits, work } = ring.switching(this.#ciphertexts.length);
    // a(X^g) in coefficients, residue by residue.
    const image = work;
    ring.permute(ring.maskOf(source), g, image);
    // Where a residue is one digit, its own prime needs no transform back and forth: the permuted values are it.
    const whole = digitsPerPrime === 1;
    if (whole) for (let i = 0; i < primes.length; i++) ring.residue(digits[i], i).set(ring.residue(image, i));
    ring.inverse(image);
    for (const [i, p] of primes.entries()) {
      const bits = digitBits[i];
      // Adding half a base to every digit makes them all non-negative; the bias takes it off again, plus p.
      const half = 2 ** (bits - 1);
      let offset = 0;
      for (let k = 0; k < digitsPerPrime; k++) offset += half * 2 ** (k * bits);
      for (let k = 0; k < digitsPerPrime; k++) {
        const poly = digits[i * digitsPerPrime + k];
        // The topmost digit keeps what lies above: centred residues reach just beyond half the base.
        const mask = k === digitsPerPrime - 1 ? 0xffffffff : 2 ** bits - 1;
        for (const [j, ntt] of ntts.entries()) {
          if (whole && i === j) continue;
          const at = ring.residueAddress(poly, j);
          exports.digit(ring.residueAddress(image, i), at, n, p, offset, k * bits, mask, ntt.p - half);
          ntt.forward(at);
        }
      }
    }
    ring.dot(digits, this.#ciphertexts, work);
    ring.add(target, work, target);
    ring.add(ring.maskOf(target), ring.maskOf(work), ring.maskOf(target));
    ring.permute(source, g, work);
    ring.add(target, work, target);
  }

  release(): void {
    for (const address of this.#ciphertexts) this.ring.release(address);
  }
}

/** The public key in the evaluator's hands: fresh encryptions of zero (Lyubashevsky, Peikert and Regev, EUROCRYPT 2010). */
export class PublicKey {
  readonly #key: Ciphertext;

  constructor(
    readonly ring: Ring,
    bytes: Uint8Array,
    shared: RandomWords,
  ) {
    this.#key = ring.allocateCiphertexts();
    readCiphertext(ring, bytes, shared, this.#key);
  }

  /**
   * Adds (b·u, a·u) for a fresh ternary u to a transformed ciphertext. Together with `addError` on a's coefficients, that is an encryption
   * of zero. What becomes of b needs no error of its own: nobody but the evaluator ever sees it (answer.ts).
   */
  addZero(random: RandomWords, target: Ciphertext): void {
    const { ring } = this;
    const { arena } = nttKernel();
    const source = allocateWords(ring.n);
    const u = ring.allocate();
    const zero = ring.allocateCiphertexts();
    arena.words(source, ring.n).set(sampleTernary(random, ring.n));
    ring.setSigned(source, u);
    ring.forward(u, false);
    ring.dot([u], [this.#key], zero);
    ring.add(target, zero, target);
    ring.add(ring.maskOf(target), ring.maskOf(zero), ring.maskOf(target));
    releaseCleared(source, ring.n);
    ring.clear(u);
    ring.release(u);
    ring.release(zero);
  }

  release(): void {
    this.ring.release(this.#key);
  }
}

/** Adds a fresh error to a polynomial's coefficients. */
export function addError(ring: Ring, random: RandomWords, poly: Polynomial): void {
  const error = allocateWords(ring.n);
  const residues = ring.allocate();
  sampleError(random, ring.n, error);
  ring.setSigned(error, residues);
  ring.add(poly, residues, poly);
  releaseCleared(error, ring.n);
  ring.clear(residues);
  ring.release(residues);
}

/** Overwrites secret words and gives their memory back. */
function releaseCleared(words: Words, count: number): void {
  const { arena } = nttKernel();
  arena.words(words, count).fill(0);
  arena.release(words);
}

/** 2^−exponent modulo each prime. */
export const halvings = (ring: Ring, exponent: number): number[] =>
  ring.primes.map((p) => {
    const half = (p + 1) / 2;
    let result = 1;
    for (let i = 0; i < exponent; i++) result = multiplyMod(result, half, p);
    return result;
  });

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
