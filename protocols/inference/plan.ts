/**
 * The plan: a manifest compiled to operations with shapes, rings, correlations, and exact costs. Both parties compile it on their
 * own, deterministically, and compare its hash.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { ArgmaxOp } from '../layers/argmax.ts';
import { type AnyOp, naming, operationsOf, PlanBuilder, protocolOf, type Sequence } from '../layers/builder.ts';
import { gelu } from '../layers/gelu.ts';
import type { InputOp } from '../layers/input.ts';
import { layerNorm } from '../layers/layerNorm.ts';
import { add, gather, sumColumns } from '../layers/local.ts';
import type { Value } from '../layers/op.ts';
import type { RevealOp } from '../layers/reveal.ts';
import { parallel, type RoundRequest, type Rounds } from '../layers/rounds.ts';
import { softmaxRows } from '../layers/softmax.ts';
import { squareRows } from '../layers/squareAttention.ts';
import { squareUnits } from '../layers/squareUnits.ts';
import type { CorrelationSpec } from '../offline/correlations.ts';
import { offlineCost, rlweResultCount } from '../offline/twoParty.ts';
import { maxResults } from '../rlwe/noise.ts';
import type { BlockSpec, Manifest } from './manifest.ts';

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
  /** Their predicted working time, of one thread of the machine that otWork.ts names. */
  readonly offlineClientMs: number;
  readonly offlineOwnerMs: number;
}

export interface Plan {
  readonly manifest: Manifest;
  readonly answer: Answer;
  readonly sequence: Sequence;
  readonly operations: readonly AnyOp[];
  readonly steps: readonly StepPlan[];
  /** The correlations of each offline stage: a stage needs the ones before it. */
  readonly stages: readonly (readonly CorrelationSpec[])[];
  readonly input: InputOp;
  readonly reveal: RevealOp | ArgmaxOp;
  /** Fraction bits of the logits that `reveal` takes. */
  readonly logitFracBits: number;
  /** Values that tests compare with the float model, by the names of docs/artifact.md. */
  readonly named: ReadonlyMap<string, Value>;
  /** SHA-256 of everything above that decides what is sent, in hexadecimal. */
  readonly hash: string;
}

/** What the client learns: all logits, or only which is the largest. The owner chooses. */
export type Answer = 'logits' | 'label';

/**
 * Fraction bits of the logits that a client learns: more tell it nothing about its image, and a client that deviates would read the
 * weights from them (docs/online.md).
 */
export const answerFracBits = 8;

/** How many bits a client learns from one answer, however it deviates: what the reveal sends (for the label, which class won). */
export function answerBits({ reveal }: Plan): number {
  const [x] = reveal.inputs;
  return reveal.kind === 'reveal' ? x.size * x.ringBits : Math.log2(x.size);
}

/**
 * Compiles a manifest.
 * @throws RangeError when its scales do not fit a ring of 32 bits (the message names the step), or the model is so large that ring-LWE's
 *   errors would be likelier than 2^-40.
 */
export function compilePlan(manifest: Manifest, answer: Answer = 'logits'): Plan {
  // Linear layers and matrix products alone, before anything of that size is built: a client compiles what a stranger sends.
  const { tokens, dim, depth, heads, squareUnits: units = 0 } = manifest.architecture;
  requireFewResults(manifest, depth * (heads * tokens ** 2 + 6 * tokens * dim + tokens * units), 'at least ');
  const plan = new PlanBuilder();
  const reveal = addModel(plan, manifest, answer);
  let sequence: Sequence;
  try {
    sequence = plan.finish();
    widenLinearRings(sequence);
  } catch (error) {
    throw new RangeError(`plan of ${manifest.name}: ${(error as Error).message}`, { cause: error });
  }
  const operations = [...operationsOf(sequence)];
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
    reveal,
    input: operations.find((op) => op.kind === 'input')!,
    logitFracBits: reveal.inputs[0].fracBits,
    named: plan.named,
    hash: hashOf(manifest, operations, steps, stages),
  };
}

