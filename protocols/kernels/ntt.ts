/**
 * Polynomials over Z_p modulo X^n + 1 in the kernel's memory: the negacyclic NTT and what is done pointwise. assembly/ntt.ts
 * has the loops and their papers. This layer works on addresses of one arena; protocols/rlwe/ring.ts gives them meaning.
 *
 * A little over 350 lines: every export of one WebAssembly module is described here, with what lies at its addresses.
 */
import { Arena, type ArenaScope } from './arena.ts';
import wasm from './build/ntt.ts';
import { instantiateKernel } from './instance.ts';

declare const content: unique symbol;
/**
 * An address in the kernel's memory: a number that says what lies there, so that the compiler refuses one thing for
 * another. What is also something else names both: `Residues` are words as well. Nothing of it exists at run time.
 */
export type Address<Content extends string> = number & { readonly [content]: { readonly [K in Content]: true } };
/** Words of 32 bits, signed or not. */
export type Words = Address<'words'>;
/** Words of 64 bits. */
export type WideWords = Address<'wide words'>;
/** n words modulo one prime: a polynomial of `Ntt`. */
export type Residues = Address<'words' | 'residues'>;

/** What the module exports. Plain numbers are addresses of tables, lists of addresses, packed bytes and scratch. */
export interface NttExports {
  forward(poly: Residues, n: number, table: number, p: number, fromBlocks: number): void;
  inverse(
    poly: Residues,
    n: number,
    table: number,
    p: number,
    scale: number,
    scaleShoup: number,
    last: number,
    lastShoup: number,
  ): void;
  reduce(poly: Residues, n: number, p: number, one: number): void;
  residues(source: Words, target: Residues, n: number, p: number, one: number, wrap: number): void;
  dot2(
    list: number,
    terms: number,
    offset: number,
    n: number,
    outY: Residues,
    outZ: Residues,
    p: number,
    fold: number,
    foldShoup: number,
    one: number,
  ): void;
  shortProducts(
    sources: Words,
    length: number,
    terms: number,
    list: number,
    offset: number,
    n: number,
    table: number,
    p: number,
    one: number,
    wrap: number,
    fold: number,
    foldShoup: number,
    maximum: number,
    work: number,
    sums: number,
    outY: Residues,
    outZ: Residues,
  ): void;
  add(x: Residues, y: Residues, target: Residues, n: number, p: number): void;
  subtract(x: Residues, y: Residues, target: Residues, n: number, p: number): void;
  multiplyShoup(x: Residues, w: Residues, shoup: Residues, target: Residues, n: number, p: number): void;
  multiplyScalar(x: Residues, target: Residues, n: number, p: number, w: number, wShoup: number): void;
  fork(
    x: Residues,
    y: Residues,
    w: Residues,
    shoup: Residues,
    sum: Residues,
    difference: Residues,
    n: number,
    p: number,
  ): void;
  permute(source: Residues, order: Words, target: Residues, n: number): void;
  digit(
    source: Residues,
    target: Residues,
    n: number,
    p: number,
    offset: number,
    shift: number,
    mask: number,
    bias: number,
  ): void;
  encode(
    source: Words,
    target: Residues,
    n: number,
    bits: number,
    factor: number,
    p: number,
    scale: number,
    scaleShoup: number,
    one: number,
    wrap: number,
  ): void;
  centredBinomial(words: Words, target: Words, n: number): void;
  switchModulus(source: Residues, primes: number, constants: number, n: number, bits: number, target: WideWords): void;
  onCircle(
    source: Residues,
    primes: number,
    constants: number,
    n: number,
    ringBits: number,
    random: WideWords,
    step: number,
    words: Words,
    fractions: Words,
  ): void;
  pack32(source: Words, n: number, bits: number, target: number): void;
  unpack32(source: number, n: number, bits: number, target: Words): number;
  pack64(source: WideWords, n: number, bits: number, target: number): void;
  unpack64(source: number, n: number, bits: number, target: WideWords): void;
  residues64(source: WideWords, n: number, p: number, target: Residues): void;
  addResults(
    drawn: WideWords,
    polynomial: WideWords,
    places: Words,
    count: number,
    bits: number,
    sign: number,
    sums: WideWords,
  ): void;
  roundResults(sums: WideWords, count: number, bits: number, ringBits: number, out: Words): void;
  combine2(
    x1: Residues,
    x2: Residues,
    n: number,
    p1: number,
    p2: number,
    inverse1: number,
    inverse1Shoup: number,
    one2: number,
    target: WideWords,
  ): void;
}

let kernel: { arena: Arena; exports: NttExports } | undefined;

