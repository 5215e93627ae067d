/**
 * How long correlations from oblivious transfer take: what each kind does (`OtKind.work`), counted exactly in units of the kernels' inner
 * loops, times what a unit takes. The counts are public and deterministic in the spec; the times are a machine's, measured by
 * `npm run bench -- --suite ot` (test/bench/otCalibration.ts). Predictions depend on them, and the reference machine's decide between ring-LWE and
 * oblivious transfer (division.ts).
 */
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

/** Milliseconds that some work takes. */
export function otMs(work: OtWork, times: Readonly<Record<OtUnit, number>>): number {
  return otUnits.reduce((sum, unit) => sum + (work[unit] ?? 0) * times[unit], 0) / 1e6;
}
