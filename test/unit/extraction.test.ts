/** What a client that deviates reads of the head: as many bits for each query as the reveal has, and no more. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { defaultLimit, weightBits } from '../../protocols/inference/extraction.ts';
import { answerBits, compilePlan } from '../../protocols/inference/plan.ts';
import { answerFracBits } from '../../protocols/inference/vit.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { extractHead, query, weightsPerAnswer, windowOf } from '../support/extraction.ts';
import { modelOf } from '../support/pairing.ts';

const signed = (words: Uint32Array) => Array.from(words, (word) => word | 0);

describe('extraction from the head', () => {
  it('reads every weight in the end, at the stated bits for each query', async () => {
    const model = modelOf();
    const [rows, columns] = [model.manifest.labels.length, model.manifest.architecture.dim];
    const { weights, queries } = await extractHead(model, columns);
    expect(weights.flat()).toEqual(signed(model.weights.tensor('head.weight')));
    expect(queries).toBe(1 + Math.ceil(columns / weightsPerAnswer(model.plan)));
    // All that was read in a query fits into what the reveal carries, and nearly fills it.
    const read = weightsPerAnswer(model.plan) * 12 * rows;
    expect(read).toBeLessThanOrEqual(answerBits(model.plan));
    expect(read).toBeGreaterThan(0.75 * answerBits(model.plan));
  });

  it('reads classes × revealed bits a query of cifar10, less than half of the 290 of full precision', async () => {
    const model = await readModel(fileURLToPath(new URL('../../model-artifacts/zoo/cifar10', import.meta.url)));
    const { plan } = model;
    const classes = model.manifest.labels.length;
    const { lowest, bits } = windowOf(plan);
    expect(bits).toBe(answerFracBits + model.manifest.fixedPoint.head.magnitudeBits + 1);
    expect(answerBits(plan)).toBe(classes * bits);
    expect(answerBits(plan)).toBeLessThan(290 / 2);

    // The biases: their high bits, in one query. The low ones stay with the owner.
    const { from, lastMessageBytes } = await query(model, new Int32Array(model.manifest.architecture.dim), 1);
    expect(lastMessageBytes).toBe(Math.ceil(answerBits(plan) / 8));
    signed(model.weights.tensor('head.bias')).forEach((bias, i) => {
      expect(bias - from[i]).toBeGreaterThanOrEqual(0);
      expect(bias - from[i]).toBeLessThan(2 ** lowest);
    });
    // One weight of each class in each further query.
    const columns = 2;
    const { weights } = await extractHead(model, columns);
    const head = signed(model.weights.tensor('head.weight'));
    const { dim } = model.manifest.architecture;
    expect(weights).toEqual(weights.map((_, row) => head.slice(row * dim, row * dim + columns)));
    expect(1 + Math.ceil(dim / weightsPerAnswer(plan))).toBe(257);
    // At the default limit it ends with less than a thousandth of the weights, however well they are packed.
    const all = weightBits(plan, model.weights);
    expect((defaultLimit * answerBits(plan)) / all).toBeLessThan(0.001);
  });

  it('gets four bits where the label of ten alone is revealed', () => {
    expect(answerBits(compilePlan(modelOf().manifest, 'label'))).toBe(4);
  });
});
