/**
 * A scalar of one party times a vector of the other: the small-field VOLE of Roy (CRYPTO 2022, Figure 7) over Z_2^k, the scalar
 * taken in digits of up to 8 bits.
 *
 * For a digit σ of w bits, the vector's party expands a GGM tree with 2^w leaves r_0, r_1, …, each stretched to a vector. It knows
 * u = Σ r_j and v = Σ j·r_j; the scalar's party, who misses r_σ only, knows Σ (j − σ)·r_j = v − σ·u. With the correction x − u
 * on the wire, these are shares of σ·x. Bits that the digit's weight shifts out of the ring are not sent.
 *
 * Computes: shares of s·x mod 2^ringBits for each row. Nobody learns anything.
 * Per row: ringBits COTs with the vector's party as sender; scalar → vector: ringBits bits (choices); vector → scalar: for every digit
 * of w bits with weight 2^o, w − 1 blocks for the tree and ringBits − o bits per column. For 27 bits and 256 columns
 * that is 84 bits per entry where Gilboa's protocol takes 378.
 *
 * `scale` takes both directions: s_i·ρx_i with a scalar of the client's (COTs with the owner as sender), ρs_i·x_i the other way.
 */
import { concatBytes } from '@noble/hashes/utils.js';
import type { ArenaScope } from '../../kernels/arena.ts';
import { blockBytes, type CotKernel } from '../../kernels/cot.ts';
import type { PieceTweaks } from '../../kernels/tweaks.ts';
import { reverseCost } from '../../ot/cotCosts.ts';
import { softSpokenTile } from '../../ot/softSpoken.ts';
import { pack, packedBytes, unpack } from '../../sharing/packing.ts';
import { requireWords, type ScaleSpec } from '../correlations.ts';
import { type ClientContext, noCost, type OtKind, type OwnerContext, type PieceCost } from './kind.ts';

interface Digit {
  /** log2 of its weight. */
  readonly offset: number;
  readonly width: number;
  /** Of the numbers in which its sums are computed: 8, 16 or 32, at least ringBits − offset. */
  readonly laneBits: 8 | 16 | 32;
}

const widestDigit = 8;
/**
 * A leaf's 32-bit word takes about 1.6 ns on either side: at 50 Mbit/s, a twelfth of the time of a bit on the wire. The digits are
 * the ones with the least sum of both, in twelfths of a bit per row.
 */
const bitsWeight = 12;
const known = new Map<string, readonly Digit[]>();

/** Digits for a ring and a number of columns, from the least significant on: narrow ones first, where the lanes are wide. */
export function digitsOf(ringBits: number, cols: number): readonly Digit[] {
  const key = `${ringBits} ${cols}`;
  const found = known.get(key);
  if (found) return found;
  // best[o]: the least cost of the digits from offset o on, and the first of them.
  const best: { cost: number; digit?: Digit }[] = [];
  best[ringBits] = { cost: 0 };
  for (let offset = ringBits - 1; offset >= 0; offset--) {
    const bits = ringBits - offset;
    const laneBits = bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
    for (let width = 1; width <= Math.min(bits, widestDigit); width++) {
      const sent = bitsWeight * ((width - 1) * 8 * blockBytes + bits * cols);
      const expanded = 2 ** width * tilesOf(cols, laneBits) * 64;
      const cost = sent + expanded + best[offset + width].cost;
      if (best[offset] === undefined || cost < best[offset].cost)
        best[offset] = { cost, digit: { offset, width, laneBits } };
    }
  }
  const digits: Digit[] = [];
  for (let offset = 0; offset < ringBits; offset += digits.at(-1)!.width) digits.push(best[offset].digit!);
  known.set(key, digits);
  return digits;
}

/** A tree's leaf is stretched in pieces of 256 bytes. */
export const tilesOf = (cols: number, laneBits: number) => Math.ceil((cols * laneBits) / 2048);

const rowChoices = (ringBits: number, rows: number) => packedBytes(rows, ringBits);

/** Bytes that the vector's party sends for a row. */
export function vectorRowBytes(ringBits: number, cols: number): number {
  return digitsOf(ringBits, cols).reduce(
    (sum, { offset, width }) => sum + (width - 1) * blockBytes + packedBytes(cols, ringBits - offset),
    0,
  );
}

/** COTs in the other direction come in whole bytes. */
const reverseCots = (ringBits: number, rows: number) => 8 * rowChoices(ringBits, rows);

function costOf({ ringBits, cols }: ScaleSpec, rows: number): PieceCost {
  const vectors = rows * vectorRowBytes(ringBits, cols);
  const reversed = reverseCots(ringBits, rows);
  return {
    ...noCost,
    cots: rows * ringBits,
    reverseCots: reversed,
    openBytes: reverseCost(reversed) + rowChoices(ringBits, rows),
    chooseBytes: rowChoices(ringBits, rows) + vectors,
    answerBytes: vectors,
  };
}

