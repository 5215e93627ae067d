/**
 * One-sided Beaver products (Beaver, CRYPTO 1991) of opened values. With e_x = x_o − ρ_x, e_y = y_o − ρ_y known to the client:
 *   x·y = x_c·y_c + x_c·e_y + e_x·y_c (client) + x_o·y_o (owner) + (x_c·ρ_y + ρ_x·y_c) (correlation).
 *
 * Computes: shares of the product, exactly. Nobody learns anything.
 * Online: nothing beyond the openings. Correlations: one of kind `matmul`, `square`, `sumOfSquares` or `scale` for the cross terms.
 */
import { multiplyMatrices } from '../kernels/matmul.ts';
import type {
  ClientRequest,
  MatmulSpec,
  OwnerRequest,
  ProductSpec,
  ScaleSpec,
  SquareSpec,
  SumOfSquaresSpec,
} from '../offline/correlations.ts';
import type { PlanBuilder } from './builder.ts';
import { ceilLog2 } from './local.ts';
import {
  correlationKey,
  type LayerProtocol,
  layerProtocol,
  locally,
  type Op,
  stageOfInputs,
  type Value,
} from './op.ts';
import { open } from './open.ts';

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

/** @param x (batch·rows, inner). @param y (batch·inner, cols). */
export function matmul(
  plan: PlanBuilder,
  x: Value,
  y: Value,
  batch: number,
  fracBits = x.fracBits + y.fracBits,
): Value {
  open(plan, x);
  open(plan, y);
  const output = plan.value(x.rows, y.cols, fracBits);
  plan.add<MatmulOp>({ kind: 'matmul', inputs: [x, y], output, batch });
  return output;
}

export function square(plan: PlanBuilder, x: Value, fracBits = 2 * x.fracBits): Value {
  open(plan, x);
  const output = plan.value(x.rows, x.cols, fracBits);
  plan.add<SquareOp>({ kind: 'square', inputs: [x], output });
  return output;
}

/**
 * Σ_j x_ij²·2^-⌈log2 n⌉ of each row of n: the mean square times n/2^⌈log2 n⌉, which is in (1/2, 1]. The division is in the fraction bits;
 * whoever reads the value takes the factor into its table (`inputScale`).
 */
export function meanSquare(plan: PlanBuilder, x: Value): Value {
  open(plan, x);
  const output = plan.value(x.rows, 1, 2 * x.fracBits + ceilLog2(x.cols));
  plan.add<SumOfSquaresOp>({ kind: 'sumOfSquares', inputs: [x], output });
  return output;
}

/** @param s (rows, 1). @param x (rows, cols). */
export function scale(plan: PlanBuilder, s: Value, x: Value, fracBits = s.fracBits + x.fracBits): Value {
  open(plan, s);
  open(plan, x);
  const output = plan.value(x.rows, x.cols, fracBits);
  plan.add<ScaleOp>({ kind: 'scale', inputs: [s, x], output });
  return output;
}

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
const multiplyElements: Multiply<SquareOp> = (_op, left, right) => {
  const out = new Uint32Array(left.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.imul(left[i], right[i]);
  return out;
};
const multiplyRows: Multiply<SumOfSquaresOp> = ({ inputs: [x] }, left, right) => {
  const sums = new Uint32Array(x.rows);
  for (let row = 0, i = 0; row < x.rows; row++) {
    let sum = 0;
    for (let j = 0; j < x.cols; j++, i++) sum = (sum + Math.imul(left[i], right[i])) | 0;
    sums[row] = sum;
  }
  return sums;
};
const scaleRows: Multiply<ScaleOp> = ({ inputs: [, x] }, left, right) => {
  const out = new Uint32Array(x.size);
  for (let row = 0, i = 0; row < x.rows; row++) {
    const s = left[row];
    for (let j = 0; j < x.cols; j++, i++) out[i] = Math.imul(s, right[i]);
  }
  return out;
};

function addInto(sum: Uint32Array, ...terms: Uint32Array[]): Uint32Array {
  for (const term of terms) for (let i = 0; i < sum.length; i++) sum[i] = sum[i] + term[i];
  return sum;
}

/** A product's correlation, and the operands that each party puts in. */
interface Correlation<O extends ProductOp, Operands> {
  spec(op: O): ProductSpec;
  client(op: O, shares: Operands): ClientRequest;
  owner(op: O, masks: Operands): OwnerRequest;
}

/** Two different operands: X·(y_c + e_y) + e_x·y_c + v for the client, x_o·y_o + u for the owner. */
function twoOperands<O extends MatmulOp | ScaleOp>(
  title: string,
  multiply: Multiply<O>,
  correlation: Correlation<O, readonly [Uint32Array, Uint32Array]>,
): LayerProtocol<O> {
  return layerProtocol<O>({
    title,
    need({ inputs: [x, y], output }) {
      x.need(output.ringBits);
      y.need(output.ringBits);
    },
    stage: stageOfInputs,
    correlations: (op) => [correlation.spec(op)],
    clientRequests: (op, client) => [correlation.client(op, [client.share(op.inputs[0]), client.share(op.inputs[1])])],
    ownerRequests: (op, owner) => [correlation.owner(op, [owner.mask(op.inputs[0]), owner.mask(op.inputs[1])])],
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
      reference.set(op.output, new Int32Array(multiply(op, x, y).buffer));
    },
  });
}

