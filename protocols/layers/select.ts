/**
 * One of several shared values of the same scale, by shared bits: of values F_0 … F_n and bits b_1 … b_n it is F_j of the largest j whose bit is
 * 1, and F_0 where none is. The levels of a spline (spline.ts) are looked up side by side, and the one that serves the argument is selected.
 *
 * One lookup (table.ts), whose choice is the owner's bits: the client, who knows its own, has for each choice its share of the value chosen, and
 * as factors of the owner's F_j − F_0, j = 1 … n, all 0 but the chosen one, which is 1. The owner adds its F_0. A multiplexer by oblivious transfer (SIRNN, Rathee et
 * al., S&P 2021, §III), whose messages are longer so that one direction of transfers serves, and the two selections are one.
 *
 * Computes: shares of the value, exactly. Nobody learns anything.
 * Online, per element of ℓ bits: n bits and n numbers of ℓ bits →, 2^n·(n + 1) numbers of ℓ bits ← (`scalarSelect`: one more, and the client
 * knows its share ahead), one flight each way. Correlations: as table.ts.
 */
import { maskOf } from '../sharing/packing.ts';
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import { type Lookup, type LookupOp, tableProtocol } from './table.ts';
import { type WideTableOp, wideTableProtocol } from './wideTable.ts';

export interface SelectOp extends LookupOp {
  readonly kind: 'select' | 'scalarSelect';
  /** F_0 … F_n, then b_1 … b_n. */
  readonly inputs: readonly Value[];
}
/** By wideTable.ts, without a truncation. */
export interface ScalarSelectOp extends SelectOp, WideTableOp {
  readonly kind: 'scalarSelect';
}

/** @param values F_0 … F_n, all of one shape and scale. @param bits b_1 … b_n, modulo 2. */
export function select(plan: PlanBuilder, values: readonly Value[], bits: readonly Value[]): Value {
  const [{ rows, cols, fracBits }] = values;
  const output = plan.value(rows, cols, fracBits);
  plan.add<SelectOp>({ kind: 'select', inputs: [...values, ...bits], output });
  return output;
}

/** The same; the client knows its share of the result ahead. */
export function scalarSelect(plan: PlanBuilder, values: readonly Value[], bits: readonly Value[]): Value {
  const [{ rows, cols, fracBits }] = values;
  const output = plan.value(rows, cols, fracBits, 0);
  plan.add<ScalarSelectOp>({ kind: 'scalarSelect', inputs: [...values, ...bits], output, dropBits: 0 });
  return output;
}

const partsOf = ({ inputs }: SelectOp) => {
  const levels = (inputs.length + 1) / 2;
  return { values: inputs.slice(0, levels), bits: inputs.slice(levels) };
};

/** A party's bits of each element as one number, b_1 the lowest. */
function bitsOf(op: SelectOp, read: (value: Value) => Uint32Array | Int32Array): Uint32Array {
  const numbers = new Uint32Array(op.output.size);
  partsOf(op).bits.forEach((value, j) => {
    const bits = read(value);
    for (let i = 0; i < numbers.length; i++) numbers[i] |= (bits[i] & 1) << j;
  });
  return numbers;
}

/** j of the largest b_j that is 1; 0 where none is. */
const levelOf = (bits: number): number => 32 - Math.clz32(bits);

const selection: Lookup<SelectOp> = {
  title: 'selection',
  constants: 1,
  terms: (op) => partsOf(op).bits.length,
  basisBits: ({ output }) => output.ringBits,
  choiceBits: (op) => partsOf(op).bits.length,
  need(op) {
    const { values, bits } = partsOf(op);
    for (const value of values) value.need(op.output.ringBits);
    for (const bit of bits) bit.need(1);
  },

  owners(op, owner) {
    const { values, bits } = partsOf(op);
    const mask = maskOf(op.output.ringBits);
    const [lowest, ...others] = values.map((value) => owner.share(value));
    const basis = new Uint32Array(op.output.size * bits.length);
    others.forEach((share, j) => {
      for (let i = 0; i < share.length; i++) basis[i * bits.length + j] = (share[i] - lowest[i]) & mask;
    });
    return { choices: bitsOf(op, (value) => owner.share(value)), basis, addends: lowest };
  },

  entries(op, client) {
    const shares = partsOf(op).values.map((value) => client.share(value));
    const own = bitsOf(op, (value) => client.share(value));
    return (i, choice, entry) => {
      const level = levelOf(choice ^ own[i]);
      entry.fill(0);
      entry[0] = shares[level][i];
      if (level > 0) entry[level] = 1;
    };
  },

  reference(op, _fracBits, reference) {
    const values = partsOf(op).values.map((value) => reference.value(value));
    return Int32Array.from(
      bitsOf(op, (value) => reference.value(value)),
      (bits, i) => values[levelOf(bits)][i],
    );
  },
};

export const selectProtocol = tableProtocol(selection);
export const scalarSelectProtocol = wideTableProtocol<ScalarSelectOp>(selection);