/** Rows `from` … `from + rows − 1` of a party's scalars s and vectors x, to whose shares it adds its own. */
interface Rows {
  readonly spec: ScaleSpec;
  readonly rows: number;
  readonly s: Uint32Array;
  readonly x: Uint32Array;
  readonly share: Uint32Array;
}

function rowsOf(spec: ScaleSpec, s: Uint32Array, x: Uint32Array, share: Uint32Array, from: number, rows: number): Rows {
  const [first, end] = [from * spec.cols, (from + rows) * spec.cols];
  return { spec, rows, s: s.subarray(from, from + rows), x: x.subarray(first, end), share: share.subarray(first, end) };
}

function clientPiece(piece: Rows) {
  const { spec, rows } = piece;
  const { ringBits } = spec;
  let reverse = 0;
  return {
    /** The client's scalars choose: its COTs in the other direction, and its choices. */
    open({ kernel, drawReverse }: ClientContext): Uint8Array {
      const drawn = drawReverse(costOf(spec, rows).reverseCots);
      reverse = drawn.piece.address;
      return concatBytes(drawn.message, chooseScalars(kernel, reverse, piece.s, ringBits));
    },
    answer({ kernel, cots, delta, tweaks, reverseTweaks }: ClientContext, choose: Uint8Array): Uint8Array {
      const choiceBytes = rowChoices(ringBits, rows);
      const flips = choose.subarray(0, choiceBytes);
      const vectors = vectorTerms(kernel, piece, { cots, delta, tweaks, flips });
      scalarTerms(kernel, piece, choose.subarray(choiceBytes), reverse, reverseTweaks);
      kernel.arena.release(reverse);
      return vectors;
    },
  };
}

/** The owner's side of `clientPiece`. */
function ownerPiece(piece: Rows) {
  const { spec, rows } = piece;
  const { ringBits } = spec;
  const cost = costOf(spec, rows);
  let kept: { readonly keys: number; readonly tweaks: PieceTweaks };
  return {
    choose(context: OwnerContext, open: Uint8Array): Uint8Array {
      const { kernel, cots, tweaks, reverseTweaks, drawReverse, reverseDelta: delta } = context;
      const correctionBytes = reverseCost(cost.reverseCots);
      const reverse = drawReverse(cost.reverseCots, open.subarray(0, correctionBytes)).address;
      const flips = open.subarray(correctionBytes);
      const vectors = vectorTerms(kernel, piece, { cots: reverse, delta, tweaks: reverseTweaks, flips });
      kernel.arena.release(reverse);
      kept = { keys: kernel.put(kernel.bytes(cots, cost.cots * blockBytes).slice()), tweaks };
      return concatBytes(chooseScalars(kernel, cots, piece.s, ringBits), vectors);
    },
    finish(kernel: CotKernel, answer: Uint8Array): void {
      scalarTerms(kernel, piece, answer, kept.keys, kept.tweaks);
      kernel.arena.release(kept.keys);
    },
  };
}

export const otScale: OtKind<ScaleSpec> = {
  check() {},
  units: ({ rows, ringBits }) => ({ size: rows, cotsPerUnit: ringBits, pieceUnits: 1024 }),
  cost: costOf,
  // Each party is the vector's in one direction and the scalar's in the other.
  work({ rows, cols, ringBits }) {
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
  },
  keptWords: ({ rows, cols }) => ({ client: rows * cols, owner: rows * cols }),
  client({ spec, s, x }) {
    requireWords(spec, 's', s, spec.rows);
    requireWords(spec, 'x', x, spec.rows * spec.cols);
    const share = new Uint32Array(spec.rows * spec.cols);
    return { correlation: { share }, piece: (from, count) => clientPiece(rowsOf(spec, s, x, share, from, count)) };
  },
  owner({ spec, sMask, xMask }) {
    requireWords(spec, 'sMask', sMask, spec.rows);
    requireWords(spec, 'xMask', xMask, spec.rows * spec.cols);
    const share = new Uint32Array(spec.rows * spec.cols);
    return {
      correlation: { share },
      piece: (from, count) => ownerPiece(rowsOf(spec, sMask, xMask, share, from, count)),
    };
  },
};

/** Bits by which the random choices (the keys' least significant bits) must be flipped: a tree's hole is the complement of its choices. */
function chooseScalars(kernel: CotKernel, cots: number, scalars: Uint32Array, ringBits: number): Uint8Array {
  const flips = new Uint8Array(rowChoices(ringBits, scalars.length));
  const keys = kernel.words(cots, 4 * scalars.length * ringBits);
  for (let i = 0, at = 0; i < scalars.length; i++) {
    for (let b = 0; b < ringBits; b++, at++)
      flips[at >> 3] |= ((keys[4 * at] ^ (scalars[i] >>> b) ^ 1) & 1) << (at & 7);
  }
  return flips;
}