/** One operand twice: x_c·(x_c + 2e) + v for the client, x_o·x_o + u for the owner. */
function oneOperand<O extends SquareOp | SumOfSquaresOp>(
  title: string,
  multiply: Multiply<O>,
  correlation: Correlation<O, Uint32Array>,
): LayerProtocol<O> {
  return layerProtocol<O>({
    title,
    need: ({ inputs: [x], output }) => x.need(output.ringBits),
    stage: stageOfInputs,
    correlations: (op) => [correlation.spec(op)],
    clientRequests: (op, client) => [correlation.client(op, client.share(op.inputs[0]))],
    ownerRequests: (op, owner) => [correlation.owner(op, owner.mask(op.inputs[0]))],
    client: (op, client) =>
      locally(() => {
        const x = client.share(op.inputs[0]);
        const e = client.opening(op.inputs[0]);
        client.set(op.output, addInto(multiply(op, x, addInto(x.slice(), e, e)), client.product(op)));
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
  });
}

/** What every product's spec has. */
const named = (op: ProductOp) => ({ key: correlationKey(op), ringBits: op.output.ringBits });

const matmulSpec = (op: MatmulOp): MatmulSpec => ({
  kind: 'matmul',
  ...named(op),
  batch: op.batch,
  rows: op.inputs[0].rows / op.batch,
  inner: op.inputs[0].cols,
  cols: op.inputs[1].cols,
});
export const matmulProtocol = twoOperands<MatmulOp>('matrix product', multiplyBatch, {
  spec: matmulSpec,
  client: (op, [x, y]) => ({ spec: matmulSpec(op), x, y }),
  owner: (op, [xMask, yMask]) => ({ spec: matmulSpec(op), xMask, yMask }),
});

const squareSpec = (op: SquareOp): SquareSpec => ({ kind: 'square', ...named(op), count: op.output.size });
export const squareProtocol = oneOperand<SquareOp>('square', multiplyElements, {
  spec: squareSpec,
  client: (op, x) => ({ spec: squareSpec(op), x }),
  owner: (op, xMask) => ({ spec: squareSpec(op), xMask }),
});

const sumOfSquaresSpec = (op: SumOfSquaresOp): SumOfSquaresSpec => ({
  kind: 'sumOfSquares',
  ...named(op),
  rows: op.inputs[0].rows,
  cols: op.inputs[0].cols,
});
export const sumOfSquaresProtocol = oneOperand<SumOfSquaresOp>('sum of squares', multiplyRows, {
  spec: sumOfSquaresSpec,
  client: (op, x) => ({ spec: sumOfSquaresSpec(op), x }),
  owner: (op, xMask) => ({ spec: sumOfSquaresSpec(op), xMask }),
});

const scaleSpec = (op: ScaleOp): ScaleSpec => ({
  kind: 'scale',
  ...named(op),
  rows: op.output.rows,
  cols: op.output.cols,
});
export const scaleProtocol = twoOperands<ScaleOp>('scalar × vector', scaleRows, {
  spec: scaleSpec,
  client: (op, [s, x]) => ({ spec: scaleSpec(op), s, x }),
  owner: (op, [sMask, xMask]) => ({ spec: scaleSpec(op), sMask, xMask }),
});
