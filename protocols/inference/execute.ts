/** The online phase: every operation's rounds in the plan's order, branches side by side. */
import type { Channel } from '../channel/channel.ts';
import type { Sequence } from '../layers/builder.ts';
import { giveInput } from '../layers/input.ts';
import type { ClientState, Op, OwnerState } from '../layers/op.ts';
import { endingOf, protocolOf } from '../layers/operations.ts';
import { parallel, type Rounds, runRounds, type StepListener } from '../layers/rounds.ts';
import type { Plan } from './plan.ts';

/** What is executed of a plan. */
export type Rounded = Pick<Plan, 'sequence' | 'input' | 'reveal'>;

function* roundsOf(sequence: Sequence, side: (op: Op) => Rounds<void>): Rounds<void> {
  for (const node of sequence) {
    if ('branches' in node) yield* parallel(node.branches.map((branch) => roundsOf(branch, side)));
    else yield* side(node);
  }
}

/** The client's rounds for an input, with what was prepared for one inference. */
export function* clientRounds(plan: Rounded, client: ClientState, input: Int32Array): Rounds<Int32Array> {
  giveInput(plan.input, client, input);
  yield* roundsOf(plan.sequence, (op) => protocolOf(op).client(op, client));
  return endingOf(plan.reveal).learned(plan.reveal, client);
}

/** The owner's rounds, with what was prepared for one inference. */
export function ownerRounds(plan: Rounded, owner: OwnerState): Rounds<void> {
  return roundsOf(plan.sequence, (op) => protocolOf(op).owner(op, owner));
}

/**
 * Classifies `input` (integers, see image.ts) as the client.
 * @returns the logits as integers with `plan.logitFracBits` fraction bits; or the index of the largest, where that is all the plan reveals.
 */
export function executeClient(
  plan: Plan,
  client: ClientState,
  input: Int32Array,
  channel: Channel,
  onStep?: StepListener,
  signal?: AbortSignal,
): Promise<Int32Array> {
  return runRounds(clientRounds(plan, client, input), channel, onStep, signal);
}

/** Serves one classification as the owner, who learns nothing. */
export function executeOwner(
  plan: Plan,
  owner: OwnerState,
  channel: Channel,
  onStep?: StepListener,
  signal?: AbortSignal,
): Promise<void> {
  return runRounds(ownerRounds(plan, owner), channel, onStep, signal);
}
