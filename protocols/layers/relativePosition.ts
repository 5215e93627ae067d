/**
 * The owner adds constants that depend on where two tokens are, relative to each other: relative position bias (Liu et al., Swin
 * Transformer, ICCV 2021, arXiv 2103.14030, equation 4), to scores before the softmax or square, or to attention weights after it.
 *
 * Computes: x + b for x (heads·tokens, tokens), row (head, query token i), column key token j, where b is the table's entry for the
 * head and the offset from j to i. Nobody learns anything: the owner adds b to its share, the client keeps its own.
 * Online: nothing is sent, online or offline. Correlations: none. x may be preset; the output then is, with the same client's share.
 */
import type { PlanBuilder } from './builder.ts';
import { layerProtocol, locally, type Op, type OwnerWeights, type Value } from './op.ts';

export interface RelativePositionOp extends Op {
  readonly kind: 'relativePosition';
  readonly inputs: readonly [Value];
  readonly output: Value;
  /** Tensor ((2·side − 1)², heads), integers with the fraction bits of x. */
  readonly table: string;
  /** Tokens per side of the image, tokens in row-major order. */
  readonly side: number;
}

/**
 * Adds the owner's table of relative positions, at the fraction bits of x.
 * @param x (heads·side², side²).
 */
export function relativePosition(plan: PlanBuilder, x: Value, table: string, side: number): Value {
  const output = plan.value(x.rows, x.cols, x.fracBits, x.preset ? x.stage : undefined);
  plan.add<RelativePositionOp>({ kind: 'relativePosition', inputs: [x], output, table, side });
  return output;
}

/** Offsets and heads: the shape of the owner's tensor. */
function offsetsAndHeads({ inputs: [x], side }: RelativePositionOp): [number, number] {
  const tokens = side ** 2;
  if (x.cols !== tokens || x.rows % tokens !== 0)
    throw new RangeError(
      `relative position: expected (heads·${tokens}, ${tokens}) for ${side} tokens per side, got (${x.rows}, ${x.cols})`,
    );
  return [(2 * side - 1) ** 2, x.rows / tokens];
}

export const relativePositionProtocol = layerProtocol<RelativePositionOp>({
  title: 'relative position (private table)',
  need: ({ inputs: [x], output }) => x.need(output.ringBits),
  tensors: (op) => [{ name: op.table, shape: offsetsAndHeads(op) }],
  presetClient(op, client) {
    if (op.output.preset) client.set(op.output, client.share(op.inputs[0]));
  },

  client: (op, client) =>
    locally(() => {
      if (!op.output.preset) client.set(op.output, client.share(op.inputs[0]));
    }),
  owner: (op, owner) => locally(() => owner.set(op.output, addTable(op, owner.share(op.inputs[0]), owner.weights))),
  reference(op, reference) {
    const x = new Uint32Array(reference.value(op.inputs[0]).buffer);
    reference.set(op.output, new Int32Array(addTable(op, x, reference.weights).buffer));
  },
});

/** x + b: row (yi − yj + side − 1)·(2·side − 1) + xi − xj + side − 1 of the table belongs to query i and key j, as in timm's RelPosBias. */
function addTable(op: RelativePositionOp, x: Uint32Array, weights: OwnerWeights): Uint32Array {
  const { side } = op;
  const [offsets, heads] = offsetsAndHeads(op);
  const table = weights.tensor(op.table);
  if (table.length !== offsets * heads)
    throw new RangeError(`${op.table}: expected ${offsets}·${heads} entries, got ${table.length}`);
  const sum = new Uint32Array(x.length);
  let at = 0;
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < side ** 2; i++) {
      const [yi, xi] = [Math.floor(i / side), i % side];
      for (let yj = 0; yj < side; yj++) {
        const row = (yi - yj + side - 1) * (2 * side - 1) + xi + side - 1;
        for (let xj = 0; xj < side; xj++, at++) sum[at] = x[at] + table[(row - xj) * heads + head];
      }
    }
  }
  return sum;
}
