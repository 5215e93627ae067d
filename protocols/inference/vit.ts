/**
 * The network: a pre-norm Vision Transformer (Dosovitskiy et al., ICLR 2021) whose rows of attention and tokens of MLP are exact or
 * Taylorized as the switches say (PriViT, Dhyani et al. 2024). The only file that knows the architecture. Step names follow timm's.
 */
import { argmax } from '../layers/argmax.ts';
import type { PlanBuilder } from '../layers/builder.ts';
import { harmonics } from '../layers/harmonics.ts';
import { type InputOp, input } from '../layers/input.ts';
import { layerNorm } from '../layers/layerNorm.ts';
import { linear } from '../layers/linear.ts';
import { add, ceilLog2, local, sumColumns } from '../layers/local.ts';
import type { EndingOp, Value } from '../layers/op.ts';
import { prepend } from '../layers/prepend.ts';
import { matmul } from '../layers/product.ts';
import { relativePosition } from '../layers/relativePosition.ts';
import { reveal } from '../layers/reveal.ts';
import { mixUnnormalised, softmaxRows, unnormalisedSoftmax } from '../layers/softmax.ts';
import { spline } from '../layers/spline.ts';
import { squareRows } from '../layers/squareAttention.ts';
import { squareUnits } from '../layers/squareUnits.ts';
import { truncate } from '../layers/truncate.ts';
import type { NormSpec, TensorSpec } from './fixedPoint.ts';
import type { BlockSpec, Manifest } from './manifest.ts';
import { besideColumns, headsAsColumns, headsAsRows, joinHeads, mergeRows, takeColumns, takeRows } from './moves.ts';
import { positionsIn, tokensBefore, tokensBehind } from './tokens.ts';

/** What the client learns: all logits, or only which is the largest. The owner chooses. */
export type Answer = 'logits' | 'label';

/**
 * Fraction bits of the logits that a client learns: more tell it nothing about its image, and a client that deviates would read the
 * weights from them (docs/online.md).
 */
export const answerFracBits = 8;

/** Adds the whole network. */
export function addNetwork(
  plan: PlanBuilder,
  manifest: Manifest,
  answer: Answer,
): { input: InputOp; logits: Value; reveal: EndingOp } {
  const { architecture, fixedPoint, publicPart } = manifest;
  plan.step = 'input';
  const { rows, cols, fracBits } = inputShape(manifest);
  const given = input(plan, rows, cols, fracBits);
  let x = plan.name('input', given.output);
  if (!publicPart) x = embed(plan, manifest, x);
  for (let layer = publicPart?.blocks ?? 0; layer < architecture.depth; layer++) x = addBlock(plan, manifest, layer, x);
  const logits = addHead(plan, manifest, x);

  const { magnitudeBits: logitMagnitude } = fixedPoint.head;
  if (answer === 'label') return { input: given, logits, reveal: argmax(plan, logits, logitMagnitude) };
  const rounded = logits.fracBits > answerFracBits ? truncate(plan, logits, logitMagnitude, answerFracBits) : logits;
  return { input: given, logits: rounded, reveal: reveal(plan, rounded, logitMagnitude) };
}

/**
 * What the client shares: the pixels of each patch, (patches, 3·patchSize²); or, where the model has a public part, the residual stream that the
 * client has computed with it, (tokens that go on, dim).
 */
export function inputShape(manifest: Manifest): { rows: number; cols: number; fracBits: number } {
  const { architecture, fixedPoint, publicPart } = manifest;
  const { tokens, patchSize, dim, prefixTokens = 0 } = architecture;
  if (!publicPart) return { rows: tokens - prefixTokens, cols: 3 * patchSize ** 2, fracBits: 0 };
  const { blocks } = publicPart;
  // The stream as the first private block reads it, or as the last block left it.
  const { fracBits } = fixedPoint.blocks
    .slice(0, blocks + 1)
    .reduce((stream, { residual }) => residual ?? stream, fixedPoint.residual);
  return { rows: tokensBefore(architecture, blocks).length, cols: dim, fracBits };
}

/** The residual stream before the first block, (tokens, dim). */
function embed(plan: PlanBuilder, { architecture, fixedPoint }: Manifest, pixels: Value): Value {
  const { dim, prefixTokens = 0 } = architecture;
  const { weightFracBits, magnitudeBits } = fixedPoint.patchEmbed;
  plan.step = 'patch_embed';
  const embedded = linear(plan, pixels, 'patch_embed', dim, weightFracBits, true);
  const stream = truncate(plan, embedded, magnitudeBits, fixedPoint.residual.fracBits);
  return plan.name('patch_embed', prefixTokens > 0 ? prepend(plan, stream, 'prefix', prefixTokens) : stream);
}

