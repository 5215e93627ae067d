/**
 * Correlated OTs over Z_2^k with random choices: the messages of Gilboa's products (gilboa.ts) before the owner's factor is known. Online, one
 * bit of it after the other is masked by a choice (XOR), so that a factor of few bits takes as few COTs, whatever the ring is.
 *
 * Computes: for each factor c_i of the client's and each bit b < factorBits, a key h_ib for the client, a random bit x_ib and
 * h_ib + x_ib·c_i mod 2^(ringBits − b) for the owner: only so many bits matter once it is multiplied by 2^b. Nobody learns anything.
 * Per factor: factorBits COTs; client → owner, along with their trees, Σ_b (ringBits − b) bits. Nothing travels the other way.
 * In rings of more than 32 bits (sharing/wide.ts) factors and keys are two words each.
 */
import { blockBytes } from '../../kernels/cot.ts';
import { pack, unpack } from '../../sharing/packing.ts';
import { elementAt, limbsOf, modulo, mostWideBits, packWide, unpackWide, wideBytes } from '../../sharing/wide.ts';
import { keyText, type RingCotSpec, requireWords } from '../correlations.ts';
import { type ClientContext, noCost, type OtKind, type OwnerContext, type PieceCost, pieceUnit } from './kind.ts';

const bitBytes = ({ ringBits, factorBits }: RingCotSpec, count: number): number[] =>
  Array.from({ length: factorBits }, (_, b) => wideBytes(count, ringBits - b));

const costOf = (spec: RingCotSpec, count: number): PieceCost => ({
  ...noCost,
  cots: count * spec.factorBits,
  openBytes: bitBytes(spec, count).reduce((sum, bytes) => sum + bytes, 0),
});

/** Factors `from` … `from + count − 1` of a spec: writes their keys to `keys` (count, factorBits). COTs lie bit by bit. */
function openKeys(
  spec: RingCotSpec,
  factors: Uint32Array,
  keys: Uint32Array,
  from: number,
  count: number,
  { kernel, cots, delta, tweaks }: ClientContext,
): Uint8Array {
  return kernel.arena.scope((scope) => {
    const { ringBits, factorBits } = spec;
    const { cots: cotCount, openBytes } = costOf(spec, count);
    const zeros = scope.allocate(cotCount * blockBytes);
    const ones = scope.allocate(cotCount * blockBytes);
    const tweak = tweaks.take('output');
    kernel.hash(tweak, cots, cotCount, zeros);
    kernel.hash(tweak, cots, cotCount, ones, delta);
    const h0 = kernel.words(zeros, 4 * cotCount);
    const h1 = kernel.words(ones, 4 * cotCount);
    const message = new Uint8Array(openBytes);
    const corrections = new Uint32Array(count);
    const wide = new Float64Array(limbsOf(ringBits) > 1 ? count : 0);
    for (let b = 0, at = 0, cot = 0; b < factorBits; b++) {
      for (let i = 0; i < count; i++, cot++) {
        const [place, bits] = [(from + i) * factorBits + b, ringBits - b];
        const key = h0[4 * cot];
        if (wide.length > 0) {
          keys[2 * place] = key;
          keys[2 * place + 1] = h0[4 * cot + 1];
          // Of a hash's four words, the first two.
          const [zero, one] = [h0, h1].map((hashes) => elementAt(hashes, 2 * cot, ringBits, bits));
          wide[i] = modulo(zero + elementAt(factors, from + i, ringBits, bits) - one, bits);
        } else {
          keys[place] = key;
          corrections[i] = key + factors[from + i] - h1[4 * cot];
        }
      }
      const packed = wide.length > 0 ? packWide(wide, ringBits - b) : pack(corrections, ringBits - b);
      message.set(packed, at);
      at += packed.length;
    }
    return message;
  });
}

/** The owner's side of `openKeys`: writes its bits x, bit b of word i, and its keys. */
function chooseKeys(
  spec: RingCotSpec,
  choices: Uint32Array,
  keys: Uint32Array,
  from: number,
  count: number,
  { kernel, cots, tweaks }: OwnerContext,
  open: Uint8Array,
): void {
  kernel.arena.scope((scope) => {
    const { ringBits, factorBits } = spec;
    const cotCount = count * factorBits;
    const hashed = scope.allocate(cotCount * blockBytes);
    kernel.hash(tweaks.take('output'), cots, cotCount, hashed);
    const blocks = kernel.words(cots, 4 * cotCount);
    const words = kernel.words(hashed, 4 * cotCount);
    const isWide = limbsOf(ringBits) > 1;
    let at = 0;
    let cot = 0;
    for (const [b, length] of bitBytes(spec, count).entries()) {
      const bits = ringBits - b;
      const bytes = open.subarray(at, at + length);
      const corrections = isWide ? unpackWide(bytes, count, bits) : unpack(bytes, count, bits);
      at += length;
      for (let i = 0; i < count; i++, cot++) {
        const place = (from + i) * factorBits + b;
        const choice = blocks[4 * cot] & 1;
        choices[from + i] |= choice << b;
        if (isWide) {
          const key = modulo(elementAt(words, 2 * cot, ringBits, bits) + choice * corrections[i], bits);
          keys[2 * place] = key % 2 ** 32;
          keys[2 * place + 1] = Math.floor(key / 2 ** 32);
        } else keys[place] = words[4 * cot] + choice * corrections[i];
      }
    }
  });
}

export const ringCot: OtKind<RingCotSpec> = {
  mostRingBits: mostWideBits,
  check({ key, factorBits, ringBits }) {
    if (!(factorBits >= 1 && factorBits <= ringBits))
      throw new RangeError(`${keyText(key)}: factorBits: expected 1 to ${ringBits}, got ${factorBits}`);
  },
  // Both hashes of a piece's COTs are in memory.
  units: ({ count, factorBits }) => ({
    size: count,
    cotsPerUnit: factorBits,
    pieceUnits: pieceUnit * Math.floor(2 ** 14 / factorBits),
  }),
  cost: costOf,
  work({ count, factorBits }) {
    const cot = count * factorBits;
    return { client: { cot, hash: 2 * cot, choice: cot }, owner: { cot, hash: cot, choice: cot } };
  },
  keptWords({ count, factorBits, ringBits }) {
    const keys = count * factorBits * limbsOf(ringBits);
    return { client: keys, owner: keys + count };
  },
  client({ spec, c }) {
    requireWords(spec, 'c', c, spec.count * limbsOf(spec.ringBits));
    const keys = new Uint32Array(spec.count * spec.factorBits * limbsOf(spec.ringBits));
    return {
      correlation: { keys },
      piece: (from, count) => ({ open: (context) => openKeys(spec, c, keys, from, count, context) }),
    };
  },
  owner({ spec }) {
    const choices = new Uint32Array(spec.count);
    const keys = new Uint32Array(spec.count * spec.factorBits * limbsOf(spec.ringBits));
    return {
      correlation: { choices, keys },
      piece: (from, count) => ({
        choose(context, open) {
          chooseKeys(spec, choices, keys, from, count, context, open);
          return undefined;
        },
      }),
    };
  },
};
