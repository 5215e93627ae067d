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
import { blockBytes, type CotKernel } from '../kernels/cot.ts';
import { reverseCost } from '../ot/cot.ts';
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import type { ScaleSpec } from './correlations.ts';
import {
  type ClientContext,
  type ClientPart,
  noCost,
  type OwnerContext,
  type OwnerPart,
  type PartCost,
} from './otPart.ts';

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
      const cost = sent + expanded + best[offset + width]!.cost;
      if (best[offset] === undefined || cost < best[offset]!.cost)
        best[offset] = { cost, digit: { offset, width, laneBits } };
    }
  }
  const digits: Digit[] = [];
  for (let offset = 0; offset < ringBits; offset += digits.at(-1)!.width) digits.push(best[offset]!.digit!);
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

/** Cost of `rows` rows of a scale; additive over pieces whose rows are multiples of 8. */
export function scalePartCost({ ringBits, cols }: ScaleSpec, rows: number): PartCost {
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

/** Tweaks of the two directions never meet. */
const reverseTweak = 2 ** 31;

/** Rows `from` … `from + rows − 1` of a scale: adds the client's shares to `result`. */
export class ScaleClient implements ClientPart {
  readonly cost: PartCost;
  #reverse: number | undefined;

  constructor(
    private readonly spec: ScaleSpec,
    private readonly s: Uint32Array,
    private readonly x: Uint32Array,
    private readonly result: Uint32Array,
    private readonly from: number,
    private readonly rows: number,
  ) {
    this.cost = scalePartCost(spec, rows);
  }

  /** The client's scalars choose: its COTs in the other direction, and its choices. */
  open({ kernel, drawReverse }: ClientContext): Uint8Array {
    const { piece, message } = drawReverse(this.cost.reverseCots);
    this.#reverse = piece.address;
    return concat([
      message,
      chooseScalars(kernel, piece.address, this.s.subarray(this.from, this.from + this.rows), this.spec.ringBits),
    ]);
  }

  answer({ kernel, cots, delta, low, high }: ClientContext, choose: Uint8Array): Uint8Array {
    const { spec, from, rows } = this;
    const { cols, ringBits } = spec;
    const choiceBytes = rowChoices(ringBits, rows);
    const vectors = vectorTerms(kernel, spec, this.x.subarray(from * cols), rows, this.result.subarray(from * cols), {
      cots,
      delta,
      low,
      high,
      flips: choose.subarray(0, choiceBytes),
    });
    scalarTerms(
      kernel,
      spec,
      this.s.subarray(from, from + rows),
      rows,
      this.result.subarray(from * cols),
      choose.subarray(choiceBytes),
      {
        cots: this.#reverse!,
        low,
        high: high + reverseTweak,
      },
    );
    kernel.arena.release(this.#reverse!);
    return vectors;
  }
}

/** The owner's side of `ScaleClient`. */
export class ScaleOwner implements OwnerPart {
  readonly cost: PartCost;
  #keys: number | undefined;
  #low = 0;
  #high = 0;

  constructor(
    private readonly spec: ScaleSpec,
    private readonly s: Uint32Array,
    private readonly x: Uint32Array,
    private readonly result: Uint32Array,
    private readonly from: number,
    private readonly rows: number,
  ) {
    this.cost = scalePartCost(spec, rows);
  }

  choose({ kernel, cots, low, high, drawReverse, reverseDelta }: OwnerContext, open: Uint8Array): Uint8Array {
    const { spec, from, rows, cost } = this;
    const { cols, ringBits } = spec;
    const correctionBytes = reverseCost(cost.reverseCots);
    const reverse = drawReverse(cost.reverseCots, open.subarray(0, correctionBytes)).address;
    const vectors = vectorTerms(kernel, spec, this.x.subarray(from * cols), rows, this.result.subarray(from * cols), {
      cots: reverse,
      delta: reverseDelta,
      low,
      high: high + reverseTweak,
      flips: open.subarray(correctionBytes),
    });
    kernel.arena.release(reverse);
    this.#keys = kernel.put(kernel.bytes(cots, cost.cots * blockBytes).slice());
    this.#low = low;
    this.#high = high;
    return concat([chooseScalars(kernel, cots, this.s.subarray(from, from + rows), ringBits), vectors]);
  }

  finish(kernel: CotKernel, answer: Uint8Array): void {
    const { spec, from, rows } = this;
    scalarTerms(
      kernel,
      spec,
      this.s.subarray(from, from + rows),
      rows,
      this.result.subarray(from * spec.cols),
      answer,
      {
        cots: this.#keys!,
        low: this.#low,
        high: this.#high,
      },
    );
    kernel.arena.release(this.#keys!);
  }
}

/** Bits by which the random choices (the keys' least significant bits) must be flipped: a tree's hole is the complement of its choices. */
function chooseScalars(kernel: CotKernel, cots: number, scalars: Uint32Array, ringBits: number): Uint8Array {
  const flips = new Uint8Array(rowChoices(ringBits, scalars.length));
  const keys = kernel.words(cots, 4 * scalars.length * ringBits);
  for (let i = 0, at = 0; i < scalars.length; i++) {
    for (let b = 0; b < ringBits; b++, at++)
      flips[at >> 3]! |= ((keys[4 * at]! ^ (scalars[i]! >>> b) ^ 1) & 1) << (at & 7);
  }
  return flips;
}

interface VectorSide {
  readonly cots: number;
  readonly delta: number;
  readonly low: number;
  readonly high: number;
  readonly flips: Uint8Array;
}

/** The vector's party: adds Σ_digits v·2^offset to `result`, and returns trees and corrections. */
function vectorTerms(
  kernel: CotKernel,
  { ringBits, cols }: ScaleSpec,
  x: Uint32Array,
  rows: number,
  result: Uint32Array,
  { cots, delta, low, high, flips }: VectorSide,
): Uint8Array {
  const { nodes, message, u, v, release } = workspace(kernel, cols);
  const out = new Uint8Array(rows * vectorRowBytes(ringBits, cols));
  let at = 0;
  // A flipped choice is a key with Δ added.
  const keys = kernel.words(cots, 4 * rows * ringBits);
  const deltaWords = kernel.words(delta, 4).slice();
  for (let i = 0; i < rows * ringBits; i++) {
    const flip = -((flips[i >> 3]! >> (i & 7)) & 1);
    for (let word = 0; word < 4; word++) keys[4 * i + word]! ^= deltaWords[word]! & flip;
  }
  for (let row = 0; row < rows; row++) {
    for (const { offset, width, laneBits } of digitsOf(ringBits, cols)) {
      const first = row * ringBits + offset;
      kernel.ggmSend(nodes, width, cots + first * blockBytes, delta, message, low + first, high, false);
      kernel.voleFold(nodes, 2 ** width, -1, laneBits, tilesOf(cols, laneBits), u, v, low + first, high);
      const treeBytes = (width - 1) * blockBytes;
      out.set(kernel.bytes(message, treeBytes), at);
      at += treeBytes;
      const sum = lanesAt(kernel, u, cols, laneBits);
      const weighted = lanesAt(kernel, v, cols, laneBits);
      const correction = new Uint32Array(cols);
      for (let j = 0; j < cols; j++) {
        correction[j] = x[row * cols + j]! - sum[j]!;
        result[row * cols + j]! += weighted[j]! << offset;
      }
      const packed = pack(correction, ringBits - offset);
      out.set(packed, at);
      at += packed.length;
    }
  }
  release();
  return out;
}

/** The scalar's party: adds Σ_digits (σ·(correction + u) − v)·2^offset to `result`, u and v without the missing leaf. */
function scalarTerms(
  kernel: CotKernel,
  { ringBits, cols }: ScaleSpec,
  scalars: Uint32Array,
  rows: number,
  result: Uint32Array,
  bytes: Uint8Array,
  { cots, low, high }: { readonly cots: number; readonly low: number; readonly high: number },
): void {
  const { nodes, message, u, v, release } = workspace(kernel, cols);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (const { offset, width, laneBits } of digitsOf(ringBits, cols)) {
      const first = row * ringBits + offset;
      const digit = (scalars[row]! >>> offset) & (2 ** width - 1);
      const treeBytes = (width - 1) * blockBytes;
      kernel.bytes(message, treeBytes).set(bytes.subarray(at, at + treeBytes));
      at += treeBytes;
      kernel.ggmReceive(nodes, width, cots + first * blockBytes, ~digit, message, low + first, high, false);
      kernel.voleFold(nodes, 2 ** width, digit, laneBits, tilesOf(cols, laneBits), u, v, low + first, high);
      const packed = packedBytes(cols, ringBits - offset);
      const correction = unpack(bytes.subarray(at, at + packed), cols, ringBits - offset);
      at += packed;
      const sum = lanesAt(kernel, u, cols, laneBits);
      const weighted = lanesAt(kernel, v, cols, laneBits);
      for (let j = 0; j < cols; j++) {
        result[row * cols + j]! += (Math.imul(digit, correction[j]! + sum[j]!) - weighted[j]!) << offset;
      }
    }
  }
  release();
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

function workspace(kernel: CotKernel, cols: number) {
  const { arena } = kernel;
  const bytes = 256 * tilesOf(cols, 32);
  const nodes = arena.allocate(2 ** widestDigit * blockBytes);
  const message = arena.allocate(widestDigit * blockBytes);
  const u = arena.allocate(bytes);
  const v = arena.allocate(bytes);
  return {
    nodes,
    message,
    u,
    v,
    release() {
      for (const address of [nodes, message, u, v]) arena.release(address);
    },
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