function requireFewResults({ name }: Manifest, count: number, atLeast = ''): void {
  if (count <= maxResults) return;
  throw new RangeError(`plan of ${name}: ring-LWE results: expected at most ${maxResults}, got ${atLeast}${count}`);
}

/** @returns the operation that the client learns from. */
function addModel(plan: PlanBuilder, manifest: Manifest, answer: Answer): RevealOp | ArgmaxOp {
  const { tokens, patchSize, dim, classes } = manifest.architecture;
  const { fixedPoint, switches } = manifest;
  const { residual: stream } = fixedPoint;

  plan.step = 'input';
  const pixels = plan.name('input', plan.input(tokens, 3 * patchSize ** 2));
  plan.step = 'patch_embed';
  const embedded = plan.linear(pixels, 'patch_embed', dim, fixedPoint.patchEmbed.weightFracBits);
  let residual = plan.name(
    'patch_embed',
    plan.truncate(embedded, fixedPoint.patchEmbed.magnitudeBits, stream.fracBits),
  );

  fixedPoint.blocks.forEach((block, layer) => {
    const prefix = `blocks.${layer}`;
    const attention = addAttention(plan, prefix, manifest, block, switches.softmaxRows[layer]!, residual);
    residual = plan.name(`${prefix}.attn.residual`, plan.local([residual, attention], tokens, dim, add));
    const mlp = addMlp(plan, prefix, manifest, block, switches.geluTokens[layer]!, residual);
    residual = plan.name(`${prefix}.mlp.residual`, plan.local([residual, mlp], tokens, dim, add));
  });

  plan.step = 'pool';
  const sum = plan.local([residual], 1, dim, sumColumns(tokens, dim), residual.fracBits + Math.log2(tokens));
  const pooled = plan.name('pool', plan.truncate(sum, fixedPoint.pool.magnitudeBits, fixedPoint.pool.fracBits));
  plan.step = 'fc_norm';
  const normalised = plan.name('fc_norm', layerNorm(plan, pooled, fixedPoint.fcNorm));
  plan.step = 'head';
  const logits = plan.name('logits', plan.linear(normalised, 'head', classes, fixedPoint.head.weightFracBits));
  const { magnitudeBits } = fixedPoint.head;
  if (answer === 'label') return plan.argmax(logits, magnitudeBits);
  const rounded = logits.fracBits > answerFracBits ? plan.truncate(logits, magnitudeBits, answerFracBits) : logits;
  return plan.reveal(rounded, magnitudeBits);
}

/** Attention and, where the model has them, the square units beside it: (tokens, dim), what the block's first half adds to the stream. */
function addAttention(
  plan: PlanBuilder,
  prefix: string,
  manifest: Manifest,
  block: BlockSpec,
  kept: readonly (readonly number[])[],
  x: Value,
): Value {
  const { tokens, dim, heads, squareUnits: units = 0 } = manifest.architecture;
  const { attn } = block;

  plan.step = `${prefix}.norm1`;
  const y = plan.name(`${prefix}.norm1`, layerNorm(plan, x, block.norm1));

  plan.step = `${prefix}.attn.qkv`;
  const read = plan.linear(y, `${prefix}.attn.qkv`, 3 * dim + units, attn.qWeightFracBits);
  const qkv = splitHeads(plan, read, tokens, dim, dim / heads, [
    y.fracBits + attn.qWeightFracBits,
    y.fracBits + attn.kWeightFracBits,
    y.fracBits + attn.vWeightFracBits,
  ]);
  let mix!: Value;
  let squares: Value | undefined;
  plan.parallel(
    () => (mix = mixHeads(plan, prefix, manifest, block, kept, qkv)),
    () => {
      const spec = attn.squareUnits;
      if (!spec) return;
      plan.step = `${prefix}.attn.units`;
      const inside = columns(plan, read, 3 * dim, units, y.fracBits + spec.weightFracBits);
      squares = plan.name(`${prefix}.attn.unit_squares`, squareUnits(plan, inside, spec, attn.mix.fracBits));
    },
  );
  plan.step = `${prefix}.attn.proj`;
  return plan.truncate(
    plan.linear(squares ? beside(plan, mix, squares) : mix, `${prefix}.attn.proj`, dim, attn.projWeightFracBits),
    attn.projMagnitudeBits,
    x.fracBits,
  );
}

