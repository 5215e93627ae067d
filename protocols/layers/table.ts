/**
 * A function of a shared value by one table lookup: the core of spline.ts and exp.ts.
 *
 * The value is read modulo 2^K, as u = x − minimum in [0, 2^K), in segments of w = 2^(K−m). The owner splits its share into a digit
 * i = u_o div w and a rest l = u_o mod w, so that u = (u_c + i·w) + l **exactly** modulo 2^K. The client knows u_c + i·w for every
 * possible digit i, and that only l in [0, w) is missing: its table holds, for each i, the coefficients of the function on
 * [u_c + i·w, u_c + i·w + w) in terms of functions of l, which the owner knows in the clear. So the lookup gives shares of
 * coefficients C_d, and f(x) = C_0 + Σ_d C_d·B_d(l) needs one product with numbers that are the owner's alone: with a coefficient's share κ
 * of the client's, Σ_b κ·2^b·(bit b of B_d), each term by a correlated OT with a random choice x. Where the choice is the bit, the owner adds
 * its key h + x·κ and the client −h; where it is not, the owner subtracts its key and the client adds κ + h.
 * (SIRNN's digit decomposition, Rathee et al., S&P 2021, §V, needs digits without a carry, intervals of 2w, and a product of two
 * shared values for every power; folding the client's exact position into its table needs neither.)
 * The interval that crosses 2^K goes on above the top: values in the lowest segment are out of the domain.
 *
 * Computes: shares of Σ_d C_d·B_d before truncation. Nobody learns anything.
 * Online, per element: m bits and `terms` numbers of `basisBits` bits →, 2^m·columns ring elements ←, one flight each way; any x_c.
 * Correlations: a random 1-of-2^m OT of `columns` ring elements (the client is the sender), `ringCot`s for `terms` factors.
 */

