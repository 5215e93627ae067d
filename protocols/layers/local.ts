/**
 * What each party does to its own share: additions, sums, and moving elements about. Linear maps with public coefficients; they
 * cost nothing and need nothing.
 */
import type { PlanBuilder } from './builder.ts';
import { layerProtocol, locally, type Op, type Value } from './op.ts';

export interface LocalOp extends Op {
  readonly kind: 'local';
  readonly output: Value;
  readonly map: LinearMap;
}

/** A map on words modulo 2^32; it must be linear. */
interface LinearMap {
  (inputs: readonly Uint32Array[]): Uint32Array;
  /** Of one that moves elements: which element of the inputs, one after another, each is. */
  readonly index?: Uint32Array;
}

/** A public linear map of shares; the result has the fraction bits given (a division by 2^b is b more of them). */
export function local(
  plan: PlanBuilder,
  inputs: readonly Value[],
  rows: number,
  cols: number,
  map: LocalOp['map'],
  fracBits = inputs[0].fracBits,
): Value {
  const preset = inputs.every((input) => input.preset);
  const output = plan.value(rows, cols, fracBits, preset ? Math.max(...inputs.map((input) => input.stage)) : undefined);
  plan.add<LocalOp>({ kind: 'local', inputs, output, map });
  return output;
}

const apply = (op: LocalOp, state: { share(v: Value): Uint32Array; set(v: Value, x: Uint32Array): void }) =>
  state.set(op.output, op.map(op.inputs.map((input) => state.share(input))));

export const localProtocol = layerProtocol<LocalOp>({
  title: 'local',
  isShown: false,
  outputRing: 'ofInputs',
  need(op) {
    for (const input of op.inputs) input.need(op.output.ringBits);
  },
  presetClient(op, client) {
    if (op.output.preset) apply(op, client);
  },
  moved: (op) => op.map.index,
  client: (op, client) =>
    locally(() => {
      if (!op.output.preset) apply(op, client);
    }),
  owner: (op, owner) => locally(() => apply(op, owner)),
  reference(op, reference) {
    const inputs = op.inputs.map((input) => new Uint32Array(reference.value(input).buffer));
    reference.set(op.output, new Int32Array(op.map(inputs).buffer));
  },
});

/** ⌈log2 n⌉: a mean over n is a sum with that many more fraction bits, and a factor of n/2^⌈log2 n⌉ in (1/2, 1]. */
export const ceilLog2 = (n: number): number => Math.ceil(Math.log2(n));

// The maps are loops: a typed array's `map` calls a function for each element, which took a third of the reference's time.

/** x + y. */
export const add = ([x, y]: readonly Uint32Array[]): Uint32Array => {
  const sum = new Uint32Array(x.length);
  for (let i = 0; i < x.length; i++) sum[i] = x[i] + y[i];
  return sum;
};

/** Element i of the result is element index[i] of the inputs, one after another. */
export function gather(index: Uint32Array): LinearMap {
  const map = (inputs: readonly Uint32Array[]): Uint32Array => {
    let whole = inputs[0];
    if (inputs.length > 1) {
      whole = new Uint32Array(inputs.reduce((sum, input) => sum + input.length, 0));
      let at = 0;
      for (const input of inputs) {
        whole.set(input, at);
        at += input.length;
      }
    }
    const gathered = new Uint32Array(index.length);
    for (let i = 0; i < index.length; i++) gathered[i] = whole[index[i]];
    return gathered;
  };
  return Object.assign(map, { index });
}

/** Σ_j x_ij of each row. */
export const sumRows =
  (rows: number, cols: number) =>
  ([x]: readonly Uint32Array[]): Uint32Array => {
    const sums = new Uint32Array(rows);
    for (let row = 0, i = 0; row < rows; row++) for (let j = 0; j < cols; j++, i++) sums[row] = sums[row] + x[i];
    return sums;
  };

/** Σ_i x_ij of each column. */
export const sumColumns =
  (rows: number, cols: number) =>
  ([x]: readonly Uint32Array[]): Uint32Array => {
    const sums = new Uint32Array(cols);
    for (let row = 0, i = 0; row < rows; row++) for (let j = 0; j < cols; j++, i++) sums[j] = sums[j] + x[i];
    return sums;
  };

/** cols·x_ij − Σ_j x_ij: the deviation from the row's mean, times cols. */
export const centreRows =
  (rows: number, cols: number) =>
  ([x]: readonly Uint32Array[]): Uint32Array => {
    const sums = sumRows(rows, cols)([x]);
    const out = new Uint32Array(x.length);
    for (let row = 0, i = 0; row < rows; row++)
      for (let j = 0; j < cols; j++, i++) out[i] = Math.imul(x[i], cols) - sums[row];
    return out;
  };
