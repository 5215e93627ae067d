/**
 * Hands out what tells one use of the hash (cot.ts) from another: label, index (low, high) and column, together a *tweak*. The hash is secure
 * as long as no two uses under one key share a tweak, so a tweak can be had here only, and no tweak twice. A protocol asks for a piece of
 * COTs and takes from it one tweak of each label that it needs; the kernel takes nothing else.
 *
 * A source belongs to one Δ and to what is expanded from its base OTs; either direction of a pairing has its own.
 */

/** What a hash value is for. */
export const hashLabels = [
  'tree',
  'output',
  'message',
  'base tree',
  'base vector',
  'vole tree',
  'vole vector',
] as const;
export type HashLabel = (typeof hashLabels)[number];

/** Only this file can make a tweak. */
const minted = Symbol('minted');

/** Indices (low, high) to (low + count − 1, high), in one column. */
export class Tweak {
  /** An object of this shape that somebody writes down is none. */
  private readonly isMinted = true;

  constructor(
    permission: typeof minted,
    readonly label: HashLabel,
    readonly low: number,
    readonly high: number,
    readonly column: number,
    readonly count: number,
  ) {
    if (permission !== minted) throw new TypeError('tweak: expected to come from a TweakSource');
  }

  /** Of the same use: indices from `first` on. @throws RangeError when they are not within this tweak. */
  part(first: number, count: number): Tweak {
    if (first < 0 || count < 0 || first + count > this.count)
      throw new RangeError(`tweak: expected a part of ${this.count} indices, got ${first} to ${first + count}`);
    return new Tweak(minted, this.label, this.low + first, this.high, this.column, count);
  }

  /** For the kernel. @throws RangeError for another label, or more values than there are indices. */
  require(label: HashLabel, count: number): void {
    if (!this.isMinted || this.label !== label || count > this.count)
      throw new RangeError(`tweak: expected ${count} indices for '${label}', got ${this.count} for '${this.label}'`);
  }
}

/** Labels that a piece of COTs has indices for. */
export type PieceLabel = 'output' | 'message' | 'vole tree' | 'vole vector';

/** The tweaks of one piece of a segment; each label once. */
export class PieceTweaks {
  readonly #taken = new Set<PieceLabel>();

  /** @param low position of its first COT in the segment. @param column its number in the segment. */
  constructor(
    permission: typeof minted,
    private readonly low: number,
    private readonly count: number,
    private readonly high: number,
    private readonly column: number,
  ) {
    if (permission !== minted) throw new TypeError('tweaks: expected to come from a TweakSource');
  }

  /** An index for every COT of the piece; messages count from 0 in a column of their own. @throws RangeError when taken before. */
  take(label: PieceLabel): Tweak {
    if (this.#taken.has(label)) throw new RangeError(`tweaks of '${label}': taken twice`);
    this.#taken.add(label);
    const isMessage = label === 'message';
    return new Tweak(minted, label, isMessage ? 0 : this.low, this.high, isMessage ? this.column : 0, this.count);
  }
}

/** The tweaks of one segment of a stage. */
export class SegmentTweaks {
  #low = 0;
  #column = 0;

  constructor(
    permission: typeof minted,
    private readonly high: number,
  ) {
    if (permission !== minted) throw new TypeError('tweaks: expected to come from a TweakSource');
  }

  /** For the next `cots` COTs of the segment. */
  piece(cots: number): PieceTweaks {
    const piece = new PieceTweaks(minted, this.#low, cots, this.high, this.#column++);
    this.#low += cots;
    return piece;
  }
}

/** Either direction's: COTs with the client as sender, or with the owner. */
export type Direction = 'forward' | 'reverse';

/** The last index is for the base OTs of the other direction. */
const lastIndex = 0xffffffff;
const reverseBit = 2 ** 31;

export class TweakSource {
  #segments = 0;
  #rounds = 0;
  #base = false;
  #baseTrees = false;

  constructor(private readonly direction: Direction) {}

  /** For the next segment of a stage. @throws RangeError after 2^31 − 1 of them. */
  segment(): SegmentTweaks {
    if (this.#segments === reverseBit - 1) throw new RangeError('tweaks: expected at most 2^31 − 1 segments');
    return new SegmentTweaks(minted, this.#segments++ + (this.direction === 'reverse' ? reverseBit : 0));
  }

  /** For each tree of Ferret's next round. Also tells the parts of its public code apart. */
  round(trees: number): Tweak {
    return new Tweak(minted, 'tree', 0, this.#rounds++, 0, trees);
  }

  /** For the COTs that become the base OTs of the other direction; once. */
  reverseBase(count: number): Tweak {
    if (this.#base) throw new RangeError('tweaks of the base OTs: taken twice');
    this.#base = true;
    return new Tweak(minted, 'output', 0, lastIndex, 0, count);
  }

  /** For SoftSpokenOT's trees, once: by tree, level and side; and for its vectors, by tree. */
  baseTrees(leaves: number): {
    tree(tree: number, level: number, side: 0 | 1): Tweak;
    vector(tree: number): Tweak;
  } {
    if (this.#baseTrees) throw new RangeError('tweaks of the base trees: taken twice');
    this.#baseTrees = true;
    return {
      tree: (tree, level, side) => new Tweak(minted, 'base tree', 0, tree, 2 * level + side, leaves),
      vector: (tree) => new Tweak(minted, 'base vector', 0, tree, 0, 1),
    };
  }
}
