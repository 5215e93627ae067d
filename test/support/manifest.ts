/** A manifest with plausible scales and random weights, for tests of size and flow that need no trained model. */
import type { Manifest } from '../../protocols/inference/manifest.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import { tokensBefore, tokensBehind } from '../../protocols/inference/tokens.ts';
import type { OwnerWeights } from '../../protocols/layers/op.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { Prg } from '../../protocols/sharing/prg.ts';

type Pool = NonNullable<Manifest['architecture']['pool']>;
type Activation = NonNullable<Manifest['architecture']['activation']>;

export interface Shape {
  imageSize?: number;
  imageWidth?: number;
  patchSize?: number;
  dim?: number;
  depth?: number;
  heads?: number;
  headDim?: number;
  mlpDim?: number;
  classes?: number;
  prefixTokens?: number;
  pool?: Pool;
  activation?: Activation;
  /** Steps of softmax by squaring. */
  squarings?: number;
  /** Layers whose softmax is divided after it has mixed the values. */
  unnormalised?: readonly number[];
  /** Tables in two or three levels for norms, and then in two for GELU with a wide one. */
  levels?: 1 | 2 | 3;
  /** GELU by a trigonometric polynomial; of two groups of hidden units, of the second alone. */
  harmonics?: boolean;
  /** Groups of hidden units, of like size. */
  geluGroups?: number;
  /** Fraction bits that the stream loses at every block. */
  residualDrop?: number;
  /** Norms whose scale is constant: `0.norm1`, `fc_norm`. */
  fixedNorms?: readonly string[];
  /** Layers whose MLP is inside `proj`. */
  withoutMlp?: readonly number[];
  /** Of the table after pooling: more for smaller means. */
  poolDigits?: number;
  /** Fractions of exact rows and tokens, spread evenly. */
  softmax?: number;
  gelu?: number;
  /** Tables of relative positions in scores and attention weights. */
  positional?: boolean;
  /** Behind which layers fewer tokens go on, and which. */
  keptTokens?: NonNullable<Manifest['architecture']['keptTokens']>;
  /** Square units of each block. */
  squareUnits?: number;
}

/** `inputScale`, where it is not 1. */
const scaled = (inputScale: number) => (inputScale === 1 ? {} : { inputScale });

/** GELU of |x| ≤ 7 within 0.01, as the exporter chooses it. */
export const harmonicGelu = {
  ...{ rangeBits: 6, reach: 7, constant: 2.66657, out: { fracBits: 10, magnitudeBits: 4 } },
  parts: [
    { fracBits: 18, magnitudeBits: 3, harmonics: [{ k: 3, amplitude: -2.24876 }] },
    {
      ...{ fracBits: 14, magnitudeBits: -1 },
      harmonics: [
        { k: 9, amplitude: -0.28927 },
        { k: 15, amplitude: -0.09304 },
        { k: 21, amplitude: -0.02811 },
        { k: 27, amplitude: -0.00678 },
      ],
    },
  ],
};

