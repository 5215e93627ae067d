/**
 * The public description of a model: architecture, switches, fixed-point scales, labels, preprocessing. The owner sends
 * it to the client, which treats it as untrusted input: every size and count is limited here, before a plan is compiled.
 *
 * Conventions. A tensor's `fracBits` a: the integer v stands for v·2^-a. Its `magnitudeBits` b: |value| < 2^b, where b
 * already holds a factor of two over the calibrated maximum; b may be negative. Rings are not part of the manifest: the
 * plan derives them (`fracBits + magnitudeBits + 2` bits where a truncation follows).
 *
 * A mean over n is a sum with ⌈log2 n⌉ more fraction bits: it holds the mean times n/2^⌈log2 n⌉, in (1/2, 1]. The plan makes up for that factor
 * nowhere; the exporter does, in weights and in the tables' `inputScale` (docs/artifact.md).
 */
import * as v from 'valibot';
import { ProtocolError } from '../channel/errors.ts';
import { type ActivationName, activations } from '../layers/splineFunctions.ts';
import {
  Exp,
  fracBits,
  HarmonicActivation,
  int,
  magnitudeBits,
  Norm,
  Spline,
  Squaring,
  TableActivation,
  Tensor,
} from './fixedPoint.ts';
import { faultOfKeptTokens, indices, tokensBehind } from './tokens.ts';

/** A line in any language. No control characters and no overrides of direction: a stranger's words stand beside ours, and in terminals. */
const text = (max: number) =>
  v.pipe(v.string(), v.maxLength(max), v.regex(/^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u, 'no control characters'));
const Label = v.pipe(text(80), v.minLength(1));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
/** Limits on what a stranger's manifest may ask to be looked at; what it may cost is limited by its plan (limits.ts). */
const [maxImageSize, maxTokens, maxDim, maxDepth, maxHeads, maxMlpDim, maxClasses] = [
  1024, 2048, 2048, 48, 32, 8192, 4096,
];

/** Twice a ViT-Base in half precision: what a client reads, and keeps in memory, of a stranger's public part. */
export const maxPublicPartBytes = 2 ** 28;

const Block = v.strictObject({
  /** The stream from this block on, where it needs fewer fraction bits than before. */
  residual: v.exactOptional(Tensor),
  /** Absent where the scale of LayerNorm is a constant: it is part of the weights then, which read the stream itself. */
  norm1: v.exactOptional(Norm),
  attn: v.strictObject({
    /** Fraction bits of the integer weights of each third of `qkv`, and the three results after truncation; 1/√d_head is inside q. */
    qWeightFracBits: fracBits,
    kWeightFracBits: fracBits,
    vWeightFracBits: fracBits,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    /** Scores of the rows whose switch is the square, after truncation. `magnitudeBits` covers all raw scores, positions included. */
    scores: Tensor,
    /** Scores minus their row's mean, rows whose switch is softmax. */
    exp: Exp,
    /** n/Σexp of a softmax row as a function of Σexp/n ≥ 1 (n tokens). */
    reciprocal: Spline,
    squarings: v.exactOptional(v.pipe(v.array(Squaring), v.minLength(1), v.maxLength(2))),
    /** Softmax rows (exp·reciprocal/n) and square rows (scores²/n) alike; static mixing is added at these fraction bits, whatever its magnitude. */
    probabilities: Tensor,
    /**
     * Where all of the block's rows are softmax: Σ_j x_j·v_j·2^-⌈log2 n⌉ of weights x before their last division, which then is this sum's.
     * `probabilities` stand for nothing there.
     */
    unnormalisedMix: v.exactOptional(Tensor),
    /** Attention weights · v. What else `proj` reads is read as if it had these fraction bits: squares have, the stream's weights make up for it. */
    mix: Tensor,
    projWeightFracBits: fracBits,
    /** What `proj` adds to the residual stream, before truncation to the stream's fraction bits. */
    projMagnitudeBits: magnitudeBits,
    /** With `architecture.squareUnits`: what each unit squares, after truncation; the squares have the fraction bits of `mix`. */
    squareUnits: v.exactOptional(
      v.strictObject({ weightFracBits: fracBits, input: Tensor, outMagnitudeBits: magnitudeBits }),
    ),
  }),
  norm2: v.exactOptional(Norm),
  /** Absent where the MLP is linear, with a norm of constant scale and no token's GELU: it is inside `proj`, which then reads the stream too. */
  mlp: v.exactOptional(
    v.strictObject({
      fc1WeightFracBits: fracBits,
      /** The activation of fc1's output; fc1's output itself is not truncated. */
      gelu: v.exactOptional(v.union([TableActivation, HarmonicActivation])),
      /** In its place: hidden units of like range side by side, each group with its own table. */
      geluGroups: v.exactOptional(
        v.pipe(
          v.array(
            v.union([
              v.strictObject({ units: int(1, maxMlpDim), ...TableActivation.entries }),
              v.strictObject({ units: int(1, maxMlpDim), ...HarmonicActivation.entries }),
            ]),
          ),
          v.minLength(1),
          v.maxLength(8),
        ),
      ),
      fc2WeightFracBits: fracBits,
      fc2MagnitudeBits: magnitudeBits,
      /** fc2·fc1 in one matrix, for tokens whose GELU is the identity. */
      mergedWeightFracBits: fracBits,
      mergedMagnitudeBits: magnitudeBits,
    }),
  ),
});

