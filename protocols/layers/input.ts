/**
 * Input sharing. The client's share x_c was chosen before the image existed; the client sends x − x_c, which is uniform.
 *
 * Computes: shares of the client's integers. The owner learns nothing, the client nothing new.
 * Online: one flight, ringBits bits per element ←. Correlations: none.
 */
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import { type LayerProtocol, noCost, type Op, type Value } from './op.ts';
import { receive, send } from './rounds.ts';

export interface InputOp extends Op {
  readonly kind: 'input';
  readonly inputs: readonly [];
  readonly output: Value;
}

export const input: LayerProtocol<InputOp> = {
  title: 'input sharing',
  need() {},
  cost: ({ output }) => ({ ...noCost, clientToOwner: packedBytes(output.size, output.ringBits) }),
  correlations: () => [],
  presetClient: ({ output }, client) => client.set(output, client.random.words(output.size)),
  clientRequests: () => [],
  ownerRequests: () => [],

  *client(op, client) {
    const x = client.keptBy(op);
    const preset = client.share(op.output);
    yield* send(
      op.step,
      pack(
        x.map((value, i) => value - preset[i]!),
        op.output.ringBits,
      ),
    );
  },
  *owner(op, owner) {
    const message = yield* receive(op.step, packedBytes(op.output.size, op.output.ringBits));
    owner.set(op.output, unpack(message, op.output.size, op.output.ringBits));
  },
  reference() {}, // The caller sets the value.
};
