/**
 * What a plan may cost: bytes, memory, time. A client takes part in no more of what a stranger sends, and an owner learns it before a room is
 * open. All of it is computed from the plan, before anything of it is allocated.
 */
import { ProtocolError } from '../channel/errors.ts';
import { longestFlightBytes } from '../channel/framed.ts';
import type { Value } from '../layers/op.ts';
import { preparationCost, setupCost } from '../offline/division.ts';
import { correlationWords } from '../offline/kinds.ts';
import { longestFlight } from './costs.ts';
import { maxManifestBytes } from './manifest.ts';
import type { Plan } from './plan.ts';

export interface Budget {
  /** Of one classification and its preparation, in both directions together. */
  readonly bytes: number;
  /** Of the correlations of one offline stage, in words of 32 bits, at the party that holds more: the client, whose tables these are. */
  readonly stageWords: number;
  /** Of everything that a party holds for one classification: the correlations of all stages, and its shares. */
  readonly sessionWords: number;
  /** Predicted working time of a preparation at the party that works longer, on one thread (offline/ot/times.ts says of which machine). */
  readonly offlineMs: number;
}

/** Four times the bytes, eight and six times the words of the largest model that ships: a ViT-Tiny/16 at 224 px, every softmax and GELU exact. */
export const defaultBudget: Budget = Object.freeze({
  bytes: 2 ** 31,
  stageWords: 2 ** 29,
  sessionWords: 2 ** 29 + 2 ** 27,
  offlineMs: 600_000,
});

/** What of a budget a plan takes. */
export function demandOf(plan: Plan): Budget {
  const sum = <T>(list: Iterable<T>, of: (item: T) => number) => [...list].reduce((total, item) => total + of(item), 0);
  const stages = plan.stages.map((specs) => {
    const words = specs.map(correlationWords);
    return Math.max(
      sum(words, ({ client }) => client),
      sum(words, ({ owner }) => owner),
    );
  });
  const values = new Set<Value>(
    plan.operations.flatMap(({ inputs, output }) => (output ? [...inputs, output] : inputs)),
  );
  return {
    bytes: sum(
      plan.steps,
      (step) =>
        step.bytesClientToOwner +
        step.bytesOwnerToClient +
        step.offlineBytesClientToOwner +
        step.offlineBytesOwnerToClient,
    ),
    stageWords: Math.max(0, ...stages),
    sessionWords:
      sum(stages, (words) => words) +
      sum(values, ({ size }) => size) +
      // Drawn shares have fractions.
      sum(plan.operations, ({ drawnColumns = 0, inputs: [x] }) => (drawnColumns > 0 ? x.rows * drawnColumns : 0)),
    offlineMs: Math.max(
      sum(plan.steps, ({ offlineClientMs }) => offlineClientMs),
      sum(plan.steps, ({ offlineOwnerMs }) => offlineOwnerMs),
    ),
  };
}

/** How far a peer may be ahead while no plan is agreed on: the owner sends its manifest. */
export const handshakeAheadBytes = 2 * maxManifestBytes;

/**
 * How many bytes a peer that follows the protocol may be ahead of the `party` that reads, on each stream: the public part, a set-up with a
 * preparation, or a classification; between these both wait for each other. And what the handshake allows, for what the plan counts amortised.
 */
export function aheadOf(plan: Plan, party: 'client' | 'owner'): number {
  const key = party === 'client' ? 'bytesOwnerToClient' : 'bytesClientToOwner';
  const offline = setupCost(plan.stages.flat())[key] + preparationCost(plan.stages, 0)[key];
  const online = plan.steps.reduce((total, step) => total + step[key], 0);
  const publicPart = party === 'client' ? (plan.manifest.publicPart?.bytes ?? 0) : 0;
  return handshakeAheadBytes + Math.max(publicPart, offline, online);
}

/** @throws ProtocolError `manifest`, with what the plan takes and the limit. */
export function requireAffordable(plan: Plan, budget: Budget = defaultBudget): void {
  const demand = demandOf(plan);
  const mebibytes = (n: number) => `${Math.ceil(n / 2 ** 20)} MiB`;
  const words = (n: number) => `${n} words (${mebibytes(4 * n)})`;
  const seconds = (n: number) => `${Math.ceil(n / 1000)} s`;
  requireAtMost('one classification would send', demand.bytes, budget.bytes, mebibytes);
  requireAtMost('one flight would send', longestFlight(plan.sequence), longestFlightBytes, mebibytes);
  requireAtMost('one offline stage would hold', demand.stageWords, budget.stageWords, words);
  requireAtMost('one classification would hold', demand.sessionWords, budget.sessionWords, words);
  requireAtMost('one preparation would compute for', demand.offlineMs, budget.offlineMs, seconds);
}

function requireAtMost(what: string, demand: number, most: number, format: (n: number) => string): void {
  if (demand <= most) return;
  throw new ProtocolError('manifest', 'plan', `${what} ${format(demand)}, at most ${format(most)} are accepted`);
}