/** The heads' weighted sums of values, side by side: (tokens, dim). */
function mixHeads(
  plan: PlanBuilder,
  prefix: string,
  manifest: Manifest,
  { attn }: BlockSpec,
  kept: readonly (readonly number[])[],
  [q, k, v]: readonly Value[],
): Value {
  const { tokens, dim, heads, positionalScores, staticMixing } = manifest.architecture;
  const side = Math.sqrt(tokens);
  const headDim = dim / heads;
  let qHeads!: Value;
  let kHeads!: Value;
  let vHeads!: Value;
  plan.parallel(
    () => (qHeads = plan.name(`${prefix}.attn.q`, plan.truncate(q!, attn.q.magnitudeBits, attn.q.fracBits))),
    () => (kHeads = plan.name(`${prefix}.attn.k`, plan.truncate(k!, attn.k.magnitudeBits, attn.k.fracBits))),
    () => (vHeads = plan.name(`${prefix}.attn.v`, plan.truncate(v!, attn.v.magnitudeBits, attn.v.fracBits))),
  );

  plan.step = `${prefix}.attn.scores`;
  const products = plan.matmul(qHeads, kHeads, heads);
  const scores = plan.name(
    `${prefix}.attn.scores`,
    positionalScores ? plan.addRelativePosition(products, `${prefix}.attn.score_bias`, side) : products,
  );

  const softmaxIndex = kept.flatMap((rows, head) => rows.map((row) => head * tokens + row));
  const isSoftmax = new Set(softmaxIndex);
  const squareIndex = Array.from({ length: heads * tokens }, (_, row) => row).filter((row) => !isSoftmax.has(row));
  const parts: { rows: number[]; value: Value }[] = [];
  plan.parallel(
    () => {
      if (softmaxIndex.length === 0) return;
      plan.step = `${prefix}.attn.softmax`;
      parts.push({ rows: softmaxIndex, value: softmaxRows(plan, takeRows(plan, scores, softmaxIndex), attn) });
    },
    () => {
      if (squareIndex.length === 0) return;
      plan.step = `${prefix}.attn.square`;
      parts.push({ rows: squareIndex, value: squareRows(plan, takeRows(plan, scores, squareIndex), attn) });
    },
  );
  plan.step = `${prefix}.attn.mix`;
  const switched = mergeRows(plan, parts, heads * tokens, tokens);
  const probabilities = plan.name(
    `${prefix}.attn.probabilities`,
    staticMixing ? plan.addRelativePosition(switched, `${prefix}.attn.static_mix`, side) : switched,
  );
  const mixed = joinHeads(plan, plan.matmul(probabilities, vHeads, heads), tokens, dim, headDim);
  return plan.name(`${prefix}.attn.mix`, plan.truncate(mixed, attn.mix.magnitudeBits, attn.mix.fracBits));
}

function addMlp(
  plan: PlanBuilder,
  prefix: string,
  manifest: Manifest,
  block: BlockSpec,
  kept: readonly number[],
  x: Value,
): Value {
  const { tokens, dim, mlpDim } = manifest.architecture;
  const { mlp } = block;
  plan.step = `${prefix}.norm2`;
  const y = plan.name(`${prefix}.norm2`, layerNorm(plan, x, block.norm2));

  const isKept = new Set(kept);
  const others = Array.from({ length: tokens }, (_, token) => token).filter((token) => !isKept.has(token));
  const parts: { rows: readonly number[]; value: Value }[] = [];
  plan.parallel(
    () => {
      if (kept.length === 0) return;
      plan.step = `${prefix}.mlp.fc1`;
      const hidden = plan.linear(takeRows(plan, y, kept), `${prefix}.mlp.fc1`, mlpDim, mlp.fc1WeightFracBits);
      plan.step = `${prefix}.mlp.gelu`;
      const activated = gelu(plan, hidden, mlp.gelu);
      plan.step = `${prefix}.mlp.fc2`;
      const out = plan.linear(activated, `${prefix}.mlp.fc2`, dim, mlp.fc2WeightFracBits);
      parts.push({ rows: kept, value: plan.truncate(out, mlp.fc2MagnitudeBits, x.fracBits) });
    },
    () => {
      if (others.length === 0) return;
      plan.step = `${prefix}.mlp.merged`;
      const out = plan.linear(takeRows(plan, y, others), `${prefix}.mlp.merged`, dim, mlp.mergedWeightFracBits);
      parts.push({ rows: others, value: plan.truncate(out, mlp.mergedMagnitudeBits, x.fracBits) });
    },
  );
  return mergeRows(plan, parts, tokens, dim);
}

