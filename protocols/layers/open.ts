/**
 * One-sided opening: the owner sends e = x_o − ρ with a fresh uniform ρ. The first half of every product
 * (Beaver, CRYPTO 1991, with the client's share known ahead in place of its mask); one opening serves all products of a value.
 *
 * The client learns e, which is uniform. Online: ringBits bits per element →, in the flight of what follows.
 * Correlations: none of its own.
 */
import { pack, packedBytes, unpack } from '../sharing/packing.ts';
import { minus } from '../sharing/words.ts';
import { type PlanBuilder, requirePreset } from './builder.ts';
import { layerProtocol, noCost, type Op, type Value } from './op.ts';
import { receive, send } from './rounds.ts';

export interface OpenOp extends Op {
  readonly kind: 'open';
  readonly inputs: readonly [Value];
}

/** Opens a value that the client's share of is preset; once, however often it is asked for. */
export function open(plan: PlanBuilder, x: Value): void {
  requirePreset(x);
  if (plan.opened.has(x)) return;
  plan.opened.add(x);
  plan.add<OpenOp>({ kind: 'open', inputs: [x] });
}

export const openProtocol = layerProtocol<OpenOp>({
  title: 'open',
  isShown: false,
  cost: ({ inputs: [x] }) => ({ ...noCost, ownerToClient: packedBytes(x.size, x.ringBits) }),

  *client({ step, inputs: [x] }, client) {
    client.openings.set(x.id, unpack(yield* receive(step, packedBytes(x.size, x.ringBits)), x.size, x.ringBits));
  },
  *owner({ step, inputs: [x] }, owner) {
    yield* send(step, pack(minus(owner.share(x), owner.mask(x)), x.ringBits));
  },
  reference() {},
});
