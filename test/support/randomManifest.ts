/**
 * Random manifests: shapes, switches and ranges that a client accepts. Whatever `parseManifest` lets through belongs here: who makes the
 * format more general widens this generator, and the property tests over it (test/unit/randomManifests.test.ts) cover the rest.
 */
import fc from 'fast-check';
import { type Manifest, parseManifest } from '../../protocols/inference/manifest.ts';
import { type Answer, compilePlan } from '../../protocols/inference/plan.ts';
import { tokensBehind } from '../../protocols/inference/tokens.ts';
import { makeManifest, type Shape } from './manifest.ts';
import { publicPartOf } from './publicPart.ts';

export interface RandomModel {
  readonly manifest: Manifest;
  readonly answer: Answer;
  /** Of the weights and the picture. */
  readonly seed: number;
}

const between = (min: number, max: number) => fc.integer({ min, max });
const oneOf = <T>(...values: T[]) => fc.constantFrom(...values);

interface Architecture {
  /** Patches, down and across. */
  readonly rows: number;
  readonly cols: number;
  readonly prefixTokens: number;
  readonly isClass: boolean;
  readonly levels: 1 | 2 | 3;
  readonly harmonics: boolean;
  readonly squarings: number;
  readonly unnormalised: readonly number[];
  readonly patchSize: number;
  readonly dim: number;
  readonly heads: number;
  readonly depth: number;
  readonly mlpDim: number;
  readonly classes: number;
  readonly positionalScores: boolean;
  readonly staticMixing: boolean;
  readonly squareUnits: number;
  readonly fixedNorms: readonly string[];
  readonly withoutMlp: readonly number[];
}

type KeptTokens = NonNullable<Manifest['architecture']['keptTokens']>;

/** Small, so that a manifest takes a fraction of a second. */
const architectures: fc.Arbitrary<Architecture> = fc
  .record({
    rows: between(2, 4),
    cols: between(2, 4),
    prefixTokens: oneOf(0, 0, 1, 3),
    isClass: fc.boolean(),
    levels: oneOf<1 | 2 | 3>(1, 2, 3),
    harmonics: fc.boolean(),
    squarings: oneOf(0, 0, 1, 2),
    unnormalised: oneOf<readonly number[]>([], [], [0], [1], [0, 1]),
    patchSize: between(2, 5),
    headDim: between(2, 9),
    heads: between(1, 3),
    depth: between(1, 2),
    mlpDim: between(4, 40),
    classes: between(2, 12),
    positionalScores: fc.boolean(),
    staticMixing: fc.boolean(),
    squareUnits: fc.oneof(fc.constant(0), between(1, 9)),
    fixedNorms: fc.subarray(['0.norm1', '0.norm2', '1.norm1', '1.norm2', 'fc_norm']),
    withoutMlp: oneOf<readonly number[]>([], [], [0], [1], [0, 1]),
  })
  .map(({ headDim, positionalScores, staticMixing, unnormalised, ...rest }) => {
    const isSquare = rest.rows === rest.cols && rest.prefixTokens === 0;
    const isMixedStatically = staticMixing && isSquare;
    return {
      ...rest,
      dim: Math.max(4, rest.heads * headDim),
      positionalScores: positionalScores && isSquare,
      staticMixing: isMixedStatically,
      unnormalised: isMixedStatically ? [] : unnormalised,
    };
  })
  .filter(({ dim, heads }) => dim % heads === 0);

/** Of ascending indices none, all, or some. */
const subset = (all: readonly number[]): fc.Arbitrary<number[]> =>
  fc.oneof(fc.constant<number[]>([]), fc.constant<number[]>([...all]), fc.subarray([...all]));

const hasClassToken = ({ isClass, prefixTokens }: Architecture): boolean => isClass && prefixTokens > 0;

/** Half of them drop none; the others drop tokens behind one block or two, but what the head reads. */
const keptTokensOf = (a: Architecture): fc.Arbitrary<KeptTokens> => {
  const blocks = hasClassToken(a) ? a.depth - 1 : a.depth;
  if (a.positionalScores || a.staticMixing || blocks === 0) return fc.constant([]);
  const needed = hasClassToken(a) ? 0 : a.prefixTokens;
  const others = Array.from({ length: a.prefixTokens + a.rows * a.cols }, (_, i) => i).filter((i) => i !== needed);
  const fewer = (tokens: readonly number[]) => fc.subarray([...tokens], { maxLength: tokens.length - 1 });
  const keep = (block: number, tokens: readonly number[]) => ({
    block,
    tokens: [needed, ...tokens].sort((x, y) => x - y),
  });
  const dropped = fc.tuple(between(0, blocks - 1), fewer(others), fc.boolean()).chain(([block, kept, again]) => {
    const once = keep(block, kept);
    return again && block + 1 < blocks && kept.length > 0
      ? fewer(kept).map((still): KeptTokens => [once, keep(block + 1, still)])
      : fc.constant<KeptTokens>([once]);
  });
  return fc.oneof(fc.constant<KeptTokens>([]), dropped);
};

/** The places of the tokens whose attention and MLP each layer computes. */
const layersOf = (a: Architecture, keptTokens: KeptTokens): (readonly number[])[] =>
  Array.from({ length: a.depth }, (_, layer) =>
    tokensBehind(
      {
        ...{ tokens: a.prefixTokens + a.rows * a.cols, depth: a.depth, keptTokens },
        ...(hasClassToken(a) && { pool: 'class' }),
      },
      layer,
    ),
  );