import type { OtSpec, RingCotSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import { xor } from '../sharing/words.ts';
import {
  type ClientState,
  correlationKey,
  type LayerProtocol,
  layerProtocol,
  type Op,
  type OwnerState,
  type ReferenceState,
  Slot,
  type Value,
} from './op.ts';
import { receive, send } from './rounds.ts';
import type { DomainLike } from './specs.ts';

/** An operation by one lookup. */
export interface LookupOp extends Op {
  readonly output: Value;
}

export interface TableOp extends LookupOp, DomainLike {
  readonly inputs: readonly [Value];
  /** The function is evaluated at x·inputScale; the domain is that of x. */
  readonly inputScale: number;
  /** Of a table that serves a part of the arguments: what all of them are in; by default the domain without its lowest segment. */
  readonly extent?: Interval;
}

/** Both ends included. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** What the owner reads off its shares: choices, numbers, (elements, terms), and what it adds to each result. */
export interface OwnersPart {
  readonly choices: Uint32Array;
  readonly basis: Uint32Array;
  readonly addends?: Uint32Array;
}

/** What distinguishes one kind of lookup from another. */
export interface Lookup<O extends LookupOp> {
  readonly title: string;
  /** 1 when the first column is a constant, which needs no product. */
  readonly constants: 0 | 1;
  /** Number of columns that are multiplied by a number of the owner's. */
  terms(op: O): number;
  /** Bits of those numbers; larger ones are cut to the largest such number. */
  basisBits(op: O): number;
  choiceBits(op: O): number;
  /** Notes on the inputs how many bits they need. */
  need(op: O): void;
  owners(op: O, owner: OwnerState): OwnersPart;
  /** What the client's table holds for an element and a choice, written to `entry`, as integers. */
  entries(op: O, client: ClientState): (element: number, choice: number, entry: Float64Array) => void;
  /** The result at so many fraction bits. */
  reference(op: O, fracBits: number, reference: ReferenceState): Int32Array;
}

/** What distinguishes one function's table from another's. */
export interface TableFunction<O extends TableOp> {
  readonly title: string;
  /** 1 when the first column is a constant, which needs no product. */
  readonly constants: 0 | 1;
  /** Number of columns that are multiplied by a basis function. */
  terms(op: O): number;
  /** Bits of a basis function's values; larger ones are cut to the largest such number. */
  basisBits(op: O): number;
  /** The `terms` basis functions at l = t·w, as integers; t in [0, 1). */
  basis(op: O, t: number, out: Uint32Array, at: number): void;
  /**
   * What writes the columns (constants, then terms) for the interval that begins at `start`, as integers: asked once for a table of many
   * entries, so that what depends on the operation alone is computed once.
   */
  columns(op: O): (start: number, out: Float64Array) => void;
  /** The function itself. */
  evaluate(op: O): (x: number) => number;
}

/** w, as the function sees it. */
export const segmentWidth = ({ rangeBits, digitBits }: DomainLike): number => 2 ** (rangeBits - digitBits);

/** Where the segment of x begins, taken in the middle of all that it may be. In the lowest segment it begins there. */
export const middleStart = (domain: DomainLike, x: number): number =>
  Math.max(x - segmentWidth(domain) / 2, domain.minimum);

/** K, the segment's width, and the minimum as an integer. */
export function domainOf(op: TableOp) {
  const x = op.inputs[0];
  const domainBits = op.rangeBits + x.fracBits;
  const widthBits = domainBits - op.digitBits;
  if (domainBits > 32 || widthBits < 1) {
    throw new RangeError(
      `${op.step}: domain of ${domainBits} bits in 2^${op.digitBits} segments: expected at most 32 bits and at least 2 points each`,
    );
  }
  return {
    domainBits,
    widthBits,
    minimum: Math.round(op.minimum * 2 ** x.fracBits) | 0,
    unit: 2 ** -x.fracBits,
    width: segmentWidth(op),
  };
}

/** The lookup of a function in segments of its argument. */
export function segments<O extends TableOp>(fn: TableFunction<O>): Lookup<O> {
  return {
    title: fn.title,
    constants: fn.constants,
    terms: (op) => fn.terms(op),
    basisBits: (op) => fn.basisBits(op),
    choiceBits: ({ digitBits }) => digitBits,
    need: (op) => op.inputs[0].need(domainOf(op).domainBits),

    owners(op, owner) {
      const { domainBits, widthBits, minimum } = domainOf(op);
      const { size } = op.output;
      const terms = fn.terms(op);
      const x = owner.share(op.inputs[0]);
      const choices = new Uint32Array(size);
      const basis = new Uint32Array(size * terms);
      for (let i = 0; i < size; i++) {
        const u = ((x[i] - minimum) & maskOf(domainBits)) >>> 0;
        choices[i] = u >>> widthBits;
        fn.basis(op, (u & maskOf(widthBits)) / 2 ** widthBits, basis, i * terms);
      }
      const largest = maskOf(fn.basisBits(op));
      for (let i = 0; i < basis.length; i++) basis[i] = Math.min(basis[i], largest);
      return { choices, basis };
    },

    entries(op, client) {
      const { domainBits, widthBits, unit } = domainOf(op);
      const domainMask = maskOf(domainBits);
      const columns = fn.columns(op);
      const x = client.share(op.inputs[0]);
      return (i, choice, entry) => {
        // The owner has subtracted the minimum.
        const start = ((x[i] + shiftedDigit(choice, widthBits)) & domainMask) >>> 0;
        columns(op.minimum + start * unit, entry);
        for (let d = 0; d < entry.length; d++) entry[d] = Math.round(entry[d]);
      };
    },

    /**
     * Of the argument as the parties read it: modulo 2^rangeBits. In the lowest segment, where the sharing decides, that of intervals which
     * begin there.
     */
    reference(op, fracBits, reference) {
      const { domainBits, minimum, unit, width } = domainOf(op);
      const mask = maskOf(domainBits);
      const x = reference.value(op.inputs[0]);
      const { from, to } = op.extent ?? { from: op.minimum + width, to: op.minimum + 2 ** op.rangeBits };
      reference.check(op, x, from / unit, to / unit);
      const scale = 2 ** fracBits;
      const evaluate = fn.evaluate(op);
      const read = (value: number) => (((value - minimum) & mask) >>> 0) + minimum;
      return x.map((value) => Math.round(evaluate(read(value) * unit) * scale));
    },
  };
}

export function tableProtocol<O extends LookupOp>(fn: Lookup<O>): LayerProtocol<O> {
  const columnsOf = (op: O) => fn.constants + fn.terms(op);
  const otSpec = (op: O): OtSpec => ({
    kind: 'ot',
    key: correlationKey(op, 'ot'),
    ringBits: op.output.ringBits,
    count: op.output.size,
    choiceBits: fn.choiceBits(op),
    words: columnsOf(op),
  });
  /** Bits of the basis that matter in the output's ring. */
  const factorBits = (op: O) => Math.min(fn.basisBits(op), op.output.ringBits);
  const ringCotSpec = (op: O): RingCotSpec => ({
    kind: 'ringCot',
    key: correlationKey(op, 'bits'),
    ringBits: op.output.ringBits,
    count: op.output.size * fn.terms(op),
    factorBits: factorBits(op),
  });
  const entries = (op: O) => op.output.size * 2 ** fn.choiceBits(op) * columnsOf(op);
  /** The client's shares of the coefficients, fresh: (elements, columns). Its share of the result is known online only. */
  const coefficients = new Slot<Uint32Array>('coefficients');

  return layerProtocol<O>({
    title: fn.title,
    need: (op) => fn.need(op),
    cost: (op) => ({
      ownerToClient:
        packedBytes(op.output.size, fn.choiceBits(op)) + packedBytes(op.output.size * fn.terms(op), factorBits(op)),
      clientToOwner: packedBytes(entries(op), op.output.ringBits),
    }),
    correlations: (op) => (fn.terms(op) > 0 ? [otSpec(op), ringCotSpec(op)] : [otSpec(op)]),
    presetClient: (op, client) => coefficients.put(client, op, client.random.words(op.output.size * columnsOf(op))),
    clientRequests(op, client) {
      const terms = fn.terms(op);
      if (terms === 0) return [{ spec: otSpec(op) }];
      const columns = columnsOf(op);
      const own = coefficients.get(client, op);
      const c = new Uint32Array(op.output.size * terms);
      for (let i = 0; i < op.output.size; i++) {
        for (let d = 0; d < terms; d++) c[i * terms + d] = own[i * columns + fn.constants + d];
      }
      return [{ spec: otSpec(op) }, { spec: ringCotSpec(op), c }];
    },
    ownerRequests: (op) =>
      fn.terms(op) > 0 ? [{ spec: otSpec(op) }, { spec: ringCotSpec(op) }] : [{ spec: otSpec(op) }],

    *client(op, client) {
      const { ringBits, size } = op.output;
      const terms = fn.terms(op);
      const columns = columnsOf(op);
      const choiceBits = fn.choiceBits(op);
      const choices = 2 ** choiceBits;

      const shifts = unpack(yield* receive(op.step, packedBytes(size, choiceBits)), size, choiceBits);
      const bits = factorBits(op);
      const flips = unpack(yield* receive(op.step, packedBytes(size * terms, bits)), size * terms, bits);
      const own = coefficients.get(client, op);
      const { messages } = client.ot(op);

      const table = new Uint32Array(entries(op));
      const entryOf = fn.entries(op, client);
      const entry = new Float64Array(columns);
      for (let i = 0, out = 0; i < size; i++) {
        for (let choice = 0; choice < choices; choice++) {
          entryOf(i, choice, entry);
          const key = (i * choices + (choice ^ shifts[i])) * columns;
          // Reduced first: a double of 2^53 or more would round the masks' low bits away.
          for (let d = 0; d < columns; d++, out++)
            table[out] = (entry[d] >>> 0) - own[i * columns + d] + messages[key + d];
        }
      }
      yield* send(op.step, pack(table, ringBits));

      const { keys } = terms > 0 ? client.ringCot(op) : noKeys;
      const share = new Uint32Array(size);
      for (let i = 0, cot = 0; i < size; i++) {
        let sum = fn.constants ? own[i * columns] : 0;
        for (let d = 0; d < terms; d++) {
          const coefficient = own[i * columns + fn.constants + d];
          const flip = flips[i * terms + d];
          for (let b = 0; b < bits; b++, cot++) {
            const key = keys[cot];
            sum = (sum + (((flip >>> b) & 1 ? coefficient + key : -key) << b)) | 0;
          }
        }
        share[i] = sum;
      }
      client.set(op.output, share);
    },

    *owner(op, owner) {
      const { ringBits, size } = op.output;
      const terms = fn.terms(op);
      const columns = columnsOf(op);
      const bits = factorBits(op);
      const { choices: chosen, basis, addends } = fn.owners(op, owner);
      const ot = owner.ot(op);
      const { choices, keys } = terms > 0 ? owner.ringCot(op) : noKeys;
      const flips = xor(basis, choices);
      yield* send(op.step, pack(xor(chosen, ot.choices), fn.choiceBits(op)));
      yield* send(op.step, pack(flips, bits));

      const table = unpack(yield* receive(op.step, packedBytes(entries(op), ringBits)), entries(op), ringBits);
      const share = new Uint32Array(size);
      for (let i = 0, cot = 0; i < size; i++) {
        const row = (i * 2 ** fn.choiceBits(op) + chosen[i]) * columns;
        let sum = addends?.[i] ?? 0;
        if (fn.constants) sum = (sum + table[row] - ot.messages[i * columns]) | 0;
        for (let d = 0; d < terms; d++) {
          const coefficient = table[row + fn.constants + d] - ot.messages[i * columns + fn.constants + d];
          sum = (sum + Math.imul(coefficient, basis[i * terms + d])) | 0;
          const flip = flips[i * terms + d];
          for (let b = 0; b < bits; b++, cot++) {
            const key = keys[cot];
            sum = (sum + (((flip >>> b) & 1 ? -key : key) << b)) | 0;
          }
        }
        share[i] = sum;
      }
      owner.set(op.output, share);
    },

    reference: (op, reference) => reference.set(op.output, fn.reference(op, op.output.fracBits, reference)),
  });
}

const noKeys = { choices: new Uint32Array(0), keys: new Uint32Array(0) };

const shiftedDigit = (digit: number, bits: number) => (bits >= 32 ? 0 : digit << bits);
