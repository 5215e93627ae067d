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

/** The kernel reads and writes whole words. */
const wordSlack = 8;

/** Where the bits of a piece's factors lie in its message. */
function* bitsOf(spec: RingCotSpec, count: number) {
  let at = 0;
  for (const [bit, length] of bitBytes(spec, count).entries()) {
    yield { bit, bits: spec.ringBits - bit, at, length };
    at += length;
  }
}

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
    if (limbsOf(ringBits) > 1) {
      const [h0, h1] = [kernel.words(zeros, 4 * cotCount), kernel.words(ones, 4 * cotCount)];
      return openWideKeys(spec, factors, keys, from, count, h0, h1);
    }
    const ours = scope.adopt(kernel.putWords(factors.subarray(from, from + count)));
    const out = scope.allocate(4 * cotCount);
    const message = scope.allocate(openBytes + wordSlack);
    for (const { bit, bits, at } of bitsOf(spec, count)) {
      const first = bit * count * blockBytes;
      kernel.ringCotSend(
        { count, bits, keys: out + 4 * bit, stride: 4 * factorBits, message: message + at },
        { zeros: zeros + first, ones: ones + first, factors: ours },
      );
    }
    keys.set(kernel.words(out, cotCount), from * factorBits);
    return kernel.bytes(message, openBytes).slice();
  });
}

/** The same in a ring of more than 32 bits, for the few factors that have one. */
function openWideKeys(
  spec: RingCotSpec,
  factors: Uint32Array,
  keys: Uint32Array,
  from: number,
  count: number,
  h0: Uint32Array,
  h1: Uint32Array,
): Uint8Array {
  const { ringBits, factorBits } = spec;
  const message = new Uint8Array(costOf(spec, count).openBytes);
  const corrections = new Float64Array(count);
  let cot = 0;
  for (const { bit, bits, at } of bitsOf(spec, count)) {
    for (let i = 0; i < count; i++, cot++) {
      const place = 2 * ((from + i) * factorBits + bit);
      keys[place] = h0[4 * cot];
      keys[place + 1] = h0[4 * cot + 1];
      // Of a hash's four words, the first two.
      const [zero, one] = [h0, h1].map((hashes) => elementAt(hashes, 2 * cot, ringBits, bits));
      corrections[i] = modulo(zero + elementAt(factors, from + i, ringBits, bits) - one, bits);
    }
    message.set(packWide(corrections, bits), at);
  }
  return message;
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
    const hashes = scope.allocate(cotCount * blockBytes);
    kernel.hash(tweaks.take('output'), cots, cotCount, hashes);
    if (limbsOf(ringBits) > 1) {
      const [blocks, words] = [kernel.words(cots, 4 * cotCount), kernel.words(hashes, 4 * cotCount)];
      return chooseWideKeys(spec, choices, keys, from, count, blocks, words, open);
    }
    const chosen = scope.adopt(kernel.putWords(new Uint32Array(count)));
    const out = scope.allocate(4 * cotCount);
    const message = scope.adopt(kernel.put(open, wordSlack));
    for (const { bit, bits, at } of bitsOf(spec, count)) {
      const first = bit * count * blockBytes;
      kernel.ringCotReceive(
        { count, bits, keys: out + 4 * bit, stride: 4 * factorBits, message: message + at },
        { cots: cots + first, hashes: hashes + first, choices: chosen, bit },
      );
    }
    keys.set(kernel.words(out, cotCount), from * factorBits);
    choices.set(kernel.words(chosen, count), from);
  });
}

function chooseWideKeys(
  spec: RingCotSpec,
  choices: Uint32Array,
  keys: Uint32Array,
  from: number,
  count: number,
  blocks: Uint32Array,
  hashes: Uint32Array,
  open: Uint8Array,
): void {
  const { ringBits, factorBits } = spec;
  let cot = 0;
  for (const { bit, bits, at, length } of bitsOf(spec, count)) {
    const corrections = unpackWide(open.subarray(at, at + length), count, bits);
    for (let i = 0; i < count; i++, cot++) {
      const place = 2 * ((from + i) * factorBits + bit);
      const choice = blocks[4 * cot] & 1;
      choices[from + i] |= choice << bit;
      const key = modulo(elementAt(hashes, 2 * cot, ringBits, bits) + choice * corrections[i], bits);
      keys[place] = key % 2 ** 32;
      keys[place + 1] = Math.floor(key / 2 ** 32);
    }
  }
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
    return { client: { cot, hash: 2 * cot, word: 2 * cot }, owner: { cot, hash: cot, word: 2 * cot } };
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
