import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocateWords,
  Ntt,
  nttKernel,
  type Residues,
  shortProductsBytes,
  type WideWords,
} from '../../protocols/kernels/ntt.ts';
import { modulo, multiplyNegacyclic } from '../twins/ntt.ts';

const { arena, exports } = nttKernel();
const big = (words: Iterable<number>) => Array.from(words, BigInt);

/** Runs `work` with `count` polynomials of n words. */
function withPolynomials<T>(n: number, count: number, work: (addresses: Residues[]) => T): T {
  const addresses = Array.from({ length: count }, () => arena.allocate(4 * n + 64) as Residues);
  try {
    return work(addresses);
  } finally {
    for (const address of addresses) arena.release(address);
  }
}

function multiply(ntt: Ntt, x: Uint32Array, y: Uint32Array): Uint32Array {
  const { n } = ntt;
  return withPolynomials(n, 4, ([a, b, product, list]) => {
    arena.words(a, n).set(x);
    arena.words(b, n).set(y);
    ntt.forward(a);
    ntt.forward(b);
    ntt.reduce(b);
    arena.words(list, 3).set([a, b, b]);
    ntt.dot({ list, terms: 1, offset: 0 }, product, product);
    ntt.inverse(product);
    return arena.words(product, n).slice();
  });
}

// n = 16 and 32 have an even and an odd number of layers; primes below 2^27 take the path without reductions.
const small = [
  new Ntt(16, 97),
  new Ntt(32, 193),
  new Ntt(16, 1073692673),
  new Ntt(32, 1073692673),
  new Ntt(64, 134176769),
];

describe('negacyclic NTT', () => {
  it.each(small.map((ntt) => [ntt.n, ntt.p, ntt] as const))(
    'n = %i, p = %i: equals the schoolbook product',
    (n, p, ntt) => {
      const entry = fc.oneof(fc.integer({ min: 0, max: p - 1 }), fc.constantFrom(0, 1, p - 1));
      const poly = fc.array(entry, { minLength: n, maxLength: n }).map((values) => Uint32Array.from(values));
      fc.assert(
        fc.property(poly, poly, (x, y) => {
          expect(big(multiply(ntt, x, y))).toEqual(multiplyNegacyclic(big(x), big(y), BigInt(p)));
        }),
      );
    },
  );

  it.each([
    [2048, 134176769],
    [2048, 1073692673],
    [4096, 16760833],
    [4096, 1073692673],
    [8192, 133857281],
    [8192, 1073692673],
  ])('n = %i, p = %i: equals the schoolbook product where one factor is sparse, at the extremes', (n, p) => {
    const ntt = new Ntt(n, p);
    const x = new Uint32Array(n).fill(p - 1);
    for (let i = 0; i < n; i += 3) x[i] = (Math.imul(i, 2654435761) >>> 0) % p;
    const y = new Uint32Array(n);
    for (const i of [0, 1, 5, n / 2, n - 1]) y[i] = p - 1 - i;
    expect(big(multiply(ntt, x, y))).toEqual(multiplyNegacyclic(big(y), big(x), BigInt(p)));
  });

  it('undoes itself', () => {
    for (const [n, p] of [
      [2048, 134176769],
      [4096, 1073692673],
      [8192, 133857281],
    ] as const) {
      const ntt = new Ntt(n, p);
      const x = Uint32Array.from({ length: n }, (_, i) => (i === 0 ? p - 1 : (Math.imul(i, 2654435761) >>> 0) % p));
      withPolynomials(n, 1, ([a]) => {
        arena.words(a, n).set(x);
        ntt.forward(a);
        ntt.reduce(a);
        ntt.inverse(a);
        expect(arena.words(a, n)).toEqual(x);
      });
    }
  });

  it.each([
    [2048, 134176769, 4, 1],
    [2048, 134176769, 32, 9],
    [2048, 134176769, 2048, 2],
    [4096, 16760833, 64, 40],
    [4096, 1073692673, 16, 8],
  ])('n = %i, p = %i: products by %i coefficients, %i of them, at the extremes', (n, p, length, terms) => {
    const ntt = new Ntt(n, p);
    const bigP = BigInt(p);
    withPolynomials(n, 4, ([y, z, outY, outZ]) => {
      arena.words(y, n).fill(p - 1);
      arena.words(z, n).fill(1);
      const sources = allocateWords(length * terms);
      const words = Int32Array.from({ length: length * terms }, (_, i) =>
        i % 3 === 0 ? -(2 ** 31) : i % 3 === 1 ? 2 ** 31 - 1 : Math.imul(i, 2654435761),
      );
      new Int32Array(arena.memory.buffer, sources, words.length).set(words);
      const list = arena.allocate(8 * terms);
      arena.words(list, 2 * terms).set(Array.from({ length: terms }, () => [y, z]).flat());
      const work = arena.allocate(shortProductsBytes(n));
      ntt.shortProducts({ sources, length, terms, list, offset: 0, work }, outY, outZ);
      ntt.inverse(outY);
      ntt.inverse(outZ);
      // Values of 1 everywhere are the constant 1, values of −1 the constant −1: the sums come back.
      const sums = Array.from({ length: n }, (_, i) => {
        let sum = 0n;
        if (i < length) for (let term = 0; term < terms; term++) sum += BigInt(words[term * length + i]);
        return sum;
      });
      expect(big(arena.words(outZ, n))).toEqual(sums.map((sum) => modulo(sum, bigP)));
      expect(big(arena.words(outY, n))).toEqual(sums.map((sum) => modulo(-sum, bigP)));
      for (const address of [sources, list, work]) arena.release(address);
    });
  });

  it('knows where each point stands', () => {
    const ntt = new Ntt(2048, 134176769);
    expect(new Set(ntt.exponents).size).toBe(2048);
    expect(ntt.exponents.every((e) => e % 2 === 1 && e < 4096)).toBe(true);
  });

  it('refuses what is not a prime for this n', () => {
    expect(() => new Ntt(2048, 134176769 + 2)).toThrow('p: expected a prime below 2^30 and 1 mod 4096, got 134176771');
    expect(() => new Ntt(2048, 4097)).toThrow(RangeError); // 17 · 241
    expect(() => new Ntt(1000, 134176769)).toThrow('n: expected a power of two from 16 to 2^15, got 1000');
  });
});

