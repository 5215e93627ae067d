/**
 * One-sided Beaver products (Beaver, CRYPTO 1991) of opened values. With e_x = x_o − ρ_x, e_y = y_o − ρ_y known to the client:
 *   x·y = x_c·y_c + x_c·e_y + e_x·y_c (client) + x_o·y_o (owner) + (x_c·ρ_y + ρ_x·y_c) (correlation).
 *
 * Computes: shares of the product, exactly. Nobody learns anything.
 * Online: nothing beyond the openings. Correlations: one of kind `matmul`, `square`, `sumOfSquares` or `scale` for the cross terms.
 */
import { multiplyMatrices } from '../kernels/matmul.ts';
import type { CorrelationSpec, ProductSpec } from '../offline/correlations.ts';
import {
  type ClientState,
  correlationKey,
  type LayerProtocol,
  noCost,
  type Op,
  type OwnerState,
  type Value,
} from './op.ts';
import type { Rounds } from './rounds.ts';

/** Z = X·Y for `batch` pairs: X (batch·rows, inner), Y (batch·inner, cols), Z (batch·rows, cols). */
export interface MatmulOp extends Op {
  readonly kind: 'matmul';
  readonly inputs: readonly [Value, Value];
  readonly output: Value;
  readonly batch: number;
}
/** x², element by element. */
export interface SquareOp extends Op {
  readonly kind: 'square';
  readonly inputs: readonly [Value];
  readonly output: Value;
}
/** Σ_j x_ij² of each row. */
export interface SumOfSquaresOp extends Op {
  readonly kind: 'sumOfSquares';
  readonly inputs: readonly [Value];
  readonly output: Value;
}
/** s_i·x_ij: inputs s (rows, 1) and x (rows, cols). */
export interface ScaleOp extends Op {
  readonly kind: 'scale';
  readonly inputs: readonly [Value, Value];
  readonly output: Value;
}
type ProductOp = MatmulOp | SquareOp | SumOfSquaresOp | ScaleOp;

/** The bilinear map itself, on words modulo 2^32. */
type Multiply<O extends ProductOp> = (op: O, left: Uint32Array, right: Uint32Array) => Uint32Array;

const multiplyBatch: Multiply<MatmulOp> = ({ inputs: [x, y], batch }, left, right) => {
  const rows = x.rows / batch;
  const inner = x.cols;
  const cols = y.cols;
  const out = new Uint32Array(batch * rows * cols);
  for (let b = 0; b < batch; b++) {
    const block = multiplyMatrices(
      left.subarray(b * rows * inner, (b + 1) * rows * inner),
      right.subarray(b * inner * cols, (b + 1) * inner * cols),
      rows,
      inner,
      cols,
    );
    out.set(block, b * rows * cols);
  }
  return out;
};
const multiplyElements: Multiply<SquareOp> = (_op, left, right) => left.map((value, i) => Math.imul(value, right[i]!));
const multiplyRows: Multiply<SumOfSquaresOp> = ({ inputs: [x] }, left, right) => {
  const sums = new Uint32Array(x.rows);
  for (let row = 0, i = 0; row < x.rows; row++) {
    let sum = 0;
    for (let j = 0; j < x.cols; j++, i++) sum = (sum + Math.imul(left[i]!, right[i]!)) | 0;
    sums[row] = sum;
  }
  return sums;
};
const scaleRows: Multiply<ScaleOp> = ({ inputs: [, x] }, left, right) => {
  const out = new Uint32Array(x.size);
  for (let row = 0, i = 0; row < x.rows; row++) {
    const s = left[row]!;
    for (let j = 0; j < x.cols; j++, i++) out[i] = Math.imul(s, right[i]!);
  }
  return out;
};

function addInto(sum: Uint32Array, ...terms: Uint32Array[]): Uint32Array {
  for (const term of terms) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + term[i]!;
  return sum;
}

