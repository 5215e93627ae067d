/**
 * How long correlations from oblivious transfer take: what each kind does, counted exactly in units of the kernels' inner loops, times
 * what a unit takes. The counts are public and deterministic in the spec; the times are a machine's, measured by
 * `npm run bench -- --suite ot` (test/bench/otCalibration.ts). Only predictions depend on them, never a message.
 */

import { softSpokenTile } from '../ot/softSpoken.ts';
import { productShape } from './gilboa.ts';
import type { OtBasedSpec } from './ot.ts';
import { digitsOf, tilesOf } from './otVector.ts';

/** Units of work; one party's. */
export const otUnits = [
  /** A COT drawn: its share of tree, code and bookkeeping. */
  'cot',
  /** A hash of 16 bytes in a row of many. */
  'hash',
  /** A ChaCha block of which a message is cut. */
  'block',
  /** A 32-bit word of a message, from the block to its place. */
  'word',
  /** One COT's choice bit and key, taken up by JavaScript. */
  'choice',
  /** A bit of a Gilboa product, beside its hashes. */
  'bit',
  /** A node of a small-field VOLE's tree. */
  'node',
  /** 256 bytes of a leaf's vector, added to two sums. */
  'tile',
  /** A number of a VOLE's correction. */
  'entry',
  /** 2,048 COTs in the other direction. */
  'reverse',
] as const;
export type OtUnit = (typeof otUnits)[number];

export type OtWork = Readonly<Partial<Record<OtUnit, number>>>;

/** What one unit takes, in nanoseconds, for each party. */
export interface OtTimes {
  /** Where it was measured. */
  readonly machine: string;
  readonly client: Readonly<Record<OtUnit, number>>;
  readonly owner: Readonly<Record<OtUnit, number>>;
}

/** The machine whose times the plan's predictions are in. */
export const referenceTimes: OtTimes = Object.freeze({
  machine: 'one of two vCPUs of an AMD EPYC server (Zen 4), Node 20.20, 2026-11-24',
  client: {
    cot: 54,
    hash: 17,
    block: 20.5,
    word: 2,
    choice: 13,
    bit: 5.5,
    node: 22,
    tile: 90,
    entry: 12,
    reverse: 1.5e6,
  },
  owner: {
    cot: 54,
    hash: 17,
    block: 20.5,
    word: 2,
    choice: 13,
    bit: 5.5,
    node: 22,
    tile: 90,
    entry: 12,
    reverse: 1.65e6,
  },
});

/** What each party does for one spec, the drawing of its COTs included. */
export function otWork(spec: OtBasedSpec): { readonly client: OtWork; readonly owner: OtWork } {
  switch (spec.kind) {
    case 'ot':
      return messagesWork(spec);
    case 'scale':
      return scaleWork(spec);
    case 'ringCot':
      return ringCotWork(spec);
    default:
      return gilboaWork(productShape(spec));
  }
}

/** otMessages.ts. */
function messagesWork({ count, choiceBits, words }: Extract<OtBasedSpec, { kind: 'ot' }>) {
  const messages = count * 2 ** choiceBits;
  const blocks = Math.ceil(words / 16);
  const cot = count * choiceBits;
  const direct = choiceBits === 1;
  return {
    client: { cot, hash: direct ? 0 : 2 * cot, block: messages * blocks, word: messages * words },
    owner: { cot, hash: direct ? 0 : cot, block: count * blocks, word: count * words, choice: direct ? cot : 2 * cot },
  };
}

/** gilboa.ts; hashes are made four at a time. */
function gilboaWork({ count, ringBits }: { readonly count: number; readonly ringBits: number }) {
  const cot = count * ringBits;
  const hash = 4 * count * Math.ceil(ringBits / 4);
  return { client: { cot, hash: 2 * hash, bit: cot }, owner: { cot, hash, bit: cot } };
}

/** ringCot.ts. */
function ringCotWork({ count, factorBits }: Extract<OtBasedSpec, { kind: 'ringCot' }>) {
  const cot = count * factorBits;
  return { client: { cot, hash: 2 * cot, choice: cot }, owner: { cot, hash: cot, choice: cot } };
}

/** otVector.ts: each party is the vector's in one direction and the scalar's in the other. */
function scaleWork({ rows, cols, ringBits }: Extract<OtBasedSpec, { kind: 'scale' }>) {
  const digits = digitsOf(ringBits, cols);
  const leaves = digits.reduce((sum, { width }) => sum + 2 ** width, 0);
  const tiles = digits.reduce((sum, { width, laneBits }) => sum + 2 ** width * tilesOf(cols, laneBits), 0);
  const work = {
    cot: rows * ringBits,
    choice: 2 * rows * ringBits,
    node: 2 * rows * leaves,
    tile: 2 * rows * tiles,
    entry: 2 * rows * digits.length * cols,
    reverse: Math.ceil((rows * ringBits) / softSpokenTile),
  };
  return { client: work, owner: work };
}

/** Milliseconds that some work takes. */
export function otMs(work: OtWork, times: Readonly<Record<OtUnit, number>>): number {
  return otUnits.reduce((sum, unit) => sum + (work[unit] ?? 0) * times[unit], 0) / 1e6;
}
