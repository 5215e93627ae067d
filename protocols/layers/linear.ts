/**
 * Linear layer with the owner's weights (Delphi, Mishra et al., USENIX Security 2020, §4.1; Gazelle).
 *
 * Computes: shares of W·x + bias for each row of x. Nobody learns anything.
 * Online: nothing is sent; the owner computes W·x_o + s + bias, the client already holds W·x_c − s.
 * Correlations: one `linear` (client W·x_c − s, owner s).
 */
import { multiplyTransposed } from '../kernels/matmul.ts';
import { correlationKey, type LayerProtocol, noCost, type Op, type OwnerWeights, type Value } from './op.ts';

export interface LinearOp extends Op {
  readonly kind: 'linear';
  readonly inputs: readonly [Value];
  readonly output: Value;
  /** Tensor (outputs, inputs); its bias is one for each output, or (rows, outputs). */
  readonly weights: string;
  readonly bias: string;
}

/** Weights have 12 bits with their sign (docs/artifact.md). */
export const weightBits = 11;

export const linear: LayerProtocol<LinearOp> = {
  title: 'linear (private weights)',
  need: ({ inputs: [x], output }) => x.need(output.ringBits),
  cost: () => noCost,
  correlations: (op) => [
    {
      kind: 'linear',
      key: correlationKey(op),
      ringBits: op.output.ringBits,
      weights: op.weights,
      weightBits,
      tokens: op.inputs[0].rows,
      inputs: op.inputs[0].cols,
      outputs: op.output.cols,
    },
  ],
  presetClient() {}, // The correlation's share is the client's share, see the offline walk in inference/prepare.ts.
  clientRequests: (op, client) => [{ spec: spec(op), x: client.share(op.inputs[0]) }],
  ownerRequests: (op) => [{ spec: spec(op) }],

  // The client's share was set when the correlation arrived.
  *client() {},
  // biome-ignore lint/correctness/useYield: no round is needed, the form is shared with the other protocols.
  *owner(op, owner) {
    const share = multiplyAddBias(op, owner.share(op.inputs[0]), owner.weights);
    const s = owner.product(op);
    for (let i = 0; i < share.length; i++) share[i] = share[i]! + s[i]!;
    owner.set(op.output, share);
  },
  reference(op, reference) {
    const x = new Uint32Array(reference.value(op.inputs[0]).buffer);
    reference.set(op.output, new Int32Array(multiplyAddBias(op, x, reference.weights).buffer));
  },
};

function spec(op: LinearOp) {
  return linear.correlations(op)[0] as Extract<ReturnType<typeof linear.correlations>[number], { kind: 'linear' }>;
}

function multiplyAddBias(op: LinearOp, x: Uint32Array, weights: OwnerWeights): Uint32Array {
  const { rows, cols: inputs } = op.inputs[0];
  const outputs = op.output.cols;
  const out = multiplyTransposed(x, weights.tensor(op.weights), rows, inputs, outputs);
  const bias = weights.tensor(op.bias);
  const perRow = bias.length === out.length;
  for (let row = 0, i = 0; row < rows; row++) {
    for (let j = 0; j < outputs; j++, i++) out[i] = out[i]! + bias[perRow ? i : j]!;
  }
  return out;
}
