/**
 * Products of the client's and the owner's ring elements from correlated OTs: Gilboa, "Two party RSA key generation" (CRYPTO 1999),
 * §4.1, with COTs. Bit b of the owner's factor ρ chooses between r_b and r_b + c; only ringBits − b bits of either matter.
 *
 * Computes: additive shares of c·ρ mod 2^ringBits for each pair. Nobody learns anything.
 * Per product: ringBits COTs; owner → client ringBits bits (choices ⊕ random choices), then client → owner
 * ringBits·(ringBits + 1)/2 bits.
 * The shares are pseudorandom by the hash of kernels/cot.ts, one index per COT.
 */
import type { CotKernel } from '../../kernels/cot.ts';
import { packedBytes } from '../../sharing/packing.ts';
import { keyText, requireWords, type SquareSpec, type SumOfSquaresSpec } from '../correlations.ts';
import {
  type ClientContext,
  type ClientHalf,
  noCost,
  type OtKind,
  type OwnerContext,
  type OwnerHalf,
  type PieceCost,
} from './kind.ts';

/** Element-wise products, of which each `terms` in a row are summed, times 2. */
interface Products {
  /** Ring of the products: what doubling drops need not be computed. */
  readonly ringBits: number;
  readonly count: number;
  readonly terms: number;
}

const costOf = (ringBits: number, count: number): PieceCost => ({
  ...noCost,
  cots: count * ringBits,
  chooseBytes: packedBytes(count, ringBits),
  answerBytes: packedBytes(count, (ringBits * (ringBits + 1)) / 2),
});

/** The kernels write and read whole words. */
const wordSlack = 8;

/** Products `from` … `from + count − 1`, of which a party has the factors, and to whose `share` it adds its own. */
interface Piece {
  readonly products: Products;
  readonly factors: Uint32Array;
  readonly share: Uint32Array;
  readonly from: number;
  readonly count: number;
}

function answerProducts(piece: Piece, { kernel, cots, delta, tweaks }: ClientContext, choose: Uint8Array): Uint8Array {
  return kernel.arena.scope((scope) => {
    const { count, products } = piece;
    const { ringBits } = products;
    const { answerBytes } = costOf(ringBits, count);
    const factors = scope.adopt(putFactors(kernel, piece));
    const flips = scope.adopt(kernel.put(choose, wordSlack));
    const message = scope.allocate(answerBytes + wordSlack);
    const shares = scope.allocate(4 * count);
    kernel.gilboaSend(tweaks.take('output'), { keys: cots, factors, count, ringBits, flips, shares }, delta, message);
    addShares(piece, kernel.words(shares, count));
    return kernel.bytes(message, answerBytes).slice();
  });
}

/** The owner's side of `answerProducts`, before the answer. */
function chooseProducts(piece: Piece, { kernel, cots, tweaks }: OwnerContext): Uint8Array {
  return kernel.arena.scope((scope) => {
    const { count, products } = piece;
    const { ringBits } = products;
    const { chooseBytes } = costOf(ringBits, count);
    const factors = scope.adopt(putFactors(kernel, piece));
    const flips = scope.allocate(chooseBytes + wordSlack);
    const shares = scope.allocate(4 * count);
    kernel.gilboaChoose(tweaks.take('output'), { keys: cots, factors, count, ringBits, flips, shares });
    addShares(piece, kernel.words(shares, count));
    return kernel.bytes(flips, chooseBytes).slice();
  });
}

/** The owner's side of `answerProducts`, with the answer. */
function finishProducts(piece: Piece, kernel: CotKernel, answer: Uint8Array): void {
  kernel.arena.scope((scope) => {
    const { count, products } = piece;
    const factors = scope.adopt(putFactors(kernel, piece));
    const message = scope.adopt(kernel.put(answer, wordSlack));
    const shares = scope.allocate(4 * count);
    kernel.words(shares, count).fill(0);
    kernel.gilboaFinish(message, factors, count, products.ringBits, shares);
    addShares(piece, kernel.words(shares, count));
  });
}

function addShares({ products, share, from }: Piece, shares: Uint32Array): void {
  for (let i = 0; i < shares.length; i++) {
    const at = Math.floor((from + i) / products.terms);
    share[at] = share[at] + (shares[i] << 1);
  }
}

function putFactors(kernel: CotKernel, { factors, from, count }: Piece): number {
  return kernel.putWords(factors.subarray(from, from + count));
}

/** The two kinds differ in their products only. */
function gilboaKind<S extends SquareSpec | SumOfSquaresSpec>(productsOf: (spec: S) => Products) {
  const results = (spec: S) => {
    const { count, terms } = productsOf(spec);
    return count / terms;
  };
  return {
    check({ key, ringBits }: S) {
      // Twice something in a ring of one bit is 0, and no product.
      if (ringBits < 2) throw new RangeError(`${keyText(key)}: ringBits: expected 2 to 32, got ${ringBits}`);
    },
    units(spec: S) {
      const { count, ringBits } = productsOf(spec);
      return { size: count, cotsPerUnit: ringBits, pieceUnits: Number.POSITIVE_INFINITY };
    },
    cost: (spec: S, count: number) => costOf(productsOf(spec).ringBits, count),
    work(spec: S) {
      const { count, ringBits } = productsOf(spec);
      const cot = count * ringBits;
      // Hashes are made four at a time.
      const hash = 4 * count * Math.ceil(ringBits / 4);
      return { client: { cot, hash: 2 * hash, bit: cot }, owner: { cot, hash, bit: cot } };
    },
    keptWords: (spec: S) => ({ client: results(spec), owner: results(spec) }),
    client({ spec, x: factors }: { readonly spec: S; readonly x: Uint32Array }): ClientHalf {
      const products = productsOf(spec);
      requireWords(spec, 'x', factors, products.count);
      const share = new Uint32Array(results(spec));
      return {
        correlation: { share },
        piece(from, count) {
          const piece = { products, factors, share, from, count };
          return { answer: (context, choose) => answerProducts(piece, context, choose) };
        },
      };
    },
    owner({ spec, xMask: factors }: { readonly spec: S; readonly xMask: Uint32Array }): OwnerHalf {
      const products = productsOf(spec);
      requireWords(spec, 'xMask', factors, products.count);
      const share = new Uint32Array(results(spec));
      return {
        correlation: { share },
        piece(from, count) {
          const piece = { products, factors, share, from, count };
          return {
            choose: (context) => chooseProducts(piece, context),
            finish: (kernel, answer) => finishProducts(piece, kernel, answer),
          };
        },
      };
    },
  };
}

export const gilboaSquare: OtKind<SquareSpec> = gilboaKind(({ ringBits, count }) => ({
  ringBits: ringBits - 1,
  count,
  terms: 1,
}));

export const gilboaSumOfSquares: OtKind<SumOfSquaresSpec> = gilboaKind(({ ringBits, rows, cols }) => ({
  ringBits: ringBits - 1,
  count: rows * cols,
  terms: cols,
}));
