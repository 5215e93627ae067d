/**
 * Reveal to the client: the owner sends its share, in a ring of the value's own range: fraction bits + magnitude bits + a sign.
 *
 * The client learns the value, the owner nothing. Whatever a client did before, it learns no more than the ringBits of each element:
 * the owner's share is the value minus what the client holds. Rounded by a truncation before (which into this ring sends nothing), the
 * value is ⌊(x + r)/2^f⌋, r the low f bits of the client's share of x: uniform for who follows the protocol.
 * Online: one flight, ringBits bits per element →. Correlations: none.
 */
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import type { PlanBuilder } from './builder.ts';
import { layerProtocol, noCost, type Op, Slot, type Value } from './op.ts';
import { receive, send } from './rounds.ts';

export interface RevealOp extends Op {
  readonly kind: 'reveal';
  readonly inputs: readonly [Value];
  /** |x| < 2^magnitudeBits for the value. */
  readonly magnitudeBits: number;
  /** Whether it may be negative. */
  readonly isSigned: boolean;
}

export function reveal(plan: PlanBuilder, x: Value, magnitudeBits: number): RevealOp {
  return plan.add<RevealOp>({ kind: 'reveal', inputs: [x], magnitudeBits, isSigned: true });
}

/** Reveals integers from 0 to 2^bits − 1, in a ring of that size. */
export function revealIndex(plan: PlanBuilder, x: Value, bits: number): RevealOp {
  return plan.add<RevealOp>({ kind: 'reveal', inputs: [x], magnitudeBits: bits, isSigned: false });
}

const revealed = new Slot<Int32Array>('what is revealed');

export const revealProtocol = layerProtocol<RevealOp>({
  title: 'reveal to the client',
  need: ({ inputs: [x], magnitudeBits, isSigned }) => x.need(x.fracBits + magnitudeBits + (isSigned ? 1 : 0)),
  cost: ({ inputs: [x] }) => ({ ...noCost, ownerToClient: packedBytes(x.size, x.ringBits) }),

  *client(op, client) {
    const [x] = op.inputs;
    const share = unpack(yield* receive(op.step, packedBytes(x.size, x.ringBits)), x.size, x.ringBits);
    const own = client.share(x);
    const unused = 32 - x.ringBits;
    revealed.put(
      client,
      op,
      Int32Array.from(share, (value, i) => {
        const word = (value + own[i]) << unused;
        return op.isSigned ? word >> unused : word >>> unused;
      }),
    );
  },
  *owner(op, owner) {
    yield* send(op.step, pack(owner.share(op.inputs[0]), op.inputs[0].ringBits));
  },
  reference(op, reference) {
    const [x] = op.inputs;
    const limit = 2 ** (x.ringBits - (op.isSigned ? 1 : 0));
    reference.check(op, reference.value(x), op.isSigned ? -limit : 0, limit);
  },
  ending: {
    learned: (op, client) => revealed.get(client, op),
    bits: ({ inputs: [x] }) => x.size * x.ringBits,
  },
});