interface VectorSide {
  readonly cots: number;
  readonly delta: number;
  readonly tweaks: PieceTweaks;
  readonly flips: Uint8Array;
}

/** The vector's party: adds Σ_digits v·2^offset to `share`, and returns trees and corrections. */
function vectorTerms(
  kernel: CotKernel,
  { spec: { ringBits, cols }, rows, x, share }: Rows,
  { cots, delta, tweaks, flips }: VectorSide,
): Uint8Array {
  return kernel.arena.scope((scope) => {
    const [trees, leaves] = [tweaks.take('vole tree'), tweaks.take('vole vector')];
    const { nodes, message, u, v } = workspace(scope, cols);
    const out = new Uint8Array(rows * vectorRowBytes(ringBits, cols));
    let at = 0;
    // A flipped choice is a key with Δ added.
    const keys = kernel.words(cots, 4 * rows * ringBits);
    const deltaWords = kernel.words(delta, 4).slice();
    for (let i = 0; i < rows * ringBits; i++) {
      const flip = -((flips[i >> 3] >> (i & 7)) & 1);
      for (let word = 0; word < 4; word++) keys[4 * i + word] ^= deltaWords[word] & flip;
    }
    for (let row = 0; row < rows; row++) {
      for (const { offset, width, laneBits } of digitsOf(ringBits, cols)) {
        const first = row * ringBits + offset;
        const tree = { nodes, depth: width, bases: cots + first * blockBytes, message };
        kernel.ggmSend(trees.part(first, 1), tree, delta);
        const tiles = tilesOf(cols, laneBits);
        kernel.voleFold(leaves.part(first, 1), { leaves: nodes, count: 2 ** width, hole: -1, laneBits, tiles, u, v });
        const treeBytes = (width - 1) * blockBytes;
        out.set(kernel.bytes(message, treeBytes), at);
        at += treeBytes;
        const sum = lanesAt(kernel, u, cols, laneBits);
        const weighted = lanesAt(kernel, v, cols, laneBits);
        const correction = new Uint32Array(cols);
        for (let j = 0; j < cols; j++) {
          correction[j] = x[row * cols + j] - sum[j];
          share[row * cols + j] += weighted[j] << offset;
        }
        const packed = pack(correction, ringBits - offset);
        out.set(packed, at);
        at += packed.length;
      }
    }
    return out;
  });
}

/** The scalar's party: adds Σ_digits (σ·(correction + u) − v)·2^offset to `share`, u and v without the missing leaf. */
function scalarTerms(
  kernel: CotKernel,
  { spec: { ringBits, cols }, rows, s: scalars, share }: Rows,
  bytes: Uint8Array,
  cots: number,
  tweaks: PieceTweaks,
): void {
  kernel.arena.scope((scope) => {
    const [trees, leaves] = [tweaks.take('vole tree'), tweaks.take('vole vector')];
    const { nodes, message, u, v } = workspace(scope, cols);
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (const { offset, width, laneBits } of digitsOf(ringBits, cols)) {
        const first = row * ringBits + offset;
        const digit = (scalars[row] >>> offset) & (2 ** width - 1);
        const treeBytes = (width - 1) * blockBytes;
        kernel.bytes(message, treeBytes).set(bytes.subarray(at, at + treeBytes));
        at += treeBytes;
        const tree = { nodes, depth: width, bases: cots + first * blockBytes, message };
        kernel.ggmReceive(trees.part(first, 1), tree, ~digit);
        const tiles = tilesOf(cols, laneBits);
        kernel.voleFold(leaves.part(first, 1), {
          leaves: nodes,
          count: 2 ** width,
          hole: digit,
          laneBits,
          tiles,
          u,
          v,
        });
        const packed = packedBytes(cols, ringBits - offset);
        const correction = unpack(bytes.subarray(at, at + packed), cols, ringBits - offset);
        at += packed;
        const sum = lanesAt(kernel, u, cols, laneBits);
        const weighted = lanesAt(kernel, v, cols, laneBits);
        for (let j = 0; j < cols; j++) {
          share[row * cols + j] += (Math.imul(digit, correction[j] + sum[j]) - weighted[j]) << offset;
        }
      }
    }
  });
}

function lanesAt(
  kernel: CotKernel,
  address: number,
  count: number,
  laneBits: 8 | 16 | 32,
): Uint8Array | Uint16Array | Uint32Array {
  if (laneBits === 32) return kernel.words(address, count);
  const bytes = kernel.bytes(address, (count * laneBits) / 8);
  return laneBits === 8 ? bytes : new Uint16Array(bytes.buffer, address, count);
}

function workspace(scope: ArenaScope, cols: number) {
  const bytes = 256 * tilesOf(cols, 32);
  return {
    nodes: scope.allocate(2 ** widestDigit * blockBytes),
    message: scope.allocate(widestDigit * blockBytes),
    u: scope.allocate(bytes),
    v: scope.allocate(bytes),
  };
}
