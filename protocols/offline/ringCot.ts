/**
 * Correlated OTs over Z_2^k with random choices: the messages of Gilboa's products (gilboa.ts) before the owner's factor is known. Online, one
 * bit of it after the other is masked by a choice (XOR), so that a factor of few bits takes as few COTs, whatever the ring is.
 *
 * Computes: for each factor c_i of the client's and each bit b < factorBits, a key h_ib for the client, a random bit x_ib and
 * h_ib + x_ib·c_i mod 2^(ringBits − b) for the owner: only so many bits matter once it is multiplied by 2^b. Nobody learns anything.
 * Per factor: factorBits COTs; client → owner, along with their trees, Σ_b (ringBits − b) bits. Nothing travels the other way.
 */
import { blockBytes } from '../kernels/cot.ts';
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import type { RingCotSpec } from './correlations.ts';
import {
  type ClientContext,
  type ClientPart,
  noCost,
  type OwnerContext,
  type OwnerPart,
  type PartCost,
} from './otPart.ts';

const bitBytes = ({ ringBits, factorBits }: RingCotSpec, count: number): number[] =>
  Array.from({ length: factorBits }, (_, b) => packedBytes(count, ringBits - b));

/** What `count` factors cost; additive over pieces whose counts are multiples of 8. */
export const ringCotPartCost = (spec: RingCotSpec, count: number): PartCost => ({
  ...noCost,
  cots: count * spec.factorBits,
  openBytes: bitBytes(spec, count).reduce((sum, bytes) => sum + bytes, 0),
});

/** Factors `from` … `from + count − 1` of a spec: writes their keys to `keys` (count, factorBits). COTs lie bit by bit. */
export class RingCotClient implements ClientPart {
  readonly cost: PartCost;

  constructor(
    private readonly spec: RingCotSpec,
    private readonly factors: Uint32Array,
    private readonly keys: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = ringCotPartCost(spec, count);
  }

  open({ kernel, cots, delta, low, high }: ClientContext): Uint8Array {
    const { arena } = kernel;
    const { from, count, cost } = this;
    const { ringBits, factorBits } = this.spec;
    const zeros = arena.allocate(cost.cots * blockBytes);
    const ones = arena.allocate(cost.cots * blockBytes);
    kernel.hash('output', cots, cost.cots, zeros, low, high);
    kernel.hash('output', cots, cost.cots, ones, low, high, 0, delta);
    const [h0, h1] = [zeros, ones].map((address) => kernel.words(address, 4 * cost.cots)) as [Uint32Array, Uint32Array];
    const message = new Uint8Array(cost.openBytes);
    const corrections = new Uint32Array(count);
    for (let b = 0, at = 0, cot = 0; b < factorBits; b++) {
      for (let i = 0; i < count; i++, cot++) {
        const key = h0[4 * cot]!;
        this.keys[(from + i) * factorBits + b] = key;
        corrections[i] = key + this.factors[from + i]! - h1[4 * cot]!;
      }
      const packed = pack(corrections, ringBits - b);
      message.set(packed, at);
      at += packed.length;
    }
    arena.release(zeros);
    arena.release(ones);
    return message;
  }
}

/** The owner's side of `RingCotClient`: writes its bits x, bit b of word i, and its keys. */
export class RingCotOwner implements OwnerPart {
  readonly cost: PartCost;

  constructor(
    private readonly spec: RingCotSpec,
    private readonly choices: Uint32Array,
    private readonly keys: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = ringCotPartCost(spec, count);
  }

  choose({ kernel, cots, low, high }: OwnerContext, open: Uint8Array): undefined {
    const { arena } = kernel;
    const { spec, from, count, cost } = this;
    const { ringBits, factorBits } = spec;
    const hashed = arena.allocate(cost.cots * blockBytes);
    kernel.hash('output', cots, cost.cots, hashed, low, high);
    const blocks = kernel.words(cots, 4 * cost.cots);
    const words = kernel.words(hashed, 4 * cost.cots);
    let at = 0;
    let cot = 0;
    for (const [b, bytes] of bitBytes(spec, count).entries()) {
      const corrections = unpack(open.subarray(at, at + bytes), count, ringBits - b);
      at += bytes;
      for (let i = 0; i < count; i++, cot++) {
        const choice = blocks[4 * cot]! & 1;
        this.choices[from + i]! |= choice << b;
        this.keys[(from + i) * factorBits + b] = words[4 * cot]! + choice * corrections[i]!;
      }
    }
    arena.release(hashed);
    return undefined;
  }
}
