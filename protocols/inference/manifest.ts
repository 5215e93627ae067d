/**
 * The public description of a model: architecture, switches, fixed-point scales, labels, preprocessing. The owner sends
 * it to the client, which treats it as untrusted input: every size and count is limited here, before a plan is compiled.
 *
 * Conventions. A tensor's `fracBits` a: the integer v stands for v·2^-a. Its `magnitudeBits` b: |value| < 2^b, where b
 * already holds a factor of two over the calibrated maximum; b may be negative. Rings are not part of the manifest: the
 * plan derives them (`fracBits + magnitudeBits + 2` bits where a truncation follows).
 */
import * as v from 'valibot';
import { ProtocolError } from '../channel/errors.ts';

const int = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const fracBits = int(-8, 30);
const magnitudeBits = int(-24, 30);

const Tensor = v.strictObject({ fracBits, magnitudeBits });

/** Where a function is approximated, see protocols/layers/spline.ts. */
const Domain = v.strictObject({
  /** Lowest point of the domain, as a multiple of 2^-16; the lowest of the 2^digitBits segments must stay unused. */
  minimum: v.pipe(
    v.number(),
    v.check((x) => Number.isInteger(x * 65536) && Math.abs(x) < 2 ** 20, 'a multiple of 2^-16'),
  ),
  /** The domain is [minimum, minimum + 2^rangeBits). */
  rangeBits: int(-12, 20),
  /** The domain has 2^digitBits segments. */
  digitBits: int(1, 10),
});

const Spline = v.strictObject({
  ...Domain.entries,
  /** Degree of the polynomial on each segment. */
  degree: int(1, 4),
  /** Fraction bits of the table's entries. */
  coefficientFracBits: int(0, 28),
  /** Fraction bits of the powers of t in [0, 1), the position within the segment. */
  basisFracBits: int(4, 16),
  /** The result after truncation. */
  out: Tensor,
});

/** exp(x) = exp(client's part) · exp(owner's part): one table, no polynomial. See protocols/layers/exp.ts. */
const Exp = v.strictObject({
  ...Domain.entries,
  coefficientFracBits: int(0, 28),
  basisFracBits: int(4, 16),
  out: Tensor,
});

const Norm = v.strictObject({
  /** x → 1/√(x + epsilon) of the mean square of a token. */
  rsqrt: Spline,
  epsilon: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  /** The normalised token. */
  out: Tensor,
});

const Block = v.strictObject({
  norm1: Norm,
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
    /** Softmax rows (exp·reciprocal/n) and square rows (scores²/n) alike; static mixing is added at these fraction bits, whatever its magnitude. */
    probabilities: Tensor,
    /** Attention weights · v. */
    mix: Tensor,
    projWeightFracBits: fracBits,
    /** What `proj` adds to the residual stream, before truncation to the stream's fraction bits. */
    projMagnitudeBits: magnitudeBits,
    /** With `architecture.squareUnits`: what each unit squares, after truncation; the squares have the fraction bits of `mix`. */
    squareUnits: v.exactOptional(
      v.strictObject({ weightFracBits: fracBits, input: Tensor, outMagnitudeBits: magnitudeBits }),
    ),
  }),
  norm2: Norm,
  mlp: v.strictObject({
    fc1WeightFracBits: fracBits,
    /** GELU of fc1's output; fc1's output itself is not truncated. */
    gelu: Spline,
    fc2WeightFracBits: fracBits,
    fc2MagnitudeBits: magnitudeBits,
    /** fc2·fc1 in one matrix, for tokens whose GELU is the identity. */
    mergedWeightFracBits: fracBits,
    mergedMagnitudeBits: magnitudeBits,
  }),
});

const rows = v.pipe(
  v.array(int(0, 1023)),
  v.maxLength(1024),
  v.check((list) => list.every((r, i) => i === 0 || r > list[i - 1]!), 'ascending'),
);