describe('pointwise kernels', () => {
  const n = 64;
  const p = 1073692673;
  const ntt = new Ntt(n, p);
  const residues = fc
    .array(fc.integer({ min: 0, max: p - 1 }), { minLength: n, maxLength: n })
    .map((v) => Uint32Array.from(v));
  const words = fc
    .array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: n, maxLength: n })
    .map((v) => Uint32Array.from(v));

  it('add, subtract', () => {
    fc.assert(
      fc.property(residues, residues, (x, y) => {
        withPolynomials(n, 3, ([a, b, c]) => {
          arena.words(a, n).set(x);
          arena.words(b, n).set(y);
          exports.add(a, b, c, n, p);
          expect(big(arena.words(c, n))).toEqual(big(x).map((value, i) => (value + BigInt(y[i])) % BigInt(p)));
          exports.subtract(a, b, c, n, p);
          expect(big(arena.words(c, n))).toEqual(big(x).map((value, i) => modulo(value - BigInt(y[i]), BigInt(p))));
        });
      }),
    );
  });

  it('digits of the centred residue add up to it', () => {
    fc.assert(
      fc.property(residues, fc.constantFrom([10, 3], [15, 2], [30, 1]), (x, [bits, count]) => {
        withPolynomials(n, 2, ([a, b]) => {
          arena.words(a, n).set(x);
          const half = 2 ** (bits - 1);
          let offset = 0;
          for (let k = 0; k < count; k++) offset += half * 2 ** (k * bits);
          const sums = new Array<number>(n).fill(0);
          for (let k = 0; k < count; k++) {
            const mask = k === count - 1 ? 0xffffffff : 2 ** bits - 1;
            exports.digit(a, b, n, p, offset, k * bits, mask, p - half);
            const digits = Array.from(arena.words(b, n), (word) => word - p);
            expect(Math.max(...digits.map(Math.abs))).toBeLessThanOrEqual(half);
            digits.forEach((digit, i) => (sums[i] += digit * 2 ** (k * bits)));
          }
          expect(sums).toEqual(Array.from(x, (value) => (value > p >> 1 ? value - p : value)));
        });
      }),
    );
  });

  it('residues of signed words, and of any representative', () => {
    fc.assert(
      fc.property(words, (x) => {
        withPolynomials(n, 2, ([a, b]) => {
          arena.words(a, n).set(x);
          exports.residues(a, b, n, p, ntt.one, ntt.wrap);
          expect(big(arena.words(b, n))).toEqual(Array.from(x, (v) => modulo(BigInt(v | 0), BigInt(p))));
          ntt.reduce(a);
          expect(big(arena.words(a, n))).toEqual(Array.from(x, (v) => BigInt(v % p)));
        });
      }),
    );
  });

  it('packs and unpacks words of any width', () => {
    fc.assert(
      fc.property(
        words,
        words,
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 33, max: 57 }),
        (x, y, bits, wide) => {
          withPolynomials(4 * n, 2, ([a, b]) => {
            const narrow = x.map((v) => (bits === 32 ? v : v % 2 ** bits));
            arena.words(a, n).set(narrow);
            arena.words(b, 4 * n).fill(0);
            exports.pack32(a, n, bits, b);
            expect(exports.unpack32(b, n, bits, a) >>> 0).toBe(Math.max(...narrow));
            expect(arena.words(a, n)).toEqual(narrow);

            const pairs = Uint32Array.from({ length: 2 * n }, (_, i) =>
              i % 2 === 0 ? x[i / 2] : y[(i - 1) / 2] % 2 ** (wide - 32),
            );
            arena.words(a, 2 * n).set(pairs);
            arena.words(b, 4 * n).fill(0);
            const wideWords = a as number as WideWords;
            exports.pack64(wideWords, n, wide, b);
            exports.unpack64(b, n, wide, wideWords);
            expect(arena.words(a, 2 * n)).toEqual(pairs);
          });
        },
      ),
    );
  });
});
