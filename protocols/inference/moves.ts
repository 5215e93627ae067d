/** Moving elements about: rows and columns taken out and put back, heads split and joined. Each is a gather of shares, at no cost. */
import type { PlanBuilder } from '../layers/builder.ts';
import { gather, local } from '../layers/local.ts';
import type { Value } from '../layers/op.ts';

/** The rows of x with these indices. */
export function takeRows(plan: PlanBuilder, x: Value, rows: readonly number[]): Value {
  if (rows.length === x.rows) return x;
  const index = Uint32Array.from(
    { length: rows.length * x.cols },
    (_, i) => rows[Math.floor(i / x.cols)] * x.cols + (i % x.cols),
  );
  return local(plan, [x], rows.length, x.cols, gather(index));
}

/** Puts parts back where their rows were taken from. */
export function mergeRows(
  plan: PlanBuilder,
  parts: readonly { rows: readonly number[]; value: Value }[],
  rows: number,
  cols: number,
): Value {
  if (parts.length === 1) return parts[0].value;
  const from = new Uint32Array(rows);
  let at = 0;
  for (const part of parts) for (const row of part.rows) from[row] = at++;
  const index = Uint32Array.from({ length: rows * cols }, (_, i) => from[Math.floor(i / cols)] * cols + (i % cols));
  return local(
    plan,
    parts.map((part) => part.value),
    rows,
    cols,
    gather(index),
  );
}

/** Columns `first` to `first + count` of x. */
export function takeColumns(plan: PlanBuilder, x: Value, first: number, count: number, fracBits: number): Value {
  const index = Uint32Array.from(
    { length: x.rows * count },
    (_, i) => Math.floor(i / count) * x.cols + first + (i % count),
  );
  return local(plan, [x], x.rows, count, gather(index), fracBits);
}

/** The parts' columns one after another; the parts have the same rows. */
export function besideColumns(plan: PlanBuilder, parts: readonly Value[]): Value {
  if (parts.length === 1) return parts[0];
  const rows = parts[0].rows;
  const cols = parts.reduce((sum, part) => sum + part.cols, 0);
  const index = new Uint32Array(rows * cols);
  let [from, first] = [0, 0];
  for (const part of parts) {
    for (let row = 0; row < rows; row++) for (let j = 0; j < part.cols; j++) index[row * cols + first + j] = from++;
    first += part.cols;
  }
  return local(plan, parts, rows, cols, gather(index));
}

/** Columns `first` … of x, headDim for each head: (heads·rows, headDim). */
export function headsAsRows(
  plan: PlanBuilder,
  x: Value,
  first: number,
  heads: number,
  headDim: number,
  fracBits: number,
): Value {
  const index = Uint32Array.from({ length: heads * x.rows * headDim }, (_, i) => {
    const [head, row, d] = [Math.floor(i / (x.rows * headDim)), Math.floor(i / headDim) % x.rows, i % headDim];
    return row * x.cols + first + head * headDim + d;
  });
  return local(plan, [x], heads * x.rows, headDim, gather(index), fracBits);
}

/** The same columns, transposed: (heads·headDim, rows). */
export function headsAsColumns(
  plan: PlanBuilder,
  x: Value,
  first: number,
  heads: number,
  headDim: number,
  fracBits: number,
): Value {
  const index = Uint32Array.from(
    { length: heads * headDim * x.rows },
    (_, i) => (i % x.rows) * x.cols + first + Math.floor(i / x.rows),
  );
  return local(plan, [x], heads * headDim, x.rows, gather(index), fracBits);
}

/** (heads·rows, headDim) → (rows, heads·headDim). */
export function joinHeads(plan: PlanBuilder, x: Value, heads: number): Value {
  const [rows, headDim] = [x.rows / heads, x.cols];
  const cols = heads * headDim;
  const index = Uint32Array.from({ length: rows * cols }, (_, i) => {
    const [row, head, d] = [Math.floor(i / cols), Math.floor((i % cols) / headDim), i % headDim];
    return (head * rows + row) * headDim + d;
  });
  return local(plan, [x], rows, cols, gather(index));
}