/** By how much scales differ from `makeManifest`'s: wider ranges, finer fractions, other tables. */
const scales = fc.record({
  fracBits: between(0, 1),
  residualMagnitude: between(0, 2),
  normDigits: between(0, 2),
  normDegree: between(2, 3),
  normMagnitude: between(0, 1),
  qkvMagnitude: between(0, 2),
  scoresMagnitude: between(0, 2),
  expDigits: between(0, 1),
  reciprocalDigits: between(0, 1),
  probabilityBits: between(-1, 1),
  geluDigits: between(-1, 2),
  geluDegree: between(1, 3),
  coefficientBits: between(-1, 1),
  basisBits: between(-1, 2),
  headMagnitude: between(0, 3),
});
type Scales = typeof scales extends fc.Arbitrary<infer S> ? S : never;

function rescale(manifest: Manifest, s: Scales): Manifest {
  const { fixedPoint } = manifest;
  const ofBlocks = fixedPoint.blocks.flatMap(({ norm1, norm2 }) => [norm1, norm2]);
  const norms = [...ofBlocks, fixedPoint.fcNorm].filter((norm) => norm !== undefined);
  for (const { rsqrt, out } of norms) {
    rsqrt.digitBits += s.normDigits;
    // Of two aligned levels the coarse segments end where the fine table begins.
    if (rsqrt.fine && rsqrt.fine.boundaryBits === undefined)
      rsqrt.minimum = rsqrt.fine.minimum - 2 ** (rsqrt.rangeBits - rsqrt.digitBits);
    rsqrt.degree = s.normDegree;
    rsqrt.basisFracBits += s.basisBits;
    out.magnitudeBits += s.normMagnitude;
    out.fracBits += s.fracBits;
  }
  fixedPoint.residual.fracBits += s.fracBits;
  fixedPoint.residual.magnitudeBits += s.residualMagnitude;
  fixedPoint.head.magnitudeBits += s.headMagnitude;
  for (const { attn, mlp } of fixedPoint.blocks) {
    for (const tensor of [attn.q, attn.k, attn.v]) tensor.magnitudeBits += s.qkvMagnitude;
    attn.scores.magnitudeBits += s.scoresMagnitude;
    attn.exp.digitBits += s.expDigits;
    attn.reciprocal.digitBits += s.reciprocalDigits;
    attn.probabilities.fracBits += s.probabilityBits;
    if (!mlp) continue;
    const gelu = mlp.gelu!;
    if ('parts' in gelu) {
      for (const part of gelu.parts) part.fracBits += s.coefficientBits;
      continue;
    }
    Object.assign(gelu, { digitBits: gelu.digitBits + s.geluDigits, degree: s.geluDegree });
    gelu.coefficientFracBits += s.coefficientBits;
    gelu.basisFracBits += s.basisBits;
  }
  return manifest;
}

/** @returns undefined where the scales do not fit a ring of 32 bits. */
function acceptable(manifest: Manifest): Manifest | undefined {
  try {
    const parsed = parseManifest(JSON.stringify(manifest));
    compilePlan(parsed);
    return parsed;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export const randomModels: fc.Arbitrary<RandomModel> = architectures
  .chain((a) => fc.tuple(fc.constant(a), keptTokensOf(a)))
  .chain(([a, keptTokens]) =>
    fc.record({
      a: fc.constant(a),
      keptTokens: fc.constant(keptTokens),
      softmaxRows: fc.tuple(
        ...layersOf(a, keptTokens).map((queries, layer) => {
          const rows = a.unnormalised.includes(layer) ? fc.constant<number[]>([...queries]) : subset(queries);
          return fc.array(rows, { minLength: a.heads, maxLength: a.heads });
        }),
      ),
      geluTokens: fc.tuple(
        ...layersOf(a, keptTokens).map((queries, layer) => subset(a.withoutMlp.includes(layer) ? [] : queries)),
      ),
      scales,
      answer: oneOf<Answer>('logits', 'label'),
      publicBlocks: oneOf(undefined, undefined, 0, 1, 2),
      seed: between(1, 255),
    }),
  )
  .map(({ a, keptTokens, softmaxRows, geluTokens, scales, answer, publicBlocks, seed }) => {
    const { rows, cols, patchSize, positionalScores, staticMixing, prefixTokens, isClass } = a;
    const { squareUnits, dim, heads, depth, mlpDim, levels, harmonics, fixedNorms, withoutMlp } = a;
    const { squarings, unnormalised } = a;
    const shape: Shape = {
      ...{ imageSize: rows * patchSize, ...(rows !== cols && { imageWidth: cols * patchSize }), patchSize },
      ...{ prefixTokens, ...(prefixTokens > 0 && isClass && { pool: 'class' }), levels, harmonics },
      ...{ squarings, unnormalised },
      ...{
        dim,
        heads,
        depth,
        mlpDim,
        squareUnits,
        fixedNorms,
        withoutMlp,
        positional: false,
        poolDigits: 8,
        keptTokens,
      },
    };
    const base = rescale(makeManifest(shape), scales);
    const labels = Array.from({ length: a.classes }, (_, i) => `class ${i}`);
    Object.assign(base.architecture, {
      classes: a.classes,
      ...(positionalScores && { positionalScores }),
      ...(staticMixing && { staticMixing }),
    });
    const publicPart = publicBlocks !== undefined && { publicPart: publicPartOf(Math.min(publicBlocks, depth)) };
    const whole = { ...base, labels, switches: { softmaxRows, geluTokens }, ...publicPart };
    return { manifest: acceptable(whole), answer, seed };
  })
  .filter((model): model is RandomModel => model.manifest !== undefined);