export function makeManifest({
  imageSize = 8,
  imageWidth,
  patchSize = 2,
  dim = 16,
  depth = 2,
  heads = 2,
  headDim,
  mlpDim = 32,
  classes = 10,
  prefixTokens = 0,
  pool = 'mean',
  activation = 'gelu',
  squarings = 0,
  unnormalised = [],
  levels = 1,
  harmonics = false,
  geluGroups = 0,
  residualDrop = 0,
  fixedNorms = [],
  withoutMlp = [],
  poolDigits = 6,
  softmax = 0.25,
  gelu: geluShare = 0.1,
  positional = true,
  squareUnits = 6,
  keptTokens = [],
}: Shape = {}): Manifest {
  const tokens = prefixTokens + (imageSize / patchSize) * ((imageWidth ?? imageSize) / patchSize);
  const factor = (n: number) => n / 2 ** Math.ceil(Math.log2(n));
  const spread = (places: readonly number[], fraction: number, offset: number) =>
    places.filter((_, i) => Math.floor((i + offset + 1) * fraction) > Math.floor((i + offset) * fraction));
  const dropping = { tokens, depth, pool, keptTokens };
  const rsqrt = {
    minimum: 0,
    rangeBits: 3,
    digitBits: 5,
    degree: 2,
    coefficientFracBits: 14,
    basisFracBits: 10,
    out: { fracBits: 11, magnitudeBits: 3 },
    ...scaled(1 / factor(dim)),
    // The coarse segments begin at 0; the first two are the fine table's.
    ...(levels === 2 && {
      ...{ minimum: -0.5, rangeBits: 4, digitBits: 5 },
      fine: { minimum: 0, rangeBits: 0, digitBits: 5, degree: 2 },
    }),
    ...(levels === 3 && {
      ...{ minimum: -0.5, rangeBits: 4, digitBits: 4 },
      fine: {
        ...{ minimum: 0.125, rangeBits: 2, digitBits: 4, degree: 3, boundaryBits: 5, basisFracBits: 11 },
        fine: { minimum: 0, rangeBits: -1, digitBits: 4, degree: 2, boundaryBits: 7, coefficientFracBits: 12 },
      },
    }),
  };
  // Of a mean over tokens, which is smaller.
  const afterPool =
    levels > 1 && pool === 'mean'
      ? { minimum: -0.125, rangeBits: 1, digitBits: 4, fine: { minimum: 0, rangeBits: -2, digitBits: 6, degree: 2 } }
      : pool === 'mean'
        ? { rangeBits: 1, digitBits: poolDigits }
        : {};
  const gelu = {
    ...{ minimum: -8, rangeBits: 4, digitBits: 4, degree: 2, coefficientFracBits: 12, basisFracBits: 10 },
    ...(levels > 1 && {
      ...{ minimum: -32, rangeBits: 6, digitBits: 4, ceiling: 3 },
      fine: { minimum: -8, rangeBits: 4, digitBits: 5, degree: 2 },
    }),
    out: { fracBits: 10, magnitudeBits: 4 },
  };
  /** 1/x of Σexp·2^-⌈log2 n⌉, at least n/2^⌈log2 n⌉ > 1/2, of n keys. */
  const reciprocalOf = (keys: number) => ({
    ...{ minimum: factor(keys) < 1 ? 0.25 : 0.5, rangeBits: 5, digitBits: factor(keys) < 1 ? 7 : 6, degree: 2 },
    ...{ coefficientFracBits: 14, basisFracBits: 10, out: { fracBits: 11, magnitudeBits: 1 } },
  });
  const norm = { rsqrt, epsilon: 1e-6, out: { fracBits: 10, magnitudeBits: 4 } };
  // Smaller weights where they read the stream itself, whose tokens are larger than normalised ones.
  const readBits = (name: string) => (fixedNorms.includes(name) ? 14 : 11);
  /** Of softmax weights before their last division, with what the sums of values leave of 30 bits. */
  const weightBits = 6;
  const block = (layer: number, keys = tokensBefore(dropping, layer).length) => ({
    ...(residualDrop > 0 && { residual: { fracBits: 9 - residualDrop * (layer + 1), magnitudeBits: 4 } }),
    ...(!fixedNorms.includes(`${layer}.norm1`) && { norm1: norm }),
    attn: {
      qWeightFracBits: readBits(`${layer}.norm1`),
      kWeightFracBits: readBits(`${layer}.norm1`),
      vWeightFracBits: readBits(`${layer}.norm1`),
      q: { fracBits: 9, magnitudeBits: 3 },
      k: { fracBits: 9, magnitudeBits: 3 },
      v: { fracBits: 9, magnitudeBits: 3 },
      scores: { fracBits: 9, magnitudeBits: 4 },
      exp: {
        minimum: -8,
        rangeBits: 4,
        digitBits: 3,
        coefficientFracBits: 11,
        basisFracBits: 8,
        out: { fracBits: unnormalised.includes(layer) && squarings === 0 ? weightBits : 11, magnitudeBits: 10 },
        ...scaled(1 / factor(keys) / 2 ** squarings),
      },
      reciprocal: reciprocalOf(keys),
      ...(squarings > 0 && {
        squarings: Array.from({ length: squarings }, (_, i) => ({
          input: { fracBits: 8, magnitudeBits: 5 },
          square: {
            fracBits: unnormalised.includes(layer) && i === squarings - 1 ? weightBits : 8,
            magnitudeBits: 10,
          },
          reciprocal: { ...reciprocalOf(keys), minimum: 0.5, rangeBits: 5, digitBits: 7 },
        })),
      }),
      probabilities: { fracBits: 12, magnitudeBits: 2 },
      ...(unnormalised.includes(layer) && {
        unnormalisedMix: { fracBits: 11, magnitudeBits: 30 - weightBits - 9 - Math.ceil(Math.log2(keys)) },
      }),
      mix: { fracBits: 10, magnitudeBits: 4 },
      projWeightFracBits: 11,
      projMagnitudeBits: 4,
      ...(squareUnits > 0 && {
        squareUnits: {
          weightFracBits: readBits(`${layer}.norm1`),
          input: { fracBits: 9, magnitudeBits: 3 },
          outMagnitudeBits: 6,
        },
      }),
    },
    ...(!withoutMlp.includes(layer) && secondHalf(layer)),
  });
  const secondHalf = (layer: number) => ({
    ...(!fixedNorms.includes(`${layer}.norm2`) && { norm2: norm }),
    mlp: {
      fc1WeightFracBits: readBits(`${layer}.norm2`),
      ...(geluGroups === 0
        ? { gelu: harmonics ? structuredClone(harmonicGelu) : gelu }
        : {
            geluGroups: Array.from({ length: geluGroups }, (_, i) => ({
              units: Math.floor(((i + 1) * mlpDim) / geluGroups) - Math.floor((i * mlpDim) / geluGroups),
              // Another table for each.
              ...(harmonics && i % 2
                ? structuredClone(harmonicGelu)
                : { ...gelu, digitBits: gelu.digitBits + (i % 2) }),
            })),
          }),
      fc2WeightFracBits: 11,
      fc2MagnitudeBits: 4,
      mergedWeightFracBits: readBits(`${layer}.norm2`),
      mergedMagnitudeBits: 4,
    },
  });
  const queries = (layer: number) => tokensBehind(dropping, layer);
  return {
    format: 'blindsight-manifest/1',
    name: 'test',
    title: 'Test model',
    description: 'Random weights.',
    architecture: {
      ...{ imageSize, patchSize, dim, depth, heads, mlpDim, tokens, classes },
      ...(imageWidth !== undefined && { imageWidth }),
      ...(headDim !== undefined && { headDim }),
      ...(prefixTokens > 0 && { prefixTokens }),
      ...(pool !== 'mean' && { pool }),
      ...(activation !== 'gelu' && { activation }),
      ...(positional && { positionalScores: true, staticMixing: true }),
      ...(squareUnits > 0 && { squareUnits }),
      ...(keptTokens.length > 0 && { keptTokens }),
    },
    preprocessing: {
      shorterSide: imageSize,
      crop: imageSize,
      ...(imageWidth !== undefined && { cropWidth: imageWidth }),
    },
    labels: Array.from({ length: classes }, (_, i) => `class ${i}`),
    switches: {
      softmaxRows: Array.from({ length: depth }, (_, layer) =>
        Array.from({ length: heads }, (_, head) => spread(queries(layer), softmax, 3 * layer + head)),
      ),
      geluTokens: Array.from({ length: depth }, (_, layer) =>
        withoutMlp.includes(layer) ? [] : spread(queries(layer), geluShare, 5 * layer),
      ),
    },
    fixedPoint: {
      patchEmbed: { weightFracBits: 16, magnitudeBits: 3 },
      residual: { fracBits: 9, magnitudeBits: 4 },
      blocks: Array.from({ length: depth }, (_, layer) => structuredClone(block(layer))),
      pool: { fracBits: 9, magnitudeBits: 4 },
      ...(!fixedNorms.includes('fc_norm') && { fcNorm: { ...norm, rsqrt: { ...rsqrt, ...afterPool } } }),
      head: { weightFracBits: 11, magnitudeBits: 5 },
    },
  };
}