/** The rows of x with these indices. */
function takeRows(plan: PlanBuilder, x: Value, rows: readonly number[]): Value {
  if (rows.length === x.rows) return x;
  const index = Uint32Array.from(
    { length: rows.length * x.cols },
    (_, i) => rows[Math.floor(i / x.cols)]! * x.cols + (i % x.cols),
  );
  return plan.local([x], rows.length, x.cols, gather(index));
}

/** Puts parts back where their rows were taken from. */
function mergeRows(
  plan: PlanBuilder,
  parts: readonly { rows: readonly number[]; value: Value }[],
  rows: number,
  cols: number,
): Value {
  if (parts.length === 1) return parts[0]!.value;
  const from = new Uint32Array(rows);
  let at = 0;
  for (const part of parts) for (const row of part.rows) from[row] = at++;
  const index = Uint32Array.from({ length: rows * cols }, (_, i) => from[Math.floor(i / cols)]! * cols + (i % cols));
  return plan.local(
    parts.map((part) => part.value),
    rows,
    cols,
    gather(index),
  );
}

/** Columns `first` to `first + count` of x. */
function columns(plan: PlanBuilder, x: Value, first: number, count: number, fracBits: number): Value {
  const index = Uint32Array.from(
    { length: x.rows * count },
    (_, i) => Math.floor(i / count) * x.cols + first + (i % count),
  );
  return plan.local([x], x.rows, count, gather(index), fracBits);
}

/** The columns of x, then those of y. */
function beside(plan: PlanBuilder, x: Value, y: Value): Value {
  const cols = x.cols + y.cols;
  const index = Uint32Array.from({ length: x.rows * cols }, (_, i) => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    return col < x.cols ? row * x.cols + col : x.rows * x.cols + row * y.cols + col - x.cols;
  });
  return plan.local([x, y], x.rows, cols, gather(index));
}

/** (tokens, at least 3·dim) → q (heads·tokens, headDim), k transposed (heads·headDim, tokens), v (heads·tokens, headDim). */
function splitHeads(
  plan: PlanBuilder,
  qkv: Value,
  tokens: number,
  dim: number,
  headDim: number,
  fracBits: readonly number[],
): Value[] {
  const heads = dim / headDim;
  const size = tokens * dim;
  const rowsOf = (third: number) =>
    gather(
      Uint32Array.from({ length: size }, (_, i) => {
        const [head, token, d] = [Math.floor(i / (tokens * headDim)), Math.floor(i / headDim) % tokens, i % headDim];
        return token * qkv.cols + third * dim + head * headDim + d;
      }),
    );
  const columnsOf = (third: number) =>
    gather(
      Uint32Array.from({ length: size }, (_, i) => {
        const [channel, token] = [Math.floor(i / tokens), i % tokens];
        return token * qkv.cols + third * dim + channel;
      }),
    );
  return [
    plan.local([qkv], heads * tokens, headDim, rowsOf(0), fracBits[0]),
    plan.local([qkv], heads * headDim, tokens, columnsOf(1), fracBits[1]),
    plan.local([qkv], heads * tokens, headDim, rowsOf(2), fracBits[2]),
  ];
}