/** At least so many numbers do linear layers and matrix products of a network make, whatever its switches. */
export function leastProducts({ architecture, fixedPoint, publicPart }: Manifest): number {
  const { dim, heads, squareUnits: units = 0 } = architecture;
  const inner = innerDim(architecture);
  let least = 0;
  fixedPoint.blocks.slice(publicPart?.blocks ?? 0).forEach(({ mlp }, i) => {
    const layer = i + (publicPart?.blocks ?? 0);
    const [keys, queries] = [tokensBefore(architecture, layer).length, tokensBehind(architecture, layer).length];
    const ofQueries = heads * keys + 2 * inner + (mlp ? 2 : 1) * dim + units;
    least += 2 * keys * inner + queries * ofQueries;
  });
  return least;
}

type MlpSpec = NonNullable<BlockSpec['mlp']>;

const headDimOf = ({ dim, heads, headDim = dim / heads }: Manifest['architecture']): number => headDim;
const innerDim = (architecture: Manifest['architecture']): number => architecture.heads * headDimOf(architecture);

/** The residual stream (tokens, dim) after a block, of the tokens that go on. */
function addBlock(plan: PlanBuilder, manifest: Manifest, layer: number, x: Value): Value {
  const { architecture } = manifest;
  const { dim } = architecture;
  const block = manifest.fixedPoint.blocks[layer];
  const prefix = `blocks.${layer}`;
  plan.step = `${prefix}.norm1`;
  const stream = block.residual ? rescale(plan, x, block.residual) : x;
  // Queries, and what follows, of the tokens that go on alone; keys and values of every token that is there.
  const goOn = positionsIn(tokensBefore(architecture, layer), tokensBehind(architecture, layer));
  const ahead = takeRows(plan, stream, goOn);
  const attention = addAttention(plan, manifest, layer, stream, goOn, ahead);
  const between = local(plan, [ahead, attention], ahead.rows, dim, add);
  if (!block.mlp) return plan.name(`${prefix}.mlp.residual`, between);
  const mlp = addMlp(plan, manifest, layer, plan.name(`${prefix}.attn.residual`, between), block.mlp);
  return plan.name(`${prefix}.mlp.residual`, local(plan, [between, mlp], ahead.rows, dim, add));
}

/** The stream with fewer fraction bits, for blocks in which it is larger. */
function rescale(plan: PlanBuilder, x: Value, { magnitudeBits, fracBits }: TensorSpec): Value {
  if (fracBits > x.fracBits)
    throw new RangeError(`${plan.step}: residual: expected at most ${x.fracBits} fraction bits, got ${fracBits}`);
  return fracBits === x.fracBits ? x : truncate(plan, x, magnitudeBits, fracBits);
}

/** The normalised tokens; the tokens themselves where the scale is constant, and part of the weights that follow. */
const normOf = (plan: PlanBuilder, name: string, x: Value, spec: NormSpec | undefined): Value =>
  spec ? plan.name(name, layerNorm(plan, x, spec)) : x;

/** The logits, (1, classes). */
function addHead(plan: PlanBuilder, manifest: Manifest, x: Value): Value {
  const { architecture, fixedPoint } = manifest;
  const { dim, depth, classes, pool = 'mean', prefixTokens = 0 } = architecture;
  const norm = (tokens: Value) => {
    plan.step = 'fc_norm';
    return normOf(plan, 'fc_norm', tokens, fixedPoint.fcNorm);
  };
  const mean = (tokens: Value) => {
    plan.step = 'pool';
    const { rows, fracBits } = tokens;
    const sum = local(plan, [tokens], 1, dim, sumColumns(rows, dim), fracBits + ceilLog2(rows));
    return plan.name('pool', truncate(plan, sum, fixedPoint.pool.magnitudeBits, fixedPoint.pool.fracBits));
  };
  const there = tokensBefore(architecture, depth);
  const patches = () => takeRows(plan, x, range(there.filter((token) => token < prefixTokens).length, x.rows));
  const features = pool === 'class' ? norm(x) : pool === 'mean' ? norm(mean(patches())) : mean(norm(patches()));
  plan.step = 'head';
  return plan.name('logits', linear(plan, features, 'head', classes, fixedPoint.head.weightFracBits));
}

