/**
 * Products of the client's and the owner's ring elements from correlated OTs: Gilboa, "Two party RSA key generation" (CRYPTO 1999),
 * §4.1, with COTs. Bit b of the owner's factor ρ chooses between r_b and r_b + c; only ringBits − b bits of either matter.
 *
 * Computes: additive shares of c·ρ mod 2^ringBits for each pair. Nobody learns anything.
 * Per product: ringBits COTs; owner → client ringBits bits (choices ⊕ random choices), then client → owner
 * ringBits·(ringBits + 1)/2 bits.
 * The shares are pseudorandom by the hash of kernels/cot.ts, one index per COT.
 */
import type { CotKernel } from '../kernels/cot.ts';
import { packedBytes } from '../sharing/packing.ts';
import type { SquareSpec, SumOfSquaresSpec } from './correlations.ts';
import {
  type ClientContext,
  type ClientPart,
  noCost,
  type OwnerContext,
  type OwnerPart,
  type PartCost,
} from './otPart.ts';

/** Element-wise products, of which each `terms` in a row are summed, times 2^shift. */
export interface ProductShape {
  /** Ring of the products: what the shift drops need not be computed. */
  readonly ringBits: number;
  readonly count: number;
  readonly terms: number;
  readonly shift: 0 | 1;
}

export function productShape(spec: SquareSpec | SumOfSquaresSpec): ProductShape {
  switch (spec.kind) {
    case 'square':
      return { ringBits: spec.ringBits - 1, count: spec.count, terms: 1, shift: 1 };
    case 'sumOfSquares':
      return { ringBits: spec.ringBits - 1, count: spec.rows * spec.cols, terms: spec.cols, shift: 1 };
  }
}

/** What `count` products cost; additive over pieces whose counts are multiples of 8. */
export function gilboaPartCost(ringBits: number, count: number): PartCost {
  return {
    ...noCost,
    cots: count * ringBits,
    chooseBytes: packedBytes(count, ringBits),
    answerBytes: packedBytes(count, (ringBits * (ringBits + 1)) / 2),
  };
}

/** The kernels write and read whole words. */
const wordSlack = 8;

/** Products `from` … `from + count − 1` of a shape: adds the client's shares to `result`. */
export class GilboaClient implements ClientPart {
  readonly cost: PartCost;

  /** @param factors the client's, all of the shape's. */
  constructor(
    private readonly shape: ProductShape,
    private readonly factors: Uint32Array,
    private readonly result: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = gilboaPartCost(shape.ringBits, count);
  }

  answer({ kernel, cots, delta, low, high }: ClientContext, choose: Uint8Array): Uint8Array {
    const { arena } = kernel;
    const { shape, from, count, cost } = this;
    const factors = putWords(kernel, this.factors.subarray(from, from + count));
    const flips = kernel.put(choose, wordSlack);
    const message = arena.allocate(cost.answerBytes + wordSlack);
    const shares = arena.allocate(4 * count);
    kernel.gilboaSend(cots, delta, factors, count, shape.ringBits, flips, message, shares, low, high);
    addShares(shape, kernel.words(shares, count), this.result, from);
    const answer = kernel.bytes(message, cost.answerBytes).slice();
    for (const address of [factors, flips, message, shares]) arena.release(address);
    return answer;
  }
}

/** The owner's side of `GilboaClient`. */
export class GilboaOwner implements OwnerPart {
  readonly cost: PartCost;

  constructor(
    private readonly shape: ProductShape,
    private readonly factors: Uint32Array,
    private readonly result: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = gilboaPartCost(shape.ringBits, count);
  }

  choose({ kernel, cots, low, high }: OwnerContext): Uint8Array {
    const { arena } = kernel;
    const { shape, from, count, cost } = this;
    const factors = putWords(kernel, this.factors.subarray(from, from + count));
    const flips = arena.allocate(cost.chooseBytes + wordSlack);
    const shares = arena.allocate(4 * count);
    kernel.gilboaChoose(cots, factors, count, shape.ringBits, flips, shares, low, high);
    addShares(shape, kernel.words(shares, count), this.result, from);
    const choose = kernel.bytes(flips, cost.chooseBytes).slice();
    for (const address of [factors, flips, shares]) arena.release(address);
    return choose;
  }

  finish(kernel: CotKernel, answer: Uint8Array): void {
    const { arena } = kernel;
    const { shape, from, count } = this;
    const factors = putWords(kernel, this.factors.subarray(from, from + count));
    const message = kernel.put(answer, wordSlack);
    const shares = arena.allocate(4 * count);
    kernel.words(shares, count).fill(0);
    kernel.gilboaFinish(message, factors, count, shape.ringBits, shares);
    addShares(shape, kernel.words(shares, count), this.result, from);
    for (const address of [factors, message, shares]) arena.release(address);
  }
}

function addShares({ terms, shift }: ProductShape, shares: Uint32Array, result: Uint32Array, from: number): void {
  for (let i = 0; i < shares.length; i++) {
    const at = Math.floor((from + i) / terms);
    result[at] = result[at]! + (shares[i]! << shift);
  }
}

function putWords(kernel: CotKernel, words: Uint32Array): number {
  return kernel.put(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
}
