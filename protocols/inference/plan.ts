/**
 * The plan: a manifest compiled to operations with shapes, rings, correlations, and exact costs. Both parties compile it on their
 * own, deterministically, and compare its hash.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { operationsOf, PlanBuilder, type Sequence } from '../layers/builder.ts';
import type { InputOp } from '../layers/input.ts';
import type { EndingOp, Op, Value } from '../layers/op.ts';
import { endingOf } from '../layers/operations.ts';
import type { CorrelationSpec } from '../offline/correlations.ts';
import { rlweResultCount } from '../offline/division.ts';
import { maxResults } from '../rlwe/noise.ts';
import { type StepPlan, stagesOf, stepsOf } from './costs.ts';
import { chooseDraws } from './draws.ts';
import type { Manifest } from './manifest.ts';
import { assignRings, widenRings } from './rings.ts';
import { type Answer, addNetwork, leastProducts } from './vit.ts';

export type { Answer, StepPlan };

export interface Plan {
  readonly manifest: Manifest;
  readonly answer: Answer;
  readonly sequence: Sequence;
  readonly operations: readonly Op[];
  readonly steps: readonly StepPlan[];
  /** The correlations of each offline stage: a stage needs the ones before it. */
  readonly stages: readonly (readonly CorrelationSpec[])[];
  readonly input: InputOp;
  readonly reveal: EndingOp;
  /** What the client learns, or of what it learns which is the largest. */
  readonly logits: Value;
  /** Its fraction bits. */
  readonly logitFracBits: number;
  /** Values that tests compare with the float model, by the names of docs/artifact.md. */
  readonly named: ReadonlyMap<string, Value>;
  /** SHA-256 of everything above that decides what is sent, in hexadecimal. */
  readonly hash: string;
}

/** How many bits a client learns from one answer, however it deviates: what the reveal sends (for the label, which class won). */
export const answerBits = ({ reveal }: Plan): number => endingOf(reveal).bits(reveal);

/**
 * Compiles a manifest.
 * @throws RangeError when its scales do not fit a ring of 32 bits (the message names the step), or the model is so large that ring-LWE's
 *   errors would be likelier than 2^-40.
 */
export function compilePlan(manifest: Manifest, answer: Answer = 'logits'): Plan {
  // Linear layers and matrix products alone, before anything of that size is built: a client compiles what a stranger sends.
  requireFewResults(manifest, leastProducts(manifest), 'at least ');
  const plan = new PlanBuilder();
  const { input, logits, reveal } = addNetwork(plan, manifest, answer);
  const { sequence, named } = plan;
  const operations = [...operationsOf(sequence)];
  try {
    assignRings(sequence);
    widenRings(sequence);
    chooseDraws(operations, named.get('logits')!);
  } catch (error) {
    throw new RangeError(`plan of ${manifest.name}: ${(error as Error).message}`, { cause: error });
  }
  const steps = stepsOf(sequence, operations);
  const stages = stagesOf(operations);
  requireFewResults(manifest, rlweResultCount(stages.flat()));
  return {
    manifest,
    answer,
    sequence,
    operations,
    steps,
    stages,
    input,
    reveal,
    logits,
    logitFracBits: logits.fracBits,
    named,
    hash: hashOf(manifest, operations, steps, stages),
  };
}

function requireFewResults({ name }: Manifest, count: number, atLeast = ''): void {
  if (count <= maxResults) return;
  throw new RangeError(`plan of ${name}: ring-LWE results: expected at most ${maxResults}, got ${atLeast}${count}`);
}

function hashOf(
  manifest: Manifest,
  operations: readonly Op[],
  steps: readonly StepPlan[],
  stages: readonly (readonly CorrelationSpec[])[],
): string {
  const value = ({ id, rows, cols, fracBits, ringBits }: Value) => [id, rows, cols, fracBits, ringBits];
  const described = operations.map(({ inputs, output, ...rest }) => ({
    ...rest,
    inputs: inputs.map(value),
    output: output ? value(output) : null,
  }));
  // Predicted times decide nothing.
  const sent = steps.map(({ offlineClientMs: _client, offlineOwnerMs: _owner, ...step }) => step);
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify([manifest, described, sent, stages]))));
}