/** The one instance: its memory and its functions. */
export function nttKernel(): { arena: Arena; exports: NttExports } {
  if (kernel === undefined) {
    const arena = new Arena();
    kernel = { arena, exports: instantiateKernel<NttExports>(wasm, arena.memory) };
  }
  return kernel;
}

type Memory = Pick<ArenaScope, 'allocate'>;

/** Memory for 32-bit words, with undefined content: of a scope, or until `Arena.release`. */
export const allocateWords = (count: number, memory: Memory = nttKernel().arena): Words =>
  memory.allocate(4 * count) as Words;

/** Memory for 64-bit words, with undefined content: of a scope, or until `Arena.release`. */
export const allocateWideWords = (count: number, memory: Memory = nttKernel().arena): WideWords =>
  memory.allocate(8 * count) as WideWords;

/** ⌊w·2^32/p⌋, the companion of a constant factor w in [0, p), p < 2^30 (Shoup): two digits of a long division, exact in doubles. */
export function shoupOf(w: number, p: number): number {
  const high = Math.floor((w * 65536) / p);
  return high * 65536 + Math.floor(((w * 65536 - high * p) * 65536) / p);
}

/** a·b mod p for a, b, p below 2^30: in two steps that stay below 2^53. */
export const multiplyMod = (a: number, b: number, p: number): number =>
  (((a * (b >>> 15)) % p) * 32768 + a * (b & 32767)) % p;

/** base^exponent mod p. */
export function powerMod(base: number, exponent: number, p: number): number {
  let result = 1;
  let square = base % p;
  for (let e = exponent; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = multiplyMod(result, square, p);
    square = multiplyMod(square, square, p);
  }
  return result;
}

/** a⁻¹ mod the prime p. */
export const invertMod = (a: number, p: number): number => powerMod(a % p, p - 2, p);

/** Products of short polynomials; assembly/ntt.ts says what lies where. */
export interface ShortProducts {
  /** The short polynomials' coefficients, signed, `length` each. */
  readonly sources: Words;
  readonly length: number;
  /** How many polynomials. */
  readonly terms: number;
  /** Addresses of the transformed polynomials y and z of each term. */
  readonly list: number;
  /** What this prime's residues lie beyond the addresses in `list`, in bytes. */
  readonly offset: number;
  /** `shortProductsBytes(n)` bytes. */
  readonly work: number;
}

/** Memory that `Ntt.shortProducts` works in: eight polynomials, and sums of 64 bits. */
export const shortProductsBytes = (n: number): number => 8 * (4 * n + 64) + 16 * n;

/** The transform for one n and one prime; its tables stay in the kernel's memory (about 32·n bytes). */
export class Ntt {
  /** ⌊2^32/p⌋. */
  readonly one: number;
  /** −2^32 mod p. */
  readonly wrap: number;
  /** 2^32 mod p and its companion. */
  readonly fold: number;
  readonly foldShoup: number;
  readonly #forward: number;
  readonly #inverse: number;
  readonly #scale: readonly [number, number, number, number];
  /** Where the value at ψ^(2i+1) stands, i < n; see `exponents`. */
  #exponents: Uint32Array | undefined;
  readonly #psi: number;

