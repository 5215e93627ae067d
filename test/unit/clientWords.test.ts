import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { confidenceOf } from '../../client/src/client/confidence.ts';
import { shortTitle, someOf } from '../../client/src/live/modelWords.ts';
import { protocolsOf } from '../../client/src/live/protocols.ts';
import { stepWords } from '../../client/src/live/steps.ts';
import { compilePlan, parseManifest } from '../../protocols/index.ts';
import { accuracyOf } from '../../signaling-server/modelCard.ts';

describe('accuracy from a model’s card', () => {
  const fixedPoint = (top1: string) =>
    `Over 1000 random test images:\n\n| | |\n|---|---|\n| top-1, float64 | 64.50 % |\n| top-1, integers | ${top1} % |\n`;

  test('the integers’, with the number of images', () => {
    expect(accuracyOf(fixedPoint('64.40'))).toEqual({ top1: 0.644, on: '1,000 test images' });
  });
  test('validation, where there is nothing else', () => {
    expect(accuracyOf('| validation top-1, float | 65.16 % |\n')).toEqual({ top1: 0.6516, on: 'validation images' });
  });
  test.each([[''], ['# a card'], [fixedPoint('640.1')], ['| validation top-1, float | nan % |']])(
    'nothing from %j',
    (card) => expect(accuracyOf(card)).toBeUndefined(),
  );
  test('the shipped model’s card has one', async () => {
    const card = await readFile(new URL('../../model-artifacts/zoo/cifar10/card.md', import.meta.url), 'utf8');
    expect(accuracyOf(card)!.top1).toBeGreaterThan(0.5);
  });
});

test.each([
  [[0.9, 0.1], 'high'],
  [[0.3, 0.6, 0.1], 'middle'],
  [[0.4, 0.35, 0.25], 'low'],
] as const)('confidence of %j is %s', (probabilities, level) => {
  expect(confidenceOf(probabilities, ['cat', 'dog', 'frog']).level).toBe(level);
});

test('low confidence names the second choice', () => {
  expect(confidenceOf([0.25, 0.4, 0.35], ['cat', 'dog', 'frog']).text).toMatch(
    /^It could as well be frog, or none of the 3/,
  );
});

test('lists of labels', () => {
  expect(someOf(['cat'])).toBe('cat');
  expect(someOf(['cat', 'dog', 'frog'])).toBe('cat, dog or frog');
  expect(someOf(['cat', 'dog', 'frog'], 2)).toBe('cat, dog and 1 more');
  expect(shortTitle('CIFAR-10 (JPEG): vision transformer')).toBe('CIFAR-10 (JPEG)');
});

test('every step of a plan, and every protocol in it, has words of its own', async () => {
  const json = await readFile(new URL('../vectors/tiny/manifest.json', import.meta.url), 'utf8');
  for (const answer of ['logits', 'label'] as const) {
    const { steps } = compilePlan(parseManifest(json), answer);
    expect(steps.length).toBeGreaterThan(10);
    for (const { name, protocol } of steps) {
      expect(stepWords(name), name).toMatch(/^(Block \d+: \S|[a-z])/);
      for (const { title, note } of protocolsOf(protocol)) expect(note, `${name}: ${title}`).not.toBe('');
    }
  }
});