/** Random weights of a size that keeps activations near one. */
export function randomWeights(manifest: Manifest, seed = 1): OwnerWeights {
  const random = new Prg(new Uint8Array(32).fill(seed), 'weights');
  const tensors = new Map<string, Uint32Array>();
  const draw = (count: number, limit: number) => random.words(count).map((word) => (word % (2 * limit + 1)) - limit);
  for (const op of compilePlan(manifest).operations) {
    for (const { name, shape, limit } of protocolOf(op).tensors(op)) {
      const count = shape.reduce((product, n) => product * n, 1);
      const { fracBits, preset } = op.output!;
      if (limit === undefined) {
        // Biases, and positions: up to 1 in scores, an eighth in what sums over all tokens.
        const bound = name.endsWith('.bias') ? 0.1 : name === 'prefix' ? 1.5 : preset ? 0.125 : 1;
        tensors.set(name, draw(count, Math.round(bound * 2 ** fracBits)));
        continue;
      }
      // Uniform in ±√(3/inputs)·gain has variance gain²/inputs.
      const gain = op.inputs[0].fracBits === 0 ? 1 / 64 : 0.7;
      const scale = Math.sqrt(3 / shape[1]) * 2 ** (fracBits - op.inputs[0].fracBits);
      tensors.set(name, draw(count, Math.min(limit - 1, Math.round(gain * scale))));
    }
  }
  return {
    tensor(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new RangeError(`no tensor ${name}`);
      return tensor;
    },
  };
}