const places = indices(maxTokens);

/** Whether the weights of a block's every row, of those that go on, are a softmax and nothing else. */
const isSoftmaxAlone = (
  architecture: Parameters<typeof tokensBehind>[0] & { readonly staticMixing?: boolean | undefined },
  switches: { readonly softmaxRows: readonly (readonly (readonly number[])[])[] },
  layer: number,
): boolean =>
  !architecture.staticMixing &&
  switches.softmaxRows[layer].every((rows) => rows.length === tokensBehind(architecture, layer).length);

export const ManifestSchema = v.pipe(
  v.strictObject({
    format: v.literal('blindsight-manifest/1'),
    /** The set the model was trained on: `cifar10`, `imagenette`. */
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,40}$/)),
    title: text(120),
    description: text(2000),
    architecture: v.strictObject({
      /** Height in pixels; and width, but for imageWidth. */
      imageSize: int(4, maxImageSize),
      imageWidth: v.exactOptional(int(4, maxImageSize)),
      patchSize: int(1, 64),
      dim: int(4, maxDim),
      depth: int(1, maxDepth),
      heads: int(1, maxHeads),
      /** dim / heads by default. */
      headDim: v.exactOptional(int(1, 256)),
      mlpDim: int(4, maxMlpDim),
      /** prefixTokens + (imageSize / patchSize)·(imageWidth / patchSize). */
      tokens: int(1, maxTokens),
      /** Tokens that no patch has, before the others: the class token, then registers. The owner's. */
      prefixTokens: v.exactOptional(int(1, 16)),
      /**
       * What the head sees: fc_norm of the mean over the patches (by default), fc_norm of the class token, or the mean over the patches of
       * what fc_norm makes of each.
       */
      pool: v.exactOptional(v.picklist(['mean', 'class', 'norm-mean'])),
      activation: v.exactOptional(v.picklist(Object.keys(activations) as ActivationName[])),
      classes: int(2, maxClasses),
      /** Whether the owner adds a table of relative positions to the scores: q·kᵀ + B (layers/relativePosition.ts). */
      positionalScores: v.exactOptional(v.boolean()),
      /** The same for the attention weights, after softmax or square: A + C. */
      staticMixing: v.exactOptional(v.boolean()),
      /** Behind `block` only `tokens` go on, by their places among all `tokens` of the picture, until a later entry keeps still fewer. */
      keptTokens: v.exactOptional(
        v.pipe(
          v.array(v.strictObject({ block: int(0, maxDepth - 1), tokens: v.pipe(places, v.minLength(1)) })),
          v.minLength(1),
          v.maxLength(maxDepth),
        ),
      ),
      /** Hidden units of each block beside attention whose activation is the square (layers/squareUnits.ts). */
      squareUnits: v.exactOptional(int(1, 1024)),
    }),
    /** Resized with antialiasing, cut out, RGB bytes: see image.ts. */
    preprocessing: v.strictObject({
      /** `shorter`: the shorter side to `shorterSide`, then the centre taken (by default). `squash`: to the model's size, both sides. */
      fit: v.exactOptional(v.picklist(['shorter', 'squash'])),
      shorterSide: int(4, 2 * maxImageSize),
      /** Height of what is taken; and width, but for cropWidth. */
      crop: int(4, maxImageSize),
      cropWidth: v.exactOptional(int(4, maxImageSize)),
      interpolation: v.exactOptional(v.picklist(['bilinear', 'bicubic'])),
    }),
    labels: v.pipe(v.array(Label), v.minLength(2), v.maxLength(maxClasses)),
    switches: v.strictObject({
      /** [layer][head] → rows (query tokens, of those that go on) whose softmax is exact, ascending. */
      softmaxRows: v.pipe(v.array(v.pipe(v.array(places), v.maxLength(maxHeads))), v.maxLength(maxDepth)),
      /** [layer] → tokens, of those that go on, whose GELU is exact, ascending. */
      geluTokens: v.pipe(v.array(places), v.maxLength(maxDepth)),
    }),
    fixedPoint: v.strictObject({
      /** Weights of the patch embedding, which act on (pixel − 128); its output before truncation. */
      patchEmbed: v.strictObject({ weightFracBits: fracBits, magnitudeBits }),
      /** The residual stream: |x| of any token in any block. */
      residual: Tensor,
      blocks: v.pipe(v.array(Block), v.maxLength(maxDepth)),
      /** Mean of the residual stream over the tokens. */
      pool: Tensor,
      /** Absent where its scale is a constant: it is part of the head then, which reads what is pooled. */
      fcNorm: v.exactOptional(Norm),
      head: v.strictObject({ weightFracBits: fracBits, magnitudeBits }),
    }),
    /**
     * What is no secret of the owner's: the patch embedding and the first `blocks` blocks, as an ONNX file that the client gets and runs itself
     * (publicPart.ts). The protocol begins with the residual stream at that block. Scales and switches of public blocks stand for nothing.
     */
    publicPart: v.exactOptional(
      v.strictObject({ blocks: int(0, maxDepth), bytes: int(1, maxPublicPartBytes), sha256 }),
    ),
    /** Digests of the files beside the manifest. They stay with the owner: they would confirm guesses and link owners. */
    files: v.exactOptional(v.strictObject({ weightsSha256: sha256, onnxSha256: sha256 })),
  }),
  v.check(({ architecture: { imageSize, imageWidth = imageSize, patchSize, tokens, prefixTokens = 0 } }) => {
    const patches = (imageSize / patchSize) * (imageWidth / patchSize);
    return imageSize % patchSize === 0 && imageWidth % patchSize === 0 && prefixTokens + patches === tokens;
  }, 'tokens = prefixTokens + (imageSize / patchSize)·(imageWidth / patchSize)'),
  v.check(
    ({ architecture: { dim, heads, headDim } }) => headDim !== undefined || dim % heads === 0,
    'dim must be a multiple of heads, or headDim given',
  ),
  v.check(
    ({ architecture: a }) => a.pool !== 'class' || a.prefixTokens !== undefined,
    'a class token is the first of prefixTokens',
  ),
  v.check(
    ({ architecture: a }) =>
      !(a.positionalScores || a.staticMixing) || (a.prefixTokens === undefined && a.imageWidth === undefined),
    'relative positions are those of a square grid without prefixTokens',
  ),
  v.check(({ architecture: a, labels }) => labels.length === a.classes, 'one label for each class'),
  v.check(
    ({ architecture: a, preprocessing: p }) =>
      p.crop === a.imageSize && p.cropWidth === a.imageWidth && (p.fit === 'squash' || p.shorterSide >= p.crop),
    'crop = imageSize, cropWidth = imageWidth, crop ≤ shorterSide', // `shorterSide` is of the height, the width follows (image.ts)
  ),
  v.check(
    ({ architecture: a, fixedPoint }) => fixedPoint.blocks.length === a.depth,
    'one block of scales for each layer',
  ),
  v.check(
    ({ architecture: a, fixedPoint }) =>
      fixedPoint.blocks.every(({ attn }) => (attn.squareUnits !== undefined) === (a.squareUnits !== undefined)),
    'scales of square units in every block, if the architecture has such units',
  ),
  v.check(
    ({ architecture: a, fixedPoint }) =>
      fixedPoint.blocks.every(({ mlp }) => {
        if (!mlp) return true;
        const { gelu, geluGroups } = mlp;
        if (!geluGroups) return gelu !== undefined;
        const fracBits = geluGroups[0]?.out.fracBits;
        return (
          gelu === undefined &&
          geluGroups.reduce((sum, { units }) => sum + units, 0) === a.mlpDim &&
          geluGroups.every(({ out }) => out.fracBits === fracBits)
        );
      }),
    'in every MLP gelu, or geluGroups of mlpDim units together whose results have the same fraction bits',
  ),
  v.check(
    ({ fixedPoint, switches: s }) =>
      fixedPoint.blocks.every(({ mlp, norm2 }, i) => mlp || (!norm2 && !s.geluTokens[i]?.length)),
    'of a block without mlp: no norm2, and no token with GELU',
  ),
  v.check(
    ({ architecture: a, publicPart }) => publicPart === undefined || publicPart.blocks <= a.depth,
    'at most `depth` public blocks',
  ),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed && faultOfKeptTokens(dataset.value.architecture);
    if (message) addIssue({ message });
  }),
  v.check(({ architecture: a, switches: s }) => {
    const layers = Array.from({ length: a.depth }, (_, i) => new Set(tokensBehind(a, i)));
    return (
      s.softmaxRows.length === a.depth &&
      s.geluTokens.length === a.depth &&
      s.softmaxRows.every((heads) => heads.length === a.heads) &&
      layers.every((there, i) =>
        [...s.softmaxRows[i], s.geluTokens[i]].every((list) => list.every((x) => there.has(x))),
      )
    );
  }, 'switches for every layer and head, rows and tokens of those that go on behind it (of the last layer before a class token’s head: 0 alone)'),
  v.check(
    ({ architecture: a, fixedPoint, switches: s }) =>
      fixedPoint.blocks.every(({ attn }, i) => !attn.unnormalisedMix || isSoftmaxAlone(a, s, i)),
    'unnormalisedMix only in a block without static mixing whose every row is softmax',
  ),
);