export const ManifestSchema = v.pipe(
  v.strictObject({
    format: v.literal('blindsight-manifest/1'),
    /** The set the model was trained on: `cifar10`, `imagenette`. */
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,40}$/)),
    title: text(120),
    description: text(2000),
    architecture: v.strictObject({
      imageSize: int(4, 512),
      patchSize: int(1, 64),
      dim: int(4, 1024),
      depth: int(1, 24),
      heads: int(1, 16),
      mlpDim: int(4, 4096),
      /** (imageSize / patchSize)², a power of two. */
      tokens: int(1, 1024),
      classes: int(2, 1000),
      /** Whether the owner adds a table of relative positions to the scores: q·kᵀ + B (layers/relativePosition.ts). */
      positionalScores: v.exactOptional(v.boolean()),
      /** The same for the attention weights, after softmax or square: A + C. */
      staticMixing: v.exactOptional(v.boolean()),
      /** Hidden units of each block beside attention whose activation is the square (layers/squareUnits.ts). */
      squareUnits: v.exactOptional(int(1, 1024)),
    }),
    /** Shorter side resized (antialiased bilinear) to `shorterSide` pixels, then the centre `crop`×`crop` taken; RGB bytes. */
    preprocessing: v.strictObject({ shorterSide: int(4, 1024), crop: int(4, 512) }),
    labels: v.pipe(v.array(text(80)), v.minLength(2), v.maxLength(1000)),
    switches: v.strictObject({
      /** [layer][head] → rows (query tokens) whose softmax is exact, ascending. */
      softmaxRows: v.pipe(v.array(v.pipe(v.array(rows), v.maxLength(16))), v.maxLength(24)),
      /** [layer] → tokens whose GELU is exact, ascending. */
      geluTokens: v.pipe(v.array(rows), v.maxLength(24)),
    }),
    fixedPoint: v.strictObject({
      /** Weights of the patch embedding, which act on (pixel − 128); its output before truncation. */
      patchEmbed: v.strictObject({ weightFracBits: fracBits, magnitudeBits }),
      /** The residual stream: |x| of any token in any block. */
      residual: Tensor,
      blocks: v.pipe(v.array(Block), v.maxLength(24)),
      /** Mean of the residual stream over the tokens. */
      pool: Tensor,
      fcNorm: Norm,
      head: v.strictObject({ weightFracBits: fracBits, magnitudeBits }),
    }),
    /** Digests of the files beside the manifest; the client has no need of the files. */
    files: v.strictObject({ weightsSha256: sha256, onnxSha256: sha256 }),
  }),
  v.check(
    ({ architecture: a }) => a.imageSize % a.patchSize === 0 && (a.imageSize / a.patchSize) ** 2 === a.tokens,
    'tokens = (imageSize / patchSize)²',
  ),
  v.check(
    ({ architecture: a }) => Number.isInteger(Math.log2(a.tokens)) && Number.isInteger(Math.log2(a.dim)),
    'tokens and dim must be powers of two',
  ),
  v.check(({ architecture: a }) => a.dim % a.heads === 0, 'dim must be a multiple of heads'),
  v.check(({ architecture: a, labels }) => labels.length === a.classes, 'one label for each class'),
  v.check(
    ({ architecture: a, preprocessing: p }) => p.crop === a.imageSize && p.shorterSide >= p.crop,
    'crop = imageSize ≤ shorterSide',
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
    ({ architecture: a, switches: s }) =>
      s.softmaxRows.length === a.depth &&
      s.geluTokens.length === a.depth &&
      s.softmaxRows.every(
        (layer) => layer.length === a.heads && layer.every((head) => head.every((row) => row < a.tokens)),
      ) &&
      s.geluTokens.every((tokens) => tokens.every((token) => token < a.tokens)),
    'switches for every layer and head, rows and tokens below `tokens`',
  ),
);

export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type TensorSpec = v.InferOutput<typeof Tensor>;
export type SplineSpec = v.InferOutput<typeof Spline>;
export type ExpSpec = v.InferOutput<typeof Exp>;
export type NormSpec = v.InferOutput<typeof Norm>;
export type BlockSpec = v.InferOutput<typeof Block>;

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
