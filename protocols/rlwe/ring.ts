/**
 * Z_q[X]/(X^n + 1) with q = Π p_i in residues (RNS). A polynomial is an address in the kernel's memory: n words for each
 * prime, one prime after another; a ciphertext (b, a) is two polynomials one after the other. Its phase is b − a·s.
 */
import {
  type Address,
  Ntt,
  nttKernel,
  type Residues,
  shortProductsBytes,
  shoupOf,
  type Words,
} from '../kernels/ntt.ts';
import type { Parameters } from './parameters.ts';

/** Address of a polynomial in the kernel's memory: its residues modulo each prime of its ring. */
export type Polynomial = Address<'polynomial'>;
/** Address of a ciphertext, and of its b; its a is at `Ring.maskOf`. */
export type Ciphertext = Address<'polynomial' | 'ciphertext'>;
/** Address of a transformed polynomial to multiply by; its companions (see `shoupOf`) are at `Ring.companionsOf`. */
export type Factor = Address<'polynomial' | 'factor'>;

const rings = new Map<Parameters, Ring>();

export class Ring {
  readonly n: number;
  readonly primes: readonly number[];
  readonly ntts: readonly Ntt[];
  /**
   * A polynomial's size, 64 bytes more than its words: where many polynomials are read side by side, addresses that agree
   * modulo 4096 would push one another out of the first-level cache (measured: four times slower).
   */
  readonly bytesPerPolynomial: number;
  /** How many products of a transformed and a reduced entry fit a sum of 64 bits. */
  readonly #maximumTerms: number;
  readonly #bytesPerResidue: number;
  /** Monomials and permutations, by exponent; kept. */
  readonly #monomials = new Map<number, Factor>();
  readonly #orders = new Map<number, Polynomial>();
  #lists: { address: number; terms: number } | undefined;
  #work: number | undefined;
  #switching: { readonly digits: readonly Polynomial[]; readonly work: Ciphertext } | undefined;

  /** One ring for each parameter set: its tables are kept. */
  static of(parameters: Parameters): Ring {
    let ring = rings.get(parameters);
    if (ring === undefined) rings.set(parameters, (ring = new Ring(parameters)));
    return ring;
  }

  private constructor(readonly parameters: Parameters) {
    nttKernel();
    this.n = parameters.degree;
    this.primes = parameters.primes;
    this.ntts = parameters.primes.map((p) => new Ntt(this.n, p));
    this.#bytesPerResidue = 4 * this.n;
    this.bytesPerPolynomial = this.#bytesPerResidue * this.primes.length + 64;
    this.#maximumTerms = Math.min(...this.primes.map((p) => Math.floor(2 ** 32 / p)));
  }

  /** A polynomial with undefined content, like all that is allocated here. */
  allocate(): Polynomial {
    return this.#allocate(1) as Polynomial;
  }

  /** `count` ciphertexts side by side, see `ciphertextAt`; given back together. @returns the first. */
  allocateCiphertexts(count = 1): Ciphertext {
    return this.#allocate(2 * count) as Ciphertext;
  }

  allocateFactor(): Factor {
    return this.#allocate(2) as Factor;
  }

