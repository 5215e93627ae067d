/**
 * Z_q[X]/(X^n + 1) with q = Π p_i in residues (RNS). A polynomial is an address in the kernel's memory: n words for each
 * prime, one prime after another; a ciphertext (b, a) is two polynomials one after the other. Its phase is b − a·s.
 */
import { Ntt, nttKernel, shortProductsBytes, shoupOf } from '../kernels/ntt.ts';
import type { Parameters } from './parameters.ts';

/** Address of a polynomial in the kernel's memory. */
export type Polynomial = number;
/** Address of a ciphertext's b; its a is `Ring.bytesPerPolynomial` further. */
export type Ciphertext = number;

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
  readonly #monomials = new Map<number, Polynomial>();
  readonly #orders = new Map<number, number>();
  #lists: { address: number; terms: number } | undefined;
  #work: number | undefined;

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

  allocate(polynomials = 1): Polynomial {
    return nttKernel().arena.allocate(polynomials * this.bytesPerPolynomial);
  }

  /** Gives back what `allocate` returned. */
  release(address: number): void {
    nttKernel().arena.release(address);
  }

  /** The a of a ciphertext. */
  maskOf(ciphertext: Ciphertext): Polynomial {
    return ciphertext + this.bytesPerPolynomial;
  }

  /** The words of one prime; valid until the next allocation. */
  residue(poly: Polynomial, prime: number): Uint32Array {
    return nttKernel().arena.words(poly + this.#bytesPerResidue * prime, this.n);
  }

  residueAddress(poly: Polynomial, prime: number): number {
    return poly + this.#bytesPerResidue * prime;
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
  setSigned(source: number, poly: Polynomial): void {
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

  /** Writes the companions of a transformed polynomial's values (see `shoupOf`) at `target`. */
  companions(poly: Polynomial, target: Polynomial): void {
    this.primes.forEach((p, i) => {
      const values = this.residue(poly, i);
      this.residue(target, i).set(values.map((w) => shoupOf(w, p)));
    });
  }

  /** x·w pointwise, w given with its companions; any representatives of x. */
  multiply(x: Polynomial, w: Polynomial, companions: Polynomial, target: Polynomial): void {
    const { exports } = nttKernel();
    this.primes.forEach((p, i) => {
      const [xi, wi, ci, ti] = [x, w, companions, target].map((poly) => this.residueAddress(poly, i));
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
   * @param terms triples of addresses x, b, a.
   * @param target a ciphertext.
   */
  dot(terms: ArrayLike<number>, target: Ciphertext): void {
    const { arena, exports } = nttKernel();
    const count = terms.length / 3;
    if (count > this.#maximumTerms) {
      const head = 3 * this.#maximumTerms;
      const part = this.allocate(2);
      this.dot(Array.prototype.slice.call(terms, 0, head), target);
      this.dot(Array.prototype.slice.call(terms, head), part);
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
    arena.words(list, 3 * count).set(terms);
    this.ntts.forEach(({ p, fold, foldShoup, one }, i) => {
      const offset = this.#bytesPerResidue * i;
      exports.dot2(list, count, offset, this.n, target + offset, this.maskOf(target) + offset, p, fold, foldShoup, one);
    });
  }

  /**
   * target = Σ x_i·(b_i, a_i) for ciphertexts (b, a) and x_i given by their first `length` coefficients (a power of two, at least 4): signed words at
   * `sources`, one polynomial after another.
   * @param pairs addresses b, a for each i.
   */
  shortProducts(sources: number, length: number, pairs: Uint32Array, target: Ciphertext): void {
    const { arena } = nttKernel();
    this.#work ??= arena.allocate(shortProductsBytes(this.n));
    const list = arena.allocate(4 * pairs.length);
    arena.words(list, pairs.length).set(pairs);
    for (const [i, ntt] of this.ntts.entries()) {
      const offset = this.#bytesPerResidue * i;
      const [outB, outA] = [target + offset, this.maskOf(target) + offset];
      ntt.shortProducts(sources, length, pairs.length / 2, list, offset, this.#work, outB, outA);
    }
    arena.release(list);
  }

  /** sum = x + y·X^exponent, difference = x − y·X^exponent, on transformed ciphertexts. */
  fork(x: Ciphertext, y: Ciphertext, exponent: number, sum: Ciphertext, difference: Ciphertext): void {
    const { exports } = nttKernel();
    const monomial = this.#monomial(exponent);
    for (let half = 0; half < 2; half++) {
      const shift = half * this.bytesPerPolynomial;
      this.primes.forEach((p, i) => {
        const offset = shift + this.#bytesPerResidue * i;
        const w = this.residueAddress(monomial, i);
        exports.fork(
          x + offset,
          y + offset,
          w,
          w + this.bytesPerPolynomial,
          sum + offset,
          difference + offset,
          this.n,
          p,
        );
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
        order + this.#bytesPerResidue * i,
        this.residueAddress(target, i),
        this.n,
      );
    });
  }

  /** X^exponent transformed, followed by its companions. */
  #monomial(exponent: number): Polynomial {
    let monomial = this.#monomials.get(exponent);
    if (monomial === undefined) {
      monomial = this.allocate(2);
      this.clear(monomial, 2);
      for (let i = 0; i < this.primes.length; i++) this.residue(monomial, i)[exponent] = 1;
      this.forward(monomial, true);
      this.companions(monomial, monomial + this.bytesPerPolynomial);
      this.#monomials.set(exponent, monomial);
    }
    return monomial;
  }

  /** For each prime, where the value at ψ^(e·g) stands for each place's e: f(X^g) takes it. */
  #order(g: number): number {
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