/**
 * Attention and, where the model has them, the square units beside it: what the block's first half adds to the stream. An MLP that is linear is
 * inside it.
 * @param x the stream.
 * @param goOn which of its rows go on behind the block.
 * @param ahead those: (queries, dim), as the result.
 */
function addAttention(
  plan: PlanBuilder,
  manifest: Manifest,
  layer: number,
  x: Value,
  goOn: readonly number[],
  ahead: Value,
): Value {
  const { architecture, fixedPoint } = manifest;
  const { dim, heads, squareUnits: units = 0 } = architecture;
  const block = fixedPoint.blocks[layer];
  const { attn } = block;
  const isSplit = goOn.length < x.rows;
  const prefix = `blocks.${layer}`;
  const [headDim, inner] = [headDimOf(architecture), innerDim(architecture)];

  const y = normOf(plan, `${prefix}.norm1`, x, block.norm1);
  plan.step = `${prefix}.attn.qkv`;
  const [ofQueries, ofKeys] = isSplit
    ? [
        linear(plan, takeRows(plan, y, goOn), `${prefix}.attn.q`, inner + units, attn.qWeightFracBits),
        linear(plan, y, `${prefix}.attn.kv`, 2 * inner, attn.kWeightFracBits),
      ]
    : oneForBoth(linear(plan, y, `${prefix}.attn.qkv`, 3 * inner + units, attn.qWeightFracBits));
  const [firstKey, firstUnit] = isSplit ? [0, inner] : [inner, 3 * inner];
  const q = headsAsRows(plan, ofQueries, 0, heads, headDim, y.fracBits + attn.qWeightFracBits);
  const k = headsAsColumns(plan, ofKeys, firstKey, heads, headDim, y.fracBits + attn.kWeightFracBits);
  const v = headsAsRows(plan, ofKeys, firstKey + inner, heads, headDim, y.fracBits + attn.vWeightFracBits);
  let mix!: Value;
  let squares: Value | undefined;
  plan.parallel(
    () => (mix = mixHeads(plan, manifest, layer, [q, k, v])),
    () => {
      const spec = attn.squareUnits;
      if (!spec) return;
      plan.step = `${prefix}.attn.units`;
      const inside = takeColumns(plan, ofQueries, firstUnit, units, y.fracBits + spec.weightFracBits);
      squares = plan.name(`${prefix}.attn.unit_squares`, squareUnits(plan, inside, spec, attn.mix.fracBits));
    },
  );
  plan.step = `${prefix}.attn.proj`;
  const read = squares ? [mix, squares] : [mix];
  if (!block.mlp) read.push(takeColumns(plan, ahead, 0, dim, attn.mix.fracBits));
  const out = linear(plan, besideColumns(plan, read), `${prefix}.attn.proj`, dim, attn.projWeightFracBits);
  return truncate(plan, out, attn.projMagnitudeBits, x.fracBits);
}

const oneForBoth = (x: Value): [Value, Value] => [x, x];

/**
 * The heads' weighted sums of values, side by side: (queries, heads·headDim).
 * @param qkv (heads·queries, headDim), (heads·headDim, tokens), (heads·tokens, headDim).
 */
function mixHeads(plan: PlanBuilder, manifest: Manifest, layer: number, [q, k, v]: [Value, Value, Value]): Value {
  const { architecture } = manifest;
  const { heads, positionalScores } = architecture;
  const { attn } = manifest.fixedPoint.blocks[layer];
  const prefix = `blocks.${layer}`;
  const side = Math.sqrt(k.cols);
  let qHeads!: Value;
  let kHeads!: Value;
  let vHeads!: Value;
  plan.parallel(
    () => (qHeads = plan.name(`${prefix}.attn.q`, truncate(plan, q, attn.q.magnitudeBits, attn.q.fracBits))),
    () => (kHeads = plan.name(`${prefix}.attn.k`, truncate(plan, k, attn.k.magnitudeBits, attn.k.fracBits))),
    () => (vHeads = plan.name(`${prefix}.attn.v`, truncate(plan, v, attn.v.magnitudeBits, attn.v.fracBits))),
  );

  plan.step = `${prefix}.attn.scores`;
  const products = matmul(plan, qHeads, kHeads, heads);
  const scores = plan.name(
    `${prefix}.attn.scores`,
    positionalScores ? relativePosition(plan, products, `${prefix}.attn.score_bias`, side) : products,
  );

  const mix = (untruncated: Value): Value => {
    const joined = joinHeads(plan, untruncated, heads);
    return plan.name(`${prefix}.attn.mix`, truncate(plan, joined, attn.mix.magnitudeBits, attn.mix.fracBits));
  };
  if (attn.unnormalisedMix) {
    plan.step = `${prefix}.attn.softmax`;
    const weights = unnormalisedSoftmax(plan, scores, attn);
    plan.step = `${prefix}.attn.mix`;
    return mix(mixUnnormalised(plan, weights, vHeads, heads, attn.unnormalisedMix));
  }
  const probabilities = switchedRows(plan, manifest, layer, scores);
  return mix(matmul(plan, probabilities, vHeads, heads));
}

