/**
 * Linear layer with the owner's weights (Delphi, Mishra et al., USENIX Security 2020, §4.1; Gazelle).
 *
 * Computes: shares of W·x + bias for each row of x. Nobody learns anything.
 * Online: nothing is sent; the owner computes W·x_o + s + bias, the client already holds W·x_c − s.
 * Correlations: one `linear` (client W·x_c − s, owner s). What is drawn of x_c has a fraction, and x_c + x_o is then what x was before the truncation
 * that made it, off by less than a unit as without (truncate.ts).
 */
import { multiplyTransposed } from '../kernels/matmul.ts';
import type { LinearSpec, ProductShare } from '../offline/correlations.ts';
import { type PlanBuilder, requirePreset } from './builder.ts';
import {
  correlationKey,
  layerProtocol,
  locally,
  type Op,
  type OwnerWeights,
  stageOfInputs,
  type TensorNeed,
  type Value,
} from './op.ts';

export interface LinearOp extends Op {
  readonly kind: 'linear';
  readonly inputs: readonly [Value];
  readonly output: Value;
  /** Tensor (outputs, inputs); its bias is one for each output, or (rows, outputs). */
  readonly weights: string;
  readonly bias: string;
  /** Whether the bias is one for each row and output. */
  readonly biasPerRow: boolean;
}

/** Weights have 12 bits with their sign (docs/artifact.md). */
const weightBits = 11;

/** x (rows, inputs) → (rows, outputs), by the tensors `NAME.weight` and `NAME.bias`. */
export function linear(
  plan: PlanBuilder,
  x: Value,
  name: string,
  outputs: number,
  weightFracBits: number,
  biasPerRow = false,
): Value {
  requirePreset(x);
  const output = plan.value(x.rows, outputs, x.fracBits + weightFracBits, x.stage + 1);
  plan.add<LinearOp>({
    ...({ kind: 'linear', inputs: [x], output, biasPerRow } as const),
    weights: `${name}.weight`,
    bias: `${name}.bias`,
  });
  return output;
}

export const linearProtocol = layerProtocol<LinearOp>({
  title: 'linear (private weights)',
  // The layer itself sends nothing; but its input then needs the wider ring too.
  outputRing: 'free',
  need: ({ inputs: [x], output }) => x.need(output.ringBits),
  stage: stageOfInputs,
  correlations: (op) => [spec(op)],
  drawn: (op, columns) => ({ ...spec(op), drawnInputs: columns }),
  tensors: (op): TensorNeed[] => [
    { name: op.weights, shape: [op.output.cols, op.inputs[0].cols], limit: 2 ** weightBits },
    { name: op.bias, shape: op.biasPerRow ? [op.output.rows, op.output.cols] : [op.output.cols] },
  ],
  clientRequests: (op, client) => [{ spec: spec(op), x: client.share(op.inputs[0]) }],
  ownerRequests: (op) => [{ spec: spec(op) }],
  // W·x_c − s *is* the client's share of the output.
  arrived: (op, client, _key, correlation) => client.set(op.output, (correlation as ProductShare).share),

  client: () => locally(() => {}),
  owner: (op, owner) =>
    locally(() => {
      const share = multiplyAddBias(op, owner.share(op.inputs[0]), owner.weights);
      const s = owner.product(op);
      for (let i = 0; i < share.length; i++) share[i] = share[i] + s[i];
      owner.set(op.output, share);
    }),
  reference(op, reference) {
    const x = new Uint32Array(reference.value(op.inputs[0]).buffer);
    reference.set(op.output, new Int32Array(multiplyAddBias(op, x, reference.weights).buffer));
  },
});

const spec = (op: LinearOp): LinearSpec => ({
  kind: 'linear',
  key: correlationKey(op),
  ringBits: op.output.ringBits,
  weights: op.weights,
  weightBits,
  tokens: op.inputs[0].rows,
  inputs: op.inputs[0].cols,
  outputs: op.output.cols,
  ...(op.drawnColumns && { drawnInputs: op.drawnColumns }),
});

function multiplyAddBias(op: LinearOp, x: Uint32Array, weights: OwnerWeights): Uint32Array {
  const { rows, cols: inputs } = op.inputs[0];
  const outputs = op.output.cols;
  const out = multiplyTransposed(x, weights.tensor(op.weights), rows, inputs, outputs);
  const bias = weights.tensor(op.bias);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let j = 0; j < outputs; j++, i++) out[i] = out[i] + bias[op.biasPerRow ? i : j];
  }
  return out;
}