  /**
   * @param n a power of two from 16 to 2^15.
   * @param p a prime below 2^30, 1 mod 2n.
   * @throws RangeError otherwise.
   */
  constructor(
    readonly n: number,
    readonly p: number,
  ) {
    if (!Number.isInteger(Math.log2(n)) || n < 16 || n > 2 ** 15)
      throw new RangeError(`n: expected a power of two from 16 to 2^15, got ${n}`);
    if (!Number.isInteger(p) || p >= 2 ** 30 || p % (2 * n) !== 1 || !isPrime(p)) {
      throw new RangeError(`p: expected a prime below 2^30 and 1 mod ${2 * n}, got ${p}`);
    }
    this.one = Math.floor(2 ** 32 / p);
    this.fold = 2 ** 32 % p;
    this.foldShoup = shoupOf(this.fold, p);
    this.wrap = p - this.fold;
    this.#psi = primitiveRoot(2 * n, p);
    const inversePsi = invertMod(this.#psi, p);
    this.#forward = this.#table(this.#psi);
    this.#inverse = this.#table(inversePsi);
    const scale = invertMod(n, p);
    const last = multiplyMod(scale, powerMod(inversePsi, n / 2, p), p);
    this.#scale = [scale, shoupOf(scale, p), last, shoupOf(last, p)];
  }

  /** Entries below 2p; see the kernel for the range of the results (`reduce` brings them to [0, p)). */
  forward(poly: Residues): void {
    kernel!.exports.forward(poly, this.n, this.#forward, this.p, 1);
  }

  /** Σ x_i·y_i and Σ x_i·z_i of short polynomials in coefficients by transformed ones. */
  shortProducts(products: ShortProducts, outY: Residues, outZ: Residues): void {
    const { sources, length, terms, list, offset, work } = products;
    const { n, p, one, wrap, fold, foldShoup } = this;
    const maximum = Math.floor(2 ** 32 / p) - 1;
    kernel!.exports.shortProducts(
      sources,
      length,
      terms,
      list,
      offset,
      n,
      this.#forward,
      p,
      one,
      wrap,
      fold,
      foldShoup,
      maximum,
      work,
      work + 8 * (4 * n + 64),
      outY,
      outZ,
    );
  }

  /** Σ x_i·y_i and Σ x_i·z_i of transformed polynomials: triples of addresses at `list`, plus `offset` bytes each. */
  dot({ list, terms, offset }: Pick<ShortProducts, 'list' | 'terms' | 'offset'>, outY: Residues, outZ: Residues): void {
    const { n, p, one, fold, foldShoup } = this;
    kernel!.exports.dot2(list, terms, offset, n, outY, outZ, p, fold, foldShoup, one);
  }

  /** Residues of round(q·m/2^bits), m being n words modulo 2^bits. @param factor q mod 2^bits. */
  encode(source: Words, bits: number, factor: number, target: Residues): void {
    const { n, p, one, wrap } = this;
    // A power of two up to 2^32 is below 2^53: its residue is exact.
    const scale = p - invertMod(2 ** bits % p, p);
    kernel!.exports.encode(source, target, n, bits, factor, p, scale, shoupOf(scale, p), one, wrap);
  }

  /** Entries below 2p, results in [0, p). */
  inverse(poly: Residues): void {
    kernel!.exports.inverse(poly, this.n, this.#inverse, this.p, ...this.#scale);
  }

  reduce(poly: Residues): void {
    kernel!.exports.reduce(poly, this.n, this.p, this.one);
  }

  /** For each place of a transformed polynomial, the odd e with value = f(ψ^e). */
  get exponents(): Uint32Array {
    if (this.#exponents === undefined) {
      const { arena } = nttKernel();
      const { n, p } = this;
      const poly = arena.allocate(4 * n) as Residues;
      const words = arena.words(poly, n);
      words.fill(0);
      words[1] = 1;
      this.forward(poly);
      this.reduce(poly);
      const exponentOf = new Map<number, number>();
      let power = this.#psi;
      const square = multiplyMod(power, power, p);
      for (let e = 1; e < 2 * n; e += 2) {
        exponentOf.set(power, e);
        power = multiplyMod(power, square, p);
      }
      this.#exponents = Uint32Array.from(arena.words(poly, n), (value) => exponentOf.get(value)!);
      arena.release(poly);
    }
    return this.#exponents;
  }

  #table(psi: number): number {
    const { arena } = nttKernel();
    const { n, p } = this;
    const bits = Math.log2(n);
    const powers = new Uint32Array(n);
    let power = 1;
    for (let i = 0; i < n; i++) {
      powers[reverseBits(i, bits)] = power;
      power = multiplyMod(power, psi, p);
    }
    const address = arena.allocate(4 * (2 * n + 2 * n));
    const words = arena.words(address, 4 * n);
    const shoup = powers.map((w) => shoupOf(w, p));
    words.set(powers, 0);
    words.set(shoup, n);
    for (let octet = 0, at = 2 * n; octet < n / 8; octet++) {
      const two = n / 4 + 2 * octet;
      const one = n / 2 + 4 * octet;
      for (const index of [
        [two, two, two + 1, two + 1],
        [one, one + 2, one + 1, one + 3],
      ]) {
        for (const source of [powers, shoup]) for (const i of index) words[at++] = source[i];
      }
    }
    return address;
  }
}

function reverseBits(x: number, bits: number): number {
  let result = 0;
  for (let i = 0; i < bits; i++) result |= ((x >> i) & 1) << (bits - 1 - i);
  return result;
}

/** A primitive root of unity of the given order, a power of two. */
function primitiveRoot(order: number, p: number): number {
  for (let candidate = 2; ; candidate++) {
    const root = powerMod(candidate, (p - 1) / order, p);
    if (powerMod(root, order / 2, p) === p - 1) return root;
  }
}

function isPrime(p: number): boolean {
  for (let d = 3; d * d <= p; d += 2) if (p % d === 0) return false;
  return p > 2 && p % 2 === 1;
}
