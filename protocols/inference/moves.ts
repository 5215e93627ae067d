/** Moving elements about: rows and columns taken out and put back, heads split and joined. Each is a gather of shares, at no cost. */
import type { PlanBuilder } from '../layers/builder.ts';
import { gather, local } from '../layers/local.ts';
import type { Value } from '../layers/op.ts';

/** The rows of x with these indices. */
export function takeRows(plan: PlanBuilder, x: Value, rows: readonly number[]): Value {
  if (rows.length === x.rows) return x;
  const index = Uint32Array.from(
    { length: rows.length * x.cols },
    (_, i) => rows[Math.floor(i / x.cols)]! * x.cols + (i % x.cols),
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
  if (parts.length === 1) return parts[0]!.value;
  const from = new Uint32Array(rows);
  let at = 0;
  for (const part of parts) for (const row of part.rows) from[row] = at++;
  const index = Uint32Array.from({ length: rows * cols }, (_, i) => from[Math.floor(i / cols)]! * cols + (i % cols));
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

/** The columns of x, then those of y. */
export function besideColumns(plan: PlanBuilder, x: Value, y: Value): Value {
  const cols = x.cols + y.cols;
  const index = Uint32Array.from({ length: x.rows * cols }, (_, i) => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    return col < x.cols ? row * x.cols + col : x.rows * x.cols + row * y.cols + col - x.cols;
  });
  return local(plan, [x, y], x.rows, cols, gather(index));
}

/** (tokens, at least 3·dim) → q (heads·tokens, headDim), k transposed (heads·headDim, tokens), v (heads·tokens, headDim). */
export function splitHeads(
  plan: PlanBuilder,
  qkv: Value,
  tokens: number,
  dim: number,
  headDim: number,
  fracBits: readonly number[],
): Value[] {
  const heads = dim / headDim;
  const size = tokens * dim;
  const rowsOf = (third: number) =>
    gather(
      Uint32Array.from({ length: size }, (_, i) => {
        const [head, token, d] = [Math.floor(i / (tokens * headDim)), Math.floor(i / headDim) % tokens, i % headDim];
        return token * qkv.cols + third * dim + head * headDim + d;
      }),
    );
  const columnsOf = (third: number) =>
    gather(
      Uint32Array.from({ length: size }, (_, i) => {
        const [channel, token] = [Math.floor(i / tokens), i % tokens];
        return token * qkv.cols + third * dim + channel;
      }),
    );
  return [
    local(plan, [qkv], heads * tokens, headDim, rowsOf(0), fracBits[0]),
    local(plan, [qkv], heads * headDim, tokens, columnsOf(1), fracBits[1]),
    local(plan, [qkv], heads * tokens, headDim, rowsOf(2), fracBits[2]),
  ];
}

/** (heads·tokens, headDim) → (tokens, dim). */
export function joinHeads(plan: PlanBuilder, x: Value, tokens: number, dim: number, headDim: number): Value {
  const index = Uint32Array.from({ length: tokens * dim }, (_, i) => {
    const [token, head, d] = [Math.floor(i / dim), Math.floor((i % dim) / headDim), i % headDim];
    return (head * tokens + token) * headDim + d;
  });
  return local(plan, [x], tokens, dim, gather(index));
}
