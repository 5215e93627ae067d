import path from 'node:path';
import { expect, test } from 'vitest';
import { evaluateReference, inputOf, prepareImage } from '../../protocols/index.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { TINY_SAMPLES, tinySample } from '../support/tinySamples.ts';

test.each(TINY_SAMPLES)('%s stays inside the ranges of the tiny model', async (background) => {
  const model = await readModel(path.join(import.meta.dirname, '../vectors/tiny'));
  const pixels = prepareImage(await readImage(await tinySample(background)), model.manifest.preprocessing);
  const { violations } = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
  expect(violations).toEqual([]);
});
