/** What a plan costs: each step's bytes and flights, online and offline, and the offline phase's stages. Exact, but for times. */
import type { Sequence } from '../layers/builder.ts';
import type { Op, Value } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import { parallel, type RoundRequest, type Rounds } from '../layers/rounds.ts';
import type { CorrelationSpec } from '../offline/correlations.ts';
import { offlineCost } from '../offline/division.ts';

/** A step of the plan, as the meters show it, with its predicted online cost. */
export interface StepPlan {
  readonly name: string;
  /** The protocols that run in it. */
  readonly protocol: string;
  /** Shapes, in words. */
  readonly detail: string;
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  /** Messages' direction changes, counted at the step that first puts bytes into a flight. */
  readonly flights: number;
  /** Of the step's correlations, ahead of the input; correlated OTs at their amortised cost. */
  readonly offlineBytesClientToOwner: number;
  readonly offlineBytesOwnerToClient: number;
  /** Correlated OTs that they draw. */
  readonly offlineCots: number;
  /** Their predicted working time, of one thread of the machine that offline/ot/times.ts names. */
  readonly offlineClientMs: number;
  readonly offlineOwnerMs: number;
}

/** An operation's messages as the owner sees them, without content: what `parallel` does with them decides the flights. */
function* withoutContent(sequence: Sequence): Rounds<void> {
  for (const node of sequence) {
    if ('branches' in node) {
      yield* parallel(node.branches.map(withoutContent));
      continue;
    }
    const cost = protocolOf(node).cost(node);
    for (const { ownerToClient, clientToOwner } of cost.rounds ?? [cost]) {
      if (ownerToClient > 0) yield { step: node.step, send: { length: ownerToClient } as Uint8Array };
      if (clientToOwner > 0) yield { step: node.step, receive: clientToOwner };
    }
  }
}

/** Bytes of the longest online flight. */
export function longestFlight(sequence: Sequence): number {
  let [longest, flight] = [0, 0];
  let sender: boolean | undefined;
  for (const request of withoutContent(sequence) as Iterable<RoundRequest>) {
    const isSend = 'send' in request;
    if (isSend !== sender) flight = 0;
    sender = isSend;
    flight += 'send' in request ? request.send.length : request.receive;
    longest = Math.max(longest, flight);
  }
  return longest;
}

export function stepsOf(sequence: Sequence, operations: readonly Op[]): StepPlan[] {
  const steps = new Map<string, { -readonly [K in keyof StepPlan]: StepPlan[K] }>();
  for (const op of operations) {
    const step = steps.get(op.step) ?? {
      name: op.step,
      protocol: '',
      detail: '',
      bytesClientToOwner: 0,
      bytesOwnerToClient: 0,
      flights: 0,
      offlineBytesClientToOwner: 0,
      offlineBytesOwnerToClient: 0,
      offlineCots: 0,
      offlineClientMs: 0,
      offlineOwnerMs: 0,
    };
    steps.set(op.step, step);
    const { title, isShown, correlations } = protocolOf(op);
    for (const spec of correlations(op)) {
      const cost = offlineCost(spec);
      step.offlineBytesClientToOwner += Math.round(cost.bytesClientToOwner);
      step.offlineBytesOwnerToClient += Math.round(cost.bytesOwnerToClient);
      step.offlineCots += cost.cots;
      step.offlineClientMs += cost.clientMs;
      step.offlineOwnerMs += cost.ownerMs;
    }
    if (isShown && !step.protocol.split(', ').includes(title)) {
      step.protocol += `${step.protocol ? ', ' : ''}${title}`;
      step.detail += `${step.detail ? '; ' : ''}${title} ${shapeOf(op)}`;
    }
  }
  let direction: 'send' | 'receive' | undefined;
  for (const request of withoutContent(sequence) as Iterable<RoundRequest>) {
    const step = steps.get(request.step)!;
    const next = 'send' in request ? 'send' : 'receive';
    if ('send' in request) step.bytesOwnerToClient += request.send.length;
    else step.bytesClientToOwner += request.receive;
    if (next !== direction) step.flights++;
    direction = next;
  }
  // Where a norm is linear, some rows may be taken and nothing else done: that is no step.
  const isFree = (step: StepPlan) => step.protocol === '' && !step.flights && !step.offlineCots;
  return [...steps.values()].filter((step) => !isFree(step));
}

const shapeOf = (op: Op) => {
  const shape = (value: Value) => `(${value.rows}, ${value.cols})`;
  const inputs = op.inputs.map(shape).join(' × ');
  return op.output ? `${inputs}${inputs ? ' → ' : ''}${shape(op.output)} mod 2^${op.output.ringBits}` : inputs;
};

/** The correlations of each offline stage: a stage needs the ones before it. */
export function stagesOf(operations: readonly Op[]): CorrelationSpec[][] {
  const stages: CorrelationSpec[][] = [];
  for (const op of operations) {
    const stage = protocolOf(op).stage(op);
    while (stages.length <= stage) stages.push([]);
    stages[stage].push(...protocolOf(op).correlations(op));
  }
  return stages;
}