export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type BlockSpec = v.InferOutput<typeof Block>;

/** The same network with other switches; a block whose rows are no longer all softmax divides each weight again. */
export function withSwitches(manifest: Manifest, switches: Manifest['switches']): Manifest {
  const { architecture, fixedPoint } = manifest;
  const blocks = fixedPoint.blocks.map((block, layer) => {
    const { unnormalisedMix: _, ...attn } = block.attn;
    return isSoftmaxAlone(architecture, switches, layer) ? block : { ...block, attn };
  });
  return { ...manifest, switches, fixedPoint: { ...fixedPoint, blocks } };
}

/** What a client gets to see of a manifest. */
export function publicManifest({ files: _digests, ...rest }: Manifest): Manifest {
  return rest;
}

/** Longest manifest (bytes of JSON) that is read at all. */
export const maxManifestBytes = 1 << 20;

/**
 * Parses a manifest from an untrusted source.
 * @throws ProtocolError `manifest`, naming the field and what was expected.
 */
export function parseManifest(json: string): Manifest {
  if (json.length > maxManifestBytes)
    throw new ProtocolError('manifest', 'manifest', `longer than ${maxManifestBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ProtocolError('manifest', 'manifest', 'is not JSON');
  }
  // The first is told; a hostile manifest may have half a million.
  const result = v.safeParse(ManifestSchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new ProtocolError('manifest', 'manifest', `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
}