/** Attention weights (heads·queries, tokens) of the scores: each row by its switch, and static mixing. */
function switchedRows(plan: PlanBuilder, manifest: Manifest, layer: number, scores: Value): Value {
  const { architecture } = manifest;
  const { heads, staticMixing } = architecture;
  const { attn } = manifest.fixedPoint.blocks[layer];
  const prefix = `blocks.${layer}`;
  const { rows, cols: tokens } = scores;
  const queries = rows / heads;
  const goOn = tokensBehind(architecture, layer);
  const softmaxIndex = manifest.switches.softmaxRows[layer].flatMap((rows, head) =>
    positionsIn(goOn, rows).map((row) => head * queries + row),
  );
  const squareIndex = without(rows, softmaxIndex);
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
  const switched = mergeRows(plan, parts, rows, tokens);
  const side = Math.sqrt(tokens);
  return plan.name(
    `${prefix}.attn.probabilities`,
    staticMixing ? relativePosition(plan, switched, `${prefix}.attn.static_mix`, side) : switched,
  );
}

/** What the block's second half adds to the stream: fc2·GELU·fc1 for the tokens that keep it, one matrix for the others. */
function addMlp(plan: PlanBuilder, manifest: Manifest, layer: number, x: Value, mlp: MlpSpec): Value {
  const { architecture } = manifest;
  const { dim, mlpDim } = architecture;
  const block = manifest.fixedPoint.blocks[layer];
  const prefix = `blocks.${layer}`;
  plan.step = `${prefix}.norm2`;
  const y = normOf(plan, `${prefix}.norm2`, x, block.norm2);

  const exact = positionsIn(tokensBehind(architecture, layer), manifest.switches.geluTokens[layer]);
  const others = without(x.rows, exact);
  const parts: { rows: readonly number[]; value: Value }[] = [];
  plan.parallel(
    () => {
      if (exact.length === 0) return;
      plan.step = `${prefix}.mlp.fc1`;
      const hidden = linear(plan, takeRows(plan, y, exact), `${prefix}.mlp.fc1`, mlpDim, mlp.fc1WeightFracBits);
      plan.step = `${prefix}.mlp.gelu`;
      const activated = activate(plan, manifest, mlp, hidden);
      plan.step = `${prefix}.mlp.fc2`;
      const out = linear(plan, activated, `${prefix}.mlp.fc2`, dim, mlp.fc2WeightFracBits);
      parts.push({ rows: exact, value: truncate(plan, out, mlp.fc2MagnitudeBits, x.fracBits) });
    },
    () => {
      if (others.length === 0) return;
      plan.step = `${prefix}.mlp.merged`;
      const out = linear(plan, takeRows(plan, y, others), `${prefix}.mlp.merged`, dim, mlp.mergedWeightFracBits);
      parts.push({ rows: others, value: truncate(plan, out, mlp.mergedMagnitudeBits, x.fracBits) });
    },
  );
  return mergeRows(plan, parts, x.rows, dim);
}

/** The activation of the hidden units, each group of them in its own way: the exporter puts units of like range side by side. */
function activate(plan: PlanBuilder, manifest: Manifest, { gelu, geluGroups = [] }: MlpSpec, hidden: Value): Value {
  const { activation = 'gelu' } = manifest.architecture;
  const of = (x: Value, spec: NonNullable<typeof gelu>) =>
    'parts' in spec ? harmonics(plan, x, activation, spec) : spline(plan, x, activation, spec);
  if (gelu) return of(hidden, gelu);
  let first = 0;
  const parts: Value[] = [];
  plan.parallel(
    ...geluGroups.map(({ units, ...spec }, i) => {
      const from = first;
      first += units;
      return () => {
        const inside = takeColumns(plan, hidden, from, units, hidden.fracBits);
        parts[i] = of(inside, spec);
      };
    }),
  );
  return besideColumns(plan, parts);
}

/** from … to − 1. */
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The numbers below `count` that are not in the list. */
function without(count: number, list: readonly number[]): number[] {
  const listed = new Set(list);
  return range(0, count).filter((i) => !listed.has(i));
}