/** (heads·tokens, headDim) → (tokens, dim). */
function joinHeads(plan: PlanBuilder, x: Value, tokens: number, dim: number, headDim: number): Value {
  const index = Uint32Array.from({ length: tokens * dim }, (_, i) => {
    const [token, head, d] = [Math.floor(i / dim), Math.floor((i % dim) / headDim), i % headDim];
    return (head * tokens + token) * headDim + d;
  });
  return plan.local([x], tokens, dim, gather(index));
}

/**
 * A linear layer's output is truncated with fewer bits on the wire when its ring is wider than it must be (the wrap then lies higher),
 * and the layer itself sends nothing; but its input then needs the wider ring too. Widens each where the total falls.
 */
function widenLinearRings(sequence: Sequence): void {
  const operations = [...operationsOf(sequence)];
  const values = new Set(operations.flatMap((op) => (op.output ? [op.output, ...op.inputs] : op.inputs)));
  const widened = new Map<Value, number>();
  const evaluate = (): number => {
    for (const value of values) value.ringBits = widened.get(value) ?? 0;
    for (let i = operations.length - 1; i >= 0; i--) protocolOf(operations[i]!).need(operations[i]!);
    let bytes = 0;
    for (const op of operations) {
      const cost = naming(op, () => protocolOf(op).cost(op));
      bytes += cost.clientToOwner + cost.ownerToClient;
    }
    return bytes;
  };
  let best = evaluate();
  for (const op of operations) {
    if (op.kind !== 'linear' || op.output.ringBits >= 32) continue;
    const needed = op.output.ringBits;
    // With the output, what is only picked out of it (the heads of q, k, v).
    const group = [
      op.output,
      ...operations.flatMap((other) =>
        other.kind === 'local' && other.inputs.includes(op.output) ? [other.output] : [],
      ),
    ];
    let choice: number | undefined;
    for (let bits = needed + 1; bits <= 32; bits++) {
      for (const value of group) widened.set(value, bits);
      const bytes = evaluate();
      if (bytes < best) {
        best = bytes;
        choice = bits;
      }
    }
    for (const value of group) {
      if (choice === undefined) widened.delete(value);
      else widened.set(value, choice);
    }
    evaluate();
  }
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

/** Bytes of the longest online message: a flight is one. */
export function longestFlight({ sequence }: Plan): number {
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

function stepsOf(sequence: Sequence, operations: readonly AnyOp[]): StepPlan[] {
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
    const { title } = protocolOf(op);
    for (const spec of protocolOf(op).correlations(op)) {
      const cost = offlineCost(spec);
      step.offlineBytesClientToOwner += Math.round(cost.bytesClientToOwner);
      step.offlineBytesOwnerToClient += Math.round(cost.bytesOwnerToClient);
      step.offlineCots += cost.cots;
      step.offlineClientMs += cost.clientMs;
      step.offlineOwnerMs += cost.ownerMs;
    }
    if (op.kind !== 'local' && op.kind !== 'open' && !step.protocol.split(', ').includes(title)) {
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
  return [...steps.values()];
}

const shapeOf = (op: AnyOp) => {
  const shape = (value: Value) => `(${value.rows}, ${value.cols})`;
  const inputs = op.inputs.map(shape).join(' × ');
  return op.output ? `${inputs}${inputs ? ' → ' : ''}${shape(op.output)} mod 2^${op.output.ringBits}` : inputs;
};

/** How many offline stages must end before an operation's correlations can be made. */
export function stageOf(op: AnyOp): number {
  switch (op.kind) {
    case 'linear':
    case 'matmul':
    case 'square':
    case 'sumOfSquares':
    case 'scale':
      return Math.max(...op.inputs.map((input) => input.stage));
    default:
      return 0;
  }
}

function stagesOf(operations: readonly AnyOp[]): CorrelationSpec[][] {
  const stages: CorrelationSpec[][] = [];
  for (const op of operations) {
    const stage = stageOf(op);
    while (stages.length <= stage) stages.push([]);
    stages[stage]!.push(...protocolOf(op).correlations(op));
  }
  return stages;
}

function hashOf(
  manifest: Manifest,
  operations: readonly AnyOp[],
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
