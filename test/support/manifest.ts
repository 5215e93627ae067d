/** A manifest with plausible scales and random weights, for tests of size and flow that need no trained model. */
import type { Manifest } from '../../protocols/inference/manifest.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import type { OwnerWeights } from '../../protocols/layers/op.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { Prg } from '../../protocols/sharing/prg.ts';

interface Shape {
  imageSize?: number;
  patchSize?: number;
  dim?: number;
  depth?: number;
  heads?: number;
  mlpDim?: number;
  /** Fractions of exact rows and tokens, spread evenly. */
  softmax?: number;
  gelu?: number;
  /** Tables of relative positions in scores and attention weights. */
  positional?: boolean;
  /** Square units of each block. */
  squareUnits?: number;
}

export function makeManifest({
  imageSize = 8,
  patchSize = 2,
  dim = 16,
  depth = 2,
  heads = 2,
  mlpDim = 32,
  softmax = 0.25,
  gelu = 0.1,
  positional = true,
  squareUnits = 6,
}: Shape = {}): Manifest {
  const tokens = (imageSize / patchSize) ** 2;
  const spread = (count: number, fraction: number, offset: number) =>
    Array.from({ length: count }, (_, i) => i).filter(
      (i) => Math.floor((i + offset + 1) * fraction) > Math.floor((i + offset) * fraction),
    );
  const rsqrt = {
    minimum: 0,
    rangeBits: 3,
    digitBits: 5,
    degree: 2,
    coefficientFracBits: 14,
    basisFracBits: 10,
    out: { fracBits: 11, magnitudeBits: 3 },
  };
  const norm = { rsqrt, epsilon: 1e-6, out: { fracBits: 10, magnitudeBits: 4 } };
  const block = {
    norm1: norm,
    attn: {
      qWeightFracBits: 11,
      kWeightFracBits: 11,
      vWeightFracBits: 11,
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
        out: { fracBits: 11, magnitudeBits: 10 },
      },
      reciprocal: {
        minimum: 0.5,
        rangeBits: 5,
        digitBits: 6,
        degree: 2,
        coefficientFracBits: 14,
        basisFracBits: 10,
        out: { fracBits: 11, magnitudeBits: 1 },
      },
      probabilities: { fracBits: 12, magnitudeBits: 2 },
      mix: { fracBits: 10, magnitudeBits: 4 },
      projWeightFracBits: 11,
      projMagnitudeBits: 4,
      ...(squareUnits > 0 && {
        squareUnits: { weightFracBits: 11, input: { fracBits: 9, magnitudeBits: 3 }, outMagnitudeBits: 6 },
      }),
    },
    norm2: norm,
    mlp: {
      fc1WeightFracBits: 11,
      gelu: {
        minimum: -8,
        rangeBits: 4,
        digitBits: 4,
        degree: 2,
        coefficientFracBits: 12,
        basisFracBits: 10,
        out: { fracBits: 10, magnitudeBits: 4 },
      },
      fc2WeightFracBits: 11,
      fc2MagnitudeBits: 4,
      mergedWeightFracBits: 11,
      mergedMagnitudeBits: 4,
    },
  };
  return {
    format: 'blindsight-manifest/1',
    name: 'test',
    title: 'Test model',
    description: 'Random weights.',
    architecture: {
      ...{ imageSize, patchSize, dim, depth, heads, mlpDim, tokens, classes: 10 },
      ...(positional && { positionalScores: true, staticMixing: true }),
      ...(squareUnits > 0 && { squareUnits }),
    },
    preprocessing: { shorterSide: imageSize, crop: imageSize },
    labels: Array.from({ length: 10 }, (_, i) => `class ${i}`),
    switches: {
      softmaxRows: Array.from({ length: depth }, (_, layer) =>
        Array.from({ length: heads }, (_, head) => spread(tokens, softmax, 3 * layer + head)),
      ),
      geluTokens: Array.from({ length: depth }, (_, layer) => spread(tokens, gelu, 5 * layer)),
    },
    fixedPoint: {
      patchEmbed: { weightFracBits: 16, magnitudeBits: 3 },
      residual: { fracBits: 9, magnitudeBits: 4 },
      blocks: Array.from({ length: depth }, () => structuredClone(block)),
      pool: { fracBits: 9, magnitudeBits: 4 },
      fcNorm: { ...norm, rsqrt: { ...rsqrt, rangeBits: 1, digitBits: 6 } },
      head: { weightFracBits: 11, magnitudeBits: 5 },
    },
    files: { weightsSha256: '0'.repeat(64), onnxSha256: '0'.repeat(64) },
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
        const bound = name.endsWith('.bias') ? 0.1 : preset ? 0.125 : 1;
        tensors.set(name, draw(count, Math.round(bound * 2 ** fracBits)));
        continue;
      }
      // Uniform in ±√(3/inputs)·gain has variance gain²/inputs.
      const gain = op.inputs[0]!.fracBits === 0 ? 1 / 64 : 0.7;
      const scale = Math.sqrt(3 / shape[1]!) * 2 ** (fracBits - op.inputs[0]!.fracBits);
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