/** Two different operands: X·(y_c + e_y) + e_x·y_c + v for the client, x_o·y_o + u for the owner. */
function twoOperands<O extends MatmulOp | ScaleOp>(
  title: string,
  multiply: Multiply<O>,
  spec: (op: O) => ProductSpec,
  names: readonly [string, string],
): LayerProtocol<O> {
  return {
    title,
    need({ inputs: [x, y], output }) {
      x.need(output.ringBits);
      y.need(output.ringBits);
    },
    cost: () => noCost,
    correlations: (op) => [spec(op)],
    presetClient() {},
    clientRequests: (op, client) => [
      { spec: spec(op), [names[0]]: client.share(op.inputs[0]), [names[1]]: client.share(op.inputs[1]) } as never,
    ],
    ownerRequests: (op, owner) => [
      {
        spec: spec(op),
        [`${names[0]}Mask`]: owner.mask(op.inputs[0]),
        [`${names[1]}Mask`]: owner.mask(op.inputs[1]),
      } as never,
    ],
    client: (op, client) =>
      locally(() => {
        const [x, y] = op.inputs;
        const yWhole = addInto(client.opening(y).slice(), client.share(y));
        const own = multiply(op, client.share(x), yWhole);
        client.set(op.output, addInto(own, multiply(op, client.opening(x), client.share(y)), client.product(op)));
      }),
    owner: (op, owner) =>
      locally(() => {
        const [x, y] = op.inputs;
        owner.set(op.output, addInto(multiply(op, owner.share(x), owner.share(y)), owner.product(op)));
      }),
    reference(op, reference) {
      const [x, y] = op.inputs.map((operand) => new Uint32Array(reference.value(operand).buffer));
      reference.set(op.output, new Int32Array(multiply(op, x!, y!).buffer));
    },
  };
}

/** One operand twice: x_c·(x_c + 2e) + v for the client, x_o·x_o + u for the owner. */
function oneOperand<O extends SquareOp | SumOfSquaresOp>(
  title: string,
  multiply: Multiply<O>,
  spec: (op: O) => ProductSpec,
): LayerProtocol<O> {
  return {
    title,
    need: ({ inputs: [x], output }) => x.need(output.ringBits),
    cost: () => noCost,
    correlations: (op) => [spec(op)],
    presetClient() {},
    clientRequests: (op: O, client: ClientState) => [{ spec: spec(op), x: client.share(op.inputs[0]) } as never],
    ownerRequests: (op: O, owner: OwnerState) => [{ spec: spec(op), xMask: owner.mask(op.inputs[0]) } as never],
    client: (op, client) =>
      locally(() => {
        const x = client.share(op.inputs[0]);
        const e = client.opening(op.inputs[0]);
        client.set(
          op.output,
          addInto(
            multiply(
              op,
              x,
              x.map((value, i) => value + 2 * e[i]!),
            ),
            client.product(op),
          ),
        );
      }),
    owner: (op, owner) =>
      locally(() => {
        const x = owner.share(op.inputs[0]);
        owner.set(op.output, addInto(multiply(op, x, x), owner.product(op)));
      }),
    reference(op, reference) {
      const x = new Uint32Array(reference.value(op.inputs[0]).buffer);
      reference.set(op.output, new Int32Array(multiply(op, x, x).buffer));
    },
  };
}

/** A side of a protocol that needs no message; deferred until its turn, as the others are. */
// biome-ignore lint/correctness/useYield: see above.
function* locally(compute: () => void): Rounds<void> {
  compute();
}

const base = (op: ProductOp) => ({ key: correlationKey(op), ringBits: op.output.ringBits });

export const matmul = twoOperands<MatmulOp>(
  'matrix product',
  multiplyBatch,
  (op): CorrelationSpec & { kind: 'matmul' } => ({
    kind: 'matmul',
    ...base(op),
    batch: op.batch,
    rows: op.inputs[0].rows / op.batch,
    inner: op.inputs[0].cols,
    cols: op.inputs[1].cols,
  }),
  ['x', 'y'],
);
export const square = oneOperand<SquareOp>('square', multiplyElements, (op) => ({
  kind: 'square',
  ...base(op),
  count: op.output.size,
}));
export const sumOfSquares = oneOperand<SumOfSquaresOp>('sum of squares', multiplyRows, (op) => ({
  kind: 'sumOfSquares',
  ...base(op),
  rows: op.inputs[0].rows,
  cols: op.inputs[0].cols,
}));
export const scale = twoOperands<ScaleOp>(
  'scalar × vector',
  scaleRows,
  (op) => ({ kind: 'scale', ...base(op), rows: op.output.rows, cols: op.output.cols }),
  ['s', 'x'],
);
