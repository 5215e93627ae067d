/** Small plans for tests of single protocols: input → operations → reveal, both sides in one thread. */
import { concatBytes } from '@noble/hashes/utils.js';
import { assignRings } from '../../protocols/inference/rings.ts';
import { operationsOf, PlanBuilder, type Sequence } from '../../protocols/layers/builder.ts';
import { input as addInput, giveInput } from '../../protocols/layers/input.ts';
import {
  ClientState,
  type EndingOp,
  type Op,
  OwnerState,
  type OwnerWeights,
  ReferenceState,
  type Value,
} from '../../protocols/layers/op.ts';
import { endingOf, protocolOf } from '../../protocols/layers/operations.ts';
import { reveal } from '../../protocols/layers/reveal.ts';
import { parallel, type RoundRequest, type Rounds } from '../../protocols/layers/rounds.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { deal, type Products } from '../ideal/dealer.ts';

export const noWeights: OwnerWeights = {
  tensor(name) {
    throw new RangeError(`no tensor ${name}`);
  },
};

export interface Message {
  readonly from: 'client' | 'owner';
  readonly step: string;
  readonly bytes: Uint8Array;
}

/**
 * Pumps the two sides against each other, flight by flight.
 * @param alter may change a flight on its way.
 */
export function pump<C, O>(
  client: Rounds<C>,
  owner: Rounds<O>,
  alter: (message: Message) => Uint8Array = ({ bytes }) => bytes,
) {
  const messages: Message[] = [];
  interface Side {
    readonly rounds: Rounds<unknown>;
    inbox: Uint8Array;
    state: IteratorResult<RoundRequest, unknown>;
    readonly to: 'client' | 'owner';
  }
  const sides: Record<'client' | 'owner', Side> = {
    client: { rounds: client, inbox: new Uint8Array(0), state: client.next(), to: 'owner' },
    owner: { rounds: owner, inbox: new Uint8Array(0), state: owner.next(), to: 'client' },
  };
  for (let idle = 0; idle < 2 && !(sides.client.state.done && sides.owner.state.done); ) {
    idle++;
    for (const [name, side] of Object.entries(sides) as ['client' | 'owner', Side][]) {
      while (!side.state.done) {
        const request = side.state.value;
        if ('send' in request) {
          const message = { from: name, step: request.step, bytes: request.send };
          messages.push(message);
          const other = sides[side.to];
          other.inbox = concatBytes(other.inbox, alter(message));
          side.state = side.rounds.next(new Uint8Array(0));
        } else {
          if (side.inbox.length < request.receive) break;
          const bytes = side.inbox.slice(0, request.receive);
          side.inbox = side.inbox.slice(request.receive);
          side.state = side.rounds.next(bytes);
        }
        idle = 0;
      }
    }
  }
  if (!sides.client.state.done || !sides.owner.state.done) throw new Error('the two sides wait for each other');
  return {
    client: sides.client.state.value as C,
    owner: sides.owner.state.value as O,
    messages,
    left: sides.client.inbox.length + sides.owner.inbox.length,
  };
}

export interface MiniResult {
  readonly secure: Int32Array;
  readonly reference: Int32Array;
  readonly messages: readonly Message[];
  /** Of both parties together. */
  readonly onlineMs: number;
  /** Predicted bytes. */
  readonly cost: { clientToOwner: number; ownerToClient: number };
  readonly violations: ReferenceState['violations'];
  readonly operations: readonly Op[];
}

/**
 * Builds input (rows, cols) → `build` → reveal, prepares it with the ideal dealer's `deal`, and runs it.
 * @param magnitudeBits of the revealed value.
 */
export function runMini(
  seed: Uint8Array,
  input: Int32Array,
  rows: number,
  build: (plan: PlanBuilder, x: Value) => Value,
  magnitudeBits = 0,
  weights: OwnerWeights = noWeights,
  ending: (plan: PlanBuilder, y: Value, bits: number) => EndingOp = (plan, y, bits) => reveal(plan, y, bits),
  products?: Products,
): MiniResult {
  const plan = new PlanBuilder();
  plan.step = 'input';
  const given = addInput(plan, rows, input.length / rows);
  const x = given.output;
  plan.step = 'test';
  const y = build(plan, x);
  const bits = magnitudeBits || 31 - y.fracBits;
  plan.step = 'reveal';
  const reveal = ending(plan, y, bits);
  const { sequence } = plan;
  assignRings(sequence);
  const operations = [...operationsOf(sequence)];

  const client = new ClientState(new Prg(seed, 'client'));
  const owner = new OwnerState(new Prg(seed, 'owner'), weights);
  const dealer = new Prg(seed, 'dealer');
  for (const op of operations) {
    const protocol = protocolOf(op);
    protocol.presetClient(op, client);
    const clientRequests = protocol.clientRequests(op, client);
    const ownerRequests = protocol.ownerRequests(op, owner);
    clientRequests.forEach((request, i) => {
      const [forClient, forOwner] = deal(request, ownerRequests[i], dealer, (name) => weights.tensor(name), products);
      protocol.arrived(op, client, request.spec.key, forClient);
      owner.correlations.put(request.spec.key, forOwner);
    });
  }
  giveInput(given, client, input);
  const startMs = performance.now();
  const { messages, left } = pump(
    run(sequence, (op) => protocolOf(op).client(op, client)),
    run(sequence, (op) => protocolOf(op).owner(op, owner)),
  );
  const onlineMs = performance.now() - startMs;
  if (left > 0 || client.correlations.size > 0 || owner.correlations.size > 0)
    throw new Error('something was left over');

  const reference = new ReferenceState(weights);
  reference.set(x, input);
  for (const op of operations) protocolOf(op).reference(op, reference);
  const cost = { clientToOwner: 0, ownerToClient: 0 };
  for (const op of operations) {
    const { clientToOwner, ownerToClient } = protocolOf(op).cost(op);
    cost.clientToOwner += clientToOwner;
    cost.ownerToClient += ownerToClient;
  }
  return {
    secure: endingOf(reveal).learned(reveal, client),
    reference: reference.value(y),
    messages,
    onlineMs,
    cost,
    violations: reference.violations,
    operations,
  };
}

function* run(sequence: Sequence, side: (op: Op) => Rounds<void>): Rounds<void> {
  for (const node of sequence) {
    if ('branches' in node) yield* parallel(node.branches.map((branch) => run(branch, side)));
    else yield* side(node);
  }
}

export const bytesFrom = (messages: readonly Message[], from: 'client' | 'owner') =>
  messages.filter((message) => message.from === from).reduce((sum, { bytes }) => sum + bytes.length, 0);
