/**
 * The network: a pre-norm Vision Transformer (Dosovitskiy et al., ICLR 2021) whose rows of attention and tokens of MLP are exact or
 * Taylorized as the switches say (PriViT, Dhyani et al. 2024). The only file that knows the architecture. Step names follow timm's.
 */
import { argmax } from '../layers/argmax.ts';
import type { PlanBuilder } from '../layers/builder.ts';
import { type InputOp, input } from '../layers/input.ts';
import { layerNorm } from '../layers/layerNorm.ts';
import { linear } from '../layers/linear.ts';
import { add, local, sumColumns } from '../layers/local.ts';
import type { EndingOp, Value } from '../layers/op.ts';
import { matmul } from '../layers/product.ts';
import { relativePosition } from '../layers/relativePosition.ts';
import { reveal } from '../layers/reveal.ts';
import { softmaxRows } from '../layers/softmax.ts';
import { spline } from '../layers/spline.ts';
import { squareRows } from '../layers/squareAttention.ts';
import { squareUnits } from '../layers/squareUnits.ts';
import { truncate } from '../layers/truncate.ts';
import type { BlockSpec, Manifest } from './manifest.ts';
import { besideColumns, joinHeads, mergeRows, splitHeads, takeColumns, takeRows } from './moves.ts';

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
): { input: InputOp; reveal: EndingOp } {
  const { tokens, patchSize, dim, classes } = manifest.architecture;
  const { fixedPoint, switches } = manifest;
  const { residual: stream } = fixedPoint;

  plan.step = 'input';
  const given = input(plan, tokens, 3 * patchSize ** 2);
  const pixels = plan.name('input', given.output);
  plan.step = 'patch_embed';
  const embedded = linear(plan, pixels, 'patch_embed', dim, fixedPoint.patchEmbed.weightFracBits, true);
  let residual = plan.name(
    'patch_embed',
    truncate(plan, embedded, fixedPoint.patchEmbed.magnitudeBits, stream.fracBits),
  );

  fixedPoint.blocks.forEach((block, layer) => {
    const prefix = `blocks.${layer}`;
    const attention = addAttention(plan, prefix, manifest, block, switches.softmaxRows[layer]!, residual);
    residual = plan.name(`${prefix}.attn.residual`, local(plan, [residual, attention], tokens, dim, add));
    const mlp = addMlp(plan, prefix, manifest, block, switches.geluTokens[layer]!, residual);
    residual = plan.name(`${prefix}.mlp.residual`, local(plan, [residual, mlp], tokens, dim, add));
  });

  plan.step = 'pool';
  const sum = local(plan, [residual], 1, dim, sumColumns(tokens, dim), residual.fracBits + Math.log2(tokens));
  const pooled = plan.name('pool', truncate(plan, sum, fixedPoint.pool.magnitudeBits, fixedPoint.pool.fracBits));
  plan.step = 'fc_norm';
  const normalised = plan.name('fc_norm', layerNorm(plan, pooled, fixedPoint.fcNorm));
  plan.step = 'head';
  const logits = plan.name('logits', linear(plan, normalised, 'head', classes, fixedPoint.head.weightFracBits));
  const { magnitudeBits } = fixedPoint.head;
  if (answer === 'label') return { input: given, reveal: argmax(plan, logits, magnitudeBits) };
  const rounded = logits.fracBits > answerFracBits ? truncate(plan, logits, magnitudeBits, answerFracBits) : logits;
  return { input: given, reveal: reveal(plan, rounded, magnitudeBits) };
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
  const read = linear(plan, y, `${prefix}.attn.qkv`, 3 * dim + units, attn.qWeightFracBits);
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
      const inside = takeColumns(plan, read, 3 * dim, units, y.fracBits + spec.weightFracBits);
      squares = plan.name(`${prefix}.attn.unit_squares`, squareUnits(plan, inside, spec, attn.mix.fracBits));
    },
  );
  plan.step = `${prefix}.attn.proj`;
  return truncate(
    plan,
    linear(
      plan,
      squares ? besideColumns(plan, mix, squares) : mix,
      `${prefix}.attn.proj`,
      dim,
      attn.projWeightFracBits,
    ),
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
    () => (qHeads = plan.name(`${prefix}.attn.q`, truncate(plan, q!, attn.q.magnitudeBits, attn.q.fracBits))),
    () => (kHeads = plan.name(`${prefix}.attn.k`, truncate(plan, k!, attn.k.magnitudeBits, attn.k.fracBits))),
    () => (vHeads = plan.name(`${prefix}.attn.v`, truncate(plan, v!, attn.v.magnitudeBits, attn.v.fracBits))),
  );

  plan.step = `${prefix}.attn.scores`;
  const products = matmul(plan, qHeads, kHeads, heads);
  const scores = plan.name(
    `${prefix}.attn.scores`,
    positionalScores ? relativePosition(plan, products, `${prefix}.attn.score_bias`, side) : products,
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
    staticMixing ? relativePosition(plan, switched, `${prefix}.attn.static_mix`, side) : switched,
  );
  const mixed = joinHeads(plan, matmul(plan, probabilities, vHeads, heads), tokens, dim, headDim);
  return plan.name(`${prefix}.attn.mix`, truncate(plan, mixed, attn.mix.magnitudeBits, attn.mix.fracBits));
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
      const hidden = linear(plan, takeRows(plan, y, kept), `${prefix}.mlp.fc1`, mlpDim, mlp.fc1WeightFracBits);
      plan.step = `${prefix}.mlp.gelu`;
      const activated = spline(plan, hidden, 'gelu', mlp.gelu);
      plan.step = `${prefix}.mlp.fc2`;
      const out = linear(plan, activated, `${prefix}.mlp.fc2`, dim, mlp.fc2WeightFracBits);
      parts.push({ rows: kept, value: truncate(plan, out, mlp.fc2MagnitudeBits, x.fracBits) });
    },
    () => {
      if (others.length === 0) return;
      plan.step = `${prefix}.mlp.merged`;
      const out = linear(plan, takeRows(plan, y, others), `${prefix}.mlp.merged`, dim, mlp.mergedWeightFracBits);
      parts.push({ rows: others, value: truncate(plan, out, mlp.mergedMagnitudeBits, x.fracBits) });
    },
  );
  return mergeRows(plan, parts, tokens, dim);
}
