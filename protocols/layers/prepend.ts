/**
 * Rows of the owner's before the rows of x: the class token and registers (Dosovitskiy et al., ICLR 2021; Darcet et al., ICLR 2024), with
 * their positions.
 *
 * Computes: shares of the rows, of which the owner holds its own and the client zeros. Nobody learns anything.
 * Online: nothing is sent, online or offline. Correlations: none. The client's share is preset, as x's is.
 */
import { type PlanBuilder, requirePreset } from './builder.ts';
import { layerProtocol, locally, type Op, type Value } from './op.ts';

export interface PrependOp extends Op {
  readonly kind: 'prepend';
  /** (rows, cols). */
  readonly inputs: readonly [Value];
  /** (more rows, cols). */
  readonly output: Value;
  /** Tensor (more − rows, cols), integers with the fraction bits of x. */
  readonly rows: string;
}

/** @param count rows of the tensor named `rows`. */
export function prepend(plan: PlanBuilder, x: Value, rows: string, count: number): Value {
  requirePreset(x);
  const output = plan.value(count + x.rows, x.cols, x.fracBits, x.stage);
  plan.add<PrependOp>({ kind: 'prepend', inputs: [x], output, rows });
  return output;
}

const after = ({ output }: PrependOp, rows: Uint32Array | undefined, x: Uint32Array): Uint32Array => {
  const whole = new Uint32Array(output.size);
  if (rows) whole.set(rows);
  whole.set(x, output.size - x.length);
  return whole;
};

export const prependProtocol = layerProtocol<PrependOp>({
  title: 'tokens of the model (private)',
  outputRing: 'ofInputs',
  need: ({ inputs: [x], output }) => x.need(output.ringBits),
  tensors: ({ rows, inputs: [x], output }) => [{ name: rows, shape: [output.rows - x.rows, x.cols] }],
  presetClient: (op, client) => client.set(op.output, after(op, undefined, client.share(op.inputs[0]))),
  client: () => locally(() => {}),
  owner: (op, owner) =>
    locally(() => owner.set(op.output, after(op, owner.weights.tensor(op.rows), owner.share(op.inputs[0])))),
  reference(op, reference) {
    const x = new Uint32Array(reference.value(op.inputs[0]).buffer);
    reference.set(op.output, new Int32Array(after(op, reference.weights.tensor(op.rows), x).buffer));
  },
});
