/**
 * The offline phase: both sides walk the plan stage by stage, draw what is random (the client its fresh shares, the owner its masks ρ),
 * ask their provider for the stage's correlations, and propagate the client's shares to where the next stage needs them.
 */
import { ClientState, type Op, OwnerState, type OwnerWeights } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import type { CorrelationKey, DrawingProvider, OwnerProvider } from '../offline/correlations.ts';
import type { Prg } from '../sharing/prg.ts';
import { drawShares } from './draws.ts';
import type { Plan } from './plan.ts';

/** What is prepared of a plan. */
export type Stages = Pick<Plan, 'operations' | 'stages'>;

/** `fraction` of all the offline work done; `step` is the layer just served. */
export type PrepareProgress = (fraction: number, step: string) => void;

/** Makes what the client needs for one inference; single use. */
export async function prepareClient(
  plan: Stages,
  provider: DrawingProvider,
  random: Prg,
  progress: PrepareProgress,
): Promise<ClientState> {
  const client = new ClientState(random);
  await drawShares(plan.operations, provider, client);
  for (let stage = 0; stage < plan.stages.length; stage++) {
    for (const op of plan.operations) if (presetStage(op) === stage) protocolOf(op).presetClient(op, client);
    const asked = atStage(plan, stage).flatMap((op) =>
      protocolOf(op)
        .clientRequests(op, client)
        .map((request) => ({ op, request })),
    );
    const requests = asked.map(({ request }) => request);
    const correlations = await provider.provide(requests, progressOf(plan, stage, progress));
    asked.forEach(({ op, request }, i) => {
      protocolOf(op).arrived(op, client, request.spec.key, correlations[i]);
    });
  }
  for (const op of plan.operations) if (presetStage(op) >= plan.stages.length) protocolOf(op).presetClient(op, client);
  return client;
}

/** Makes what the owner needs for one inference; single use. */
export async function prepareOwner(
  plan: Stages,
  weights: OwnerWeights,
  provider: OwnerProvider,
  random: Prg,
  progress: PrepareProgress,
): Promise<OwnerState> {
  const owner = new OwnerState(random, weights);
  for (let stage = 0; stage < plan.stages.length; stage++) {
    const requests = atStage(plan, stage).flatMap((op) => protocolOf(op).ownerRequests(op, owner));
    const correlations = await provider.provide(requests, progressOf(plan, stage, progress));
    requests.forEach(({ spec }, i) => {
      owner.correlations.put(spec.key, correlations[i]);
    });
  }
  return owner;
}

const atStage = (plan: Stages, stage: number): Op[] =>
  plan.operations.filter((op) => protocolOf(op).stage(op) === stage);

/** The stage at whose beginning the client can compute its share of an operation's output. */
const presetStage = (op: Op): number => (op.output?.preset ? op.output.stage : 0);

function progressOf(plan: Stages, stage: number, progress: PrepareProgress) {
  let done = 0;
  return ({ step }: CorrelationKey, fraction: number) => {
    done = Math.min(1, done + fraction);
    progress((stage + done) / plan.stages.length, step);
  };
}
