// Vision Transformers of any shape: what the integers compute is the network, and what two parties compute is the integers, at the plan's cost.
import { describe, expect, it, vi } from 'vitest';
import { inputOf } from '../../protocols/inference/image.ts';
import { parseManifest } from '../../protocols/inference/manifest.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import { smallParameters } from '../ideal/otPair.ts';
import { runEndToEnd } from '../support/endToEnd.ts';
import { floatLogits } from '../support/floatViT.ts';
import { makeManifest, randomWeights, type Shape } from '../support/manifest.ts';
import { modelOf, picture } from '../support/pairing.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

const plain = { positional: false, squareUnits: 0, softmax: 1, gelu: 1, poolDigits: 8 } as const;
const shapes: Record<string, Shape> = {
  'nine tokens, width 12, three heads': { ...plain, imageSize: 9, patchSize: 3, dim: 12, heads: 3, mlpDim: 20 },
  'class token': { ...plain, prefixTokens: 1, pool: 'class' },
  'class token, one block': { ...plain, prefixTokens: 1, pool: 'class', depth: 1 },
  'class token, registers, Taylorized rows': { ...plain, prefixTokens: 5, pool: 'class', softmax: 0.4, gelu: 0.3 },
  'registers and mean of the patches': { ...plain, prefixTokens: 3, dim: 24, heads: 2, levels: 3 },
  'norm before the mean': { ...plain, imageSize: 6, dim: 20, heads: 2, pool: 'norm-mean' },
  'not square': { ...plain, imageSize: 4, imageWidth: 10 },
  'heads narrower than the width': { ...plain, dim: 18, heads: 4, headDim: 3, levels: 2 },
  'tanh GELU': { ...plain, activation: 'gelu-tanh', imageSize: 6 },
  'quick GELU': { ...plain, activation: 'quick-gelu' },
  'softmax by one squaring': { ...plain, imageSize: 6, squarings: 1 },
  'softmax by two squarings': { ...plain, imageSize: 6, squarings: 2, prefixTokens: 1, pool: 'class' },
  'divided behind the values': { ...plain, imageSize: 6, unnormalised: [0, 1] },
  'divided behind the values, by squaring, in one block': {
    ...plain,
    ...{ imageSize: 6, squarings: 1, unnormalised: [1], depth: 3, squareUnits: 5 },
  },
  'divided behind the values, class token and fewer tokens': {
    ...plain,
    ...{ prefixTokens: 1, pool: 'class', depth: 3, squarings: 2, unnormalised: [0, 2], withoutMlp: [1] },
    keptTokens: [{ block: 0, tokens: [0, 1, 3, 6, 8, 9, 11, 14, 16] }],
  },
  'tables in two levels': { ...plain, levels: 2, imageSize: 6 },
  'tables in three levels': { ...plain, levels: 3, imageSize: 6, prefixTokens: 1, pool: 'class' },
  'hidden units in groups': { ...plain, geluGroups: 3, mlpDim: 23 },
  'GELU by harmonics': { ...plain, harmonics: true, imageSize: 6 },
  'groups of hidden units, by tables and by harmonics': {
    ...plain,
    harmonics: true,
    geluGroups: 3,
    mlpDim: 23,
    imageSize: 6,
  },
  'a stream that loses fraction bits': { ...plain, residualDrop: 1, imageSize: 6 },
  'norms of constant scale': { ...plain, imageSize: 6, fixedNorms: ['0.norm2', '1.norm1'], softmax: 0.5, gelu: 0.5 },
  'nothing but the last norm': { ...plain, imageSize: 6, fixedNorms: ['0.norm1', '0.norm2', '1.norm1', '1.norm2'] },
  'a head that reads the mean of the stream': { ...plain, imageSize: 6, fixedNorms: ['fc_norm'] },
  'a head that reads the stream of a class token, coarser': {
    ...plain,
    ...{
      prefixTokens: 2,
      pool: 'class',
      depth: 3,
      residualDrop: 1,
      fixedNorms: ['1.norm1', 'fc_norm'],
      withoutMlp: [2],
    },
  },
  'no norm at all, and patches pooled': {
    ...plain,
    ...{ prefixTokens: 1, pool: 'norm-mean', imageSize: 6, softmax: 1, gelu: 0 },
    fixedNorms: ['0.norm1', '0.norm2', '1.norm1', '1.norm2', 'fc_norm'],
  },
  'no norm before a class token alone goes on': {
    ...plain,
    ...{ prefixTokens: 1, pool: 'class', squareUnits: 5, fixedNorms: ['1.norm1'], withoutMlp: [0, 1] },
  },
  'an MLP inside attention': { ...plain, imageSize: 6, withoutMlp: [0], fixedNorms: ['1.norm1'], gelu: 0.5 },
  'no MLP but square units': {
    ...plain,
    prefixTokens: 1,
    pool: 'class',
    squareUnits: 5,
    withoutMlp: [0, 1],
    residualDrop: 1,
  },
  'square units beside a class token': { ...plain, prefixTokens: 1, pool: 'class', squareUnits: 5, softmax: 0.5 },
  'every second token behind the first block': {
    ...plain,
    ...{ prefixTokens: 1, pool: 'class', depth: 3, softmax: 0.6, gelu: 0.4 },
    keptTokens: [
      { block: 0, tokens: [0, 1, 3, 6, 8, 9, 11, 14, 16] },
      { block: 1, tokens: [0, 1, 11] },
    ],
  },
  'fewer patches to the mean, and no register': {
    ...plain,
    ...{ prefixTokens: 2, imageSize: 6, softmax: 0.5, gelu: 0.5, withoutMlp: [1] },
    keptTokens: [
      { block: 0, tokens: [1, 2, 3, 5, 10] },
      { block: 1, tokens: [2, 5, 10] },
    ],
  },
  'a hundred and fifty classes': { ...plain, classes: 150, depth: 1 },
};

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  const manifest = parseManifest(JSON.stringify(makeManifest(shape)));
  const { imageSize, imageWidth = imageSize } = manifest.architecture;
  const pixels = (seed: number) => picture(imageSize, seed, imageWidth);

  // A step of free operations alone would be a line without words in the meters.
  it('every step has a protocol', () => {
    for (const { name, protocol } of modelOf(manifest).plan.steps) expect(protocol, name).not.toBe('');
  });

  // Of square units the float network knows nothing.
  it.skipIf(shape.squareUnits)('integers are the network', () => {
    const weights = randomWeights(manifest, 3);
    const { plan } = modelOf(manifest);
    for (let seed = 1; seed <= 3; seed++) {
      const input = inputOf(pixels(seed), manifest.architecture);
      const { logits, violations } = evaluateReference(plan, weights, input);
      expect(violations).toEqual([]);
      const expected = floatLogits(manifest, weights, input);
      const spread = Math.sqrt(expected.reduce((sum, logit) => sum + logit ** 2, 0) / expected.length);
      const off = expected.map((logit, i) => Math.abs(logit - logits[i] * 2 ** -plan.logitFracBits));
      expect(Math.max(...off)).toBeLessThan(0.05 * spread);
    }
  });

  it('two parties agree on the label, at the planned cost', async () => {
    const worst = await runEndToEnd(
      { manifest, answer: 'label', seed: 3 },
      { parameters: smallParameters, isParallel: false, classifications: 1 },
    );
    expect(worst).toBeLessThan(0.1);
  });

  it('two parties compute the integers, at the planned cost', async () => {
    const worst = await runEndToEnd(
      { manifest, answer: 'logits', seed: 3 },
      { parameters: smallParameters, isParallel: true, classifications: 1 },
    );
    expect(worst).toBeLessThan(0.1);
  });
});
