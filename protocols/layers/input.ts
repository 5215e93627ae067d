/**
 * Input sharing. The client's share x_c was chosen before the image existed; the client sends x − x_c, which is uniform.
 *
 * Computes: shares of the client's integers. The owner learns nothing, the client nothing new.
 * Online: one flight, ringBits bits per element ←. Correlations: none.
 */
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import { minus } from '../sharing/words.ts';
import type { PlanBuilder } from './builder.ts';
import { type ClientState, layerProtocol, noCost, type Op, Slot, type Value } from './op.ts';
import { receive, send } from './rounds.ts';

export interface InputOp extends Op {
  readonly kind: 'input';
  readonly inputs: readonly [];
  readonly output: Value;
}

/** Integers of the client's, (rows, cols), with `fracBits` fraction bits. */
export function input(plan: PlanBuilder, rows: number, cols: number, fracBits = 0): InputOp {
  return plan.add<InputOp>({ kind: 'input', inputs: [], output: plan.value(rows, cols, fracBits, 0) });
}

const given = new Slot<Uint32Array>('input');

/**
 * Gives the client's integers to a prepared inference, before its online rounds.
 * @throws RangeError when there are more or fewer than the operation has elements.
 */
export function giveInput(op: InputOp, client: ClientState, integers: Int32Array): void {
  const { size } = op.output;
  if (integers.length !== size) throw new RangeError(`input: expected ${size} integers, got ${integers.length}`);
  given.put(client, op, new Uint32Array(integers));
}

export const inputProtocol = layerProtocol<InputOp>({
  title: 'input sharing',
  cost: ({ output }) => ({ ...noCost, clientToOwner: packedBytes(output.size, output.ringBits) }),
  presetClient: ({ output }, client) => client.set(output, client.random.words(output.size)),

  *client(op, client) {
    const x = given.get(client, op);
    yield* send(op.step, pack(minus(x, client.share(op.output)), op.output.ringBits));
  },
  *owner(op, owner) {
    const message = yield* receive(op.step, packedBytes(op.output.size, op.output.ringBits));
    owner.set(op.output, unpack(message, op.output.size, op.output.ringBits));
  },
  reference() {}, // The caller sets the value.
});
