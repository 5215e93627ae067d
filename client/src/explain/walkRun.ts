/** A run of the walk (walk.ts), as the page shows it: apart from what runs it, so that the page need not load that. */

/** Pixels of a side of the picture. */
export const side = 8;
export const count = side * side;

export const walkSteps = ['split', 'multiply', 'shorten', 'lookUp', 'again', 'reveal'] as const;
export type WalkStep = (typeof walkSteps)[number];

/** The owner's numbers; integers over 2^fraction bits, as an exported model's are. */
export const [firstFracBits, secondFracBits, fracBits] = [18, 8, 11];
export const tensors = {
  'first.weight': Int32Array.of(Math.round(0.007 * 2 ** firstFracBits)),
  'first.bias': Int32Array.of(Math.round(-0.8 * 2 ** firstFracBits)),
  'second.weight': Int32Array.of(4 * 2 ** secondFracBits),
  'second.bias': Int32Array.of(0),
};
export const weights = {
  first: tensors['first.weight'][0] / 2 ** firstFracBits,
  bias: tensors['first.bias'][0] / 2 ** firstFracBits,
  second: tensors['second.weight'][0] / 2 ** secondFracBits,
};
/** The sixteen pieces of the curve have three coefficients each. */
export const [boxes, columns] = [16, 3];

/** Both sides' shares of a value, pixel by pixel: integers modulo 2^ringBits, for numbers with `fracBits` fraction bits. */
export interface Shares {
  readonly ringBits: number;
  readonly fracBits: number;
  readonly client: Uint32Array;
  readonly owner: Uint32Array;
}

/** The number that two shares stand for. Neither side can compute it. */
export function together({ ringBits, fracBits, client, owner }: Shares, pixel: number): number {
  const unused = 32 - ringBits;
  return (((client[pixel] + owner[pixel]) << unused) >> unused) / 2 ** fracBits;
}

/** An oblivious transfer of the run: for each pixel a choice, as it was sent and as only the owner knows it, and sealed messages. */
export interface Transfer {
  readonly ringBits: number;
  /** The owner's choice XOR a random one. */
  readonly hidden: Uint32Array;
  readonly choices: Uint32Array;
  /** All that were sent: (pixels, options, words). */
  readonly sealed: Uint32Array;
  /** The one of them that the owner can open, opened: (pixels, words). */
  readonly opened: Uint32Array;
}

export interface Traffic {
  readonly clientToOwner: number;
  readonly ownerToClient: number;
}

export interface WalkRun {
  readonly pixels: Int32Array;
  /** Of the value with which a step ends. */
  readonly shares: Readonly<Record<WalkStep, Shares>>;
  /** s, by which the owner masked the product that it computed under encryption. */
  readonly masks: Uint32Array;
  readonly correction: Transfer;
  readonly lookUp: Transfer;
  /** What the client learned at the end. */
  readonly scores: Float64Array;
  /** Bytes that travelled after the picture was there. */
  readonly traffic: Readonly<Record<WalkStep, Traffic>>;
  /** And before. */
  readonly preparation: Traffic;
}