  #allocate(polynomials: number): number {
    return nttKernel().arena.allocate(polynomials * this.bytesPerPolynomial);
  }

  /** Gives back what was allocated here. */
  release(address: Polynomial): void {
    nttKernel().arena.release(address);
  }

  /** One of those that `allocateCiphertexts` put side by side. */
  ciphertextAt(first: Ciphertext, index: number): Ciphertext {
    return (first + 2 * index * this.bytesPerPolynomial) as Ciphertext;
  }

  /** The a of a ciphertext. */
  maskOf(ciphertext: Ciphertext): Polynomial {
    return (ciphertext + this.bytesPerPolynomial) as Polynomial;
  }

  companionsOf(factor: Factor): Polynomial {
    return (factor + this.bytesPerPolynomial) as Polynomial;
  }

  /** The words of one prime; valid until the next allocation. */
  residue(poly: Polynomial, prime: number): Uint32Array {
    return nttKernel().arena.words(poly + this.#bytesPerResidue * prime, this.n);
  }

  residueAddress(poly: Polynomial, prime: number): Residues {
    return (poly + this.#bytesPerResidue * prime) as Residues;
  }

  /** Residues, prime after prime. */
  write(residues: Uint32Array, target: Polynomial): void {
    nttKernel()
      .arena.words(target, this.n * this.primes.length)
      .set(residues);
  }

  clear(poly: Polynomial, polynomials = 1): void {
    nttKernel()
      .arena.words(poly, (polynomials * this.bytesPerPolynomial) / 4)
      .fill(0);
  }

  copy(from: Polynomial, to: Polynomial, polynomials = 1): void {
    const { memory } = nttKernel().arena;
    new Uint8Array(memory.buffer).copyWithin(to, from, from + polynomials * this.bytesPerPolynomial);
  }

  /** Residues, in [0, p), of the n signed words at `source`. */
  setSigned(source: Words, poly: Polynomial): void {
    const { exports } = nttKernel();
    for (const [i, { p, one, wrap }] of this.ntts.entries()) {
      exports.residues(source, this.residueAddress(poly, i), this.n, p, one, wrap);
    }
  }

  /** Transforms in place; results are any 32-bit representatives unless `reduced`. */
  forward(poly: Polynomial, reduced: boolean): void {
    this.ntts.forEach((ntt, i) => {
      const at = this.residueAddress(poly, i);
      ntt.forward(at);
      if (reduced) ntt.reduce(at);
    });
  }

  /** Transforms back in place. */
  inverse(poly: Polynomial): void {
    for (const [i, ntt] of this.ntts.entries()) ntt.inverse(this.residueAddress(poly, i));
  }

  add(x: Polynomial, y: Polynomial, target: Polynomial): void {
    const { exports } = nttKernel();
    this.primes.forEach((p, i) => {
      exports.add(this.residueAddress(x, i), this.residueAddress(y, i), this.residueAddress(target, i), this.n, p);
    });
  }

  subtract(x: Polynomial, y: Polynomial, target: Polynomial): void {
    const { exports } = nttKernel();
    this.primes.forEach((p, i) => {
      exports.subtract(this.residueAddress(x, i), this.residueAddress(y, i), this.residueAddress(target, i), this.n, p);
    });
  }

  /** Makes a factor of what stands at its place, transformed and in [0, p): writes the companions. */
  setCompanions(factor: Factor): void {
    this.primes.forEach((p, i) => {
      const values = this.residue(factor, i);
      this.residue(this.companionsOf(factor), i).set(values.map((w) => shoupOf(w, p)));
    });
  }

  /** x·w pointwise; any representatives of x. */
  multiply(x: Polynomial, w: Factor, target: Polynomial): void {
    const { exports } = nttKernel();
    this.primes.forEach((p, i) => {
      const [xi, wi, ci, ti] = [x, w, this.companionsOf(w), target].map((poly) => this.residueAddress(poly, i));
      exports.multiplyShoup(xi, wi, ci, ti, this.n, p);
    });
  }

  /** x times a number, given by its residues. */
  multiplyScalar(x: Polynomial, residues: readonly number[], target: Polynomial): void {
    const { exports } = nttKernel();
    this.primes.forEach((p, i) => {
      const w = residues[i];
      exports.multiplyScalar(this.residueAddress(x, i), this.residueAddress(target, i), this.n, p, w, shoupOf(w, p));
    });
  }

  /**
   * target = Σ x_i·(b_i, a_i) for transformed polynomials: x in any representatives, b and a in [0, p).
   * @param ciphertexts as many as `xs`.
   */
  dot(xs: readonly Polynomial[], ciphertexts: readonly Ciphertext[], target: Ciphertext): void {
    const { arena } = nttKernel();
    const count = xs.length;
    if (count > this.#maximumTerms) {
      const head = this.#maximumTerms;
      const part = this.allocateCiphertexts();
      this.dot(xs.slice(0, head), ciphertexts.slice(0, head), target);
      this.dot(xs.slice(head), ciphertexts.slice(head), part);
      this.add(target, part, target);
      this.add(this.maskOf(target), this.maskOf(part), this.maskOf(target));
      this.release(part);
      return;
    }
    if (this.#lists === undefined || this.#lists.terms < count) {
      if (this.#lists !== undefined) arena.release(this.#lists.address);
      this.#lists = { address: arena.allocate(12 * count), terms: count };
    }
    const list = this.#lists.address;
    const triples = arena.words(list, 3 * count);
    xs.forEach((x, i) => triples.set([x, ciphertexts[i], this.maskOf(ciphertexts[i])], 3 * i));
    const mask = this.maskOf(target);
    this.ntts.forEach((ntt, i) => {
      const offset = this.#bytesPerResidue * i;
      ntt.dot({ list, terms: count, offset }, this.residueAddress(target, i), this.residueAddress(mask, i));
    });
  }

  /**
   * target = Σ x_i·(b_i, a_i) for ciphertexts (b, a) and x_i given by the first `length` coefficients (a power of two,
   * at least 4): signed words at `sources`, one polynomial after another.
   */
  shortProducts(sources: Words, length: number, ciphertexts: readonly Ciphertext[], target: Ciphertext): void {
    const { arena } = nttKernel();
    this.#work ??= arena.allocate(shortProductsBytes(this.n));
    const count = ciphertexts.length;
    const work = this.#work;
    arena.scope((scope) => {
      const list = scope.allocate(8 * count);
      const pairs = arena.words(list, 2 * count);
      ciphertexts.forEach((ciphertext, i) => pairs.set([ciphertext, this.maskOf(ciphertext)], 2 * i));
      const mask = this.maskOf(target);
      for (const [i, ntt] of this.ntts.entries()) {
        const products = { sources, length, terms: count, list, offset: this.#bytesPerResidue * i, work };
        ntt.shortProducts(products, this.residueAddress(target, i), this.residueAddress(mask, i));
      }
    });
  }

  /** sum = x + y·X^exponent, difference = x − y·X^exponent, on transformed ciphertexts. */
  fork(x: Ciphertext, y: Ciphertext, exponent: number, sum: Ciphertext, difference: Ciphertext): void {
    const { exports } = nttKernel();
    const monomial = this.#monomial(exponent);
    const companions = this.companionsOf(monomial);
    for (const half of [(c: Ciphertext) => c, (c: Ciphertext) => this.maskOf(c)]) {
      this.primes.forEach((p, i) => {
        const [xi, yi, si, di] = [x, y, sum, difference].map((c) => this.residueAddress(half(c), i));
        const [w, shoup] = [this.residueAddress(monomial, i), this.residueAddress(companions, i)];
        exports.fork(xi, yi, w, shoup, si, di, this.n, p);
      });
    }
  }

  /** f(X^g) of a transformed polynomial; `target` is another one. */
  permute(source: Polynomial, g: number, target: Polynomial): void {
    const { exports } = nttKernel();
    const order = this.#order(g);
    this.primes.forEach((_, i) => {
      exports.permute(
        this.residueAddress(source, i),
        this.residueAddress(order, i),
        this.residueAddress(target, i),
        this.n,
      );
    });
  }

  /** Where a key switch works, one at a time: a transformed polynomial for each digit, and two more; kept. */
  switching(digits: number): { readonly digits: readonly Polynomial[]; readonly work: Ciphertext } {
    this.#switching ??= {
      digits: Array.from({ length: digits }, () => this.allocate()),
      work: this.allocateCiphertexts(),
    };
    return this.#switching;
  }

  /** X^exponent transformed. */
  #monomial(exponent: number): Factor {
    let monomial = this.#monomials.get(exponent);
    if (monomial === undefined) {
      monomial = this.allocateFactor();
      this.clear(monomial, 2);
      for (let i = 0; i < this.primes.length; i++) this.residue(monomial, i)[exponent] = 1;
      this.forward(monomial, true);
      this.setCompanions(monomial);
      this.#monomials.set(exponent, monomial);
    }
    return monomial;
  }

  /** For each prime, where the value at ψ^(e·g) stands for each place's e: f(X^g) takes it. */
  #order(g: number): Polynomial {
    let order = this.#orders.get(g);
    if (order === undefined) {
      order = this.allocate();
      this.ntts.forEach((ntt, i) => {
        const { exponents } = ntt;
        const places = new Uint32Array(2 * this.n);
        for (let place = 0; place < this.n; place++) places[exponents[place]] = place;
        this.residue(order!, i).set(exponents.map((e) => places[(e * g) % (2 * this.n)]));
      });
      this.#orders.set(g, order);
    }
    return order;
  }
}
