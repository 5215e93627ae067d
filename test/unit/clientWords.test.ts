import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { trustIn } from '../../client/src/client/confidence.ts';
import { Confidence } from '../../client/src/client/confidenceLevels.ts';
import { de } from '../../client/src/language/de.ts';
import { hasOnlyExact, shortTitle, someOf } from '../../client/src/live/modelWords.ts';
import { detailOf, protocolsOf } from '../../client/src/live/protocols.ts';
import { stepWords } from '../../client/src/live/steps.ts';
import { compilePlan, parseManifest } from '../../protocols/index.ts';
import { publicPartStep } from '../../protocols/inference/publicPart.ts';
import { accuracyOf } from '../../signaling-server/modelCard.ts';

const files: Record<string, Record<string, string>> = JSON.parse(
  readFileSync(new URL('../../model-artifacts/zoo/bundled.json', import.meta.url), 'utf8'),
);
const bundled = Object.keys(files);

describe('accuracy from a model’s card', () => {
  const fixedPoint = (top1: string) =>
    `Over 1000 random test images:\n\n| | |\n|---|---|\n| top-1, float64 | 64.50 % |\n| top-1, integers | ${top1} % |\n`;

  test('the integers’, with the number of images', () => {
    expect(accuracyOf(fixedPoint('64.40'))).toEqual({ top1: 0.644, testImages: 1000 });
  });
  test('validation, where there is nothing else', () => {
    expect(accuracyOf('| validation top-1, float | 65.16 % |\n')).toEqual({ top1: 0.6516, testImages: null });
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

describe('how much an answer can be trusted', () => {
  const levels = (share: number, right: number) =>
    Object.fromEntries(
      ['clear', 'likely', 'unclear', 'unlike'].map((level) => [level, { share, right }]),
    ) as Confidence['heldOut']['levels'];
  const figures: Confidence = {
    onnxSha256: '0'.repeat(64),
    temperature: 2,
    leastLogit: 1,
    heldOut: { images: 1000, levels: levels(0.1, 0.97) },
    outsiders: { images: 500, levels: levels(0.32, 0) },
  };
  const labels = ['cat', 'dog', 'frog'];

  test.each([
    [[9, 0, 0], 'clear'],
    [[5, 2, 0], 'likely'],
    [[4, 3, 3], 'unclear'],
    [[0.9, -9, -9], 'unlike'],
  ] as const)('%j is %s', (logits, level) => expect(trustIn(logits, labels, figures).level).toBe(level));

  test('the probabilities are calibrated, and sum to 1', () => {
    const { probabilities } = trustIn([2 * Math.log(3), 0, 0], labels, figures);
    for (const [i, expected] of [0.6, 0.2, 0.2].entries()) expect(probabilities[i]).toBeCloseTo(expected, 12);
  });

  test('the words name the second choice and the figures', () => {
    expect(trustIn([4, 3.5, 3], labels, figures).text).toBe(
      'The second choice is dog. Of pictures that do show one of the 3 things, 97 in 100 such answers are right.',
    );
    expect(trustIn([9, 0, 0], labels, figures).text).toMatch(
      /97 in 100 .* something else, 32 in 100 get such an answer too, a wrong one\.$/,
    );
    expect(trustIn([0, 0, 0], labels, figures).text).toMatch(
      /So do 32 in 100 pictures of something else, and 10 in 100/,
    );
  });

  test('a model that nobody measured says so, and is never told apart as unlike', () => {
    const { level, text } = trustIn([-5, -9, -9], labels, undefined);
    expect(level).toBe('clear');
    expect(text).toBe('How often such an answer is right was not measured for this model.');
  });

  test('the shipped models’ figures are theirs, and are fitted well', async () => {
    for (const name of bundled.filter((model) => 'confidence.json' in files[model])) {
      const file = async (path: string) =>
        JSON.parse(await readFile(new URL(`../../model-artifacts/zoo/${name}/${path}`, import.meta.url), 'utf8'));
      const shipped = v.parse(Confidence, await file('confidence.json'));
      expect(shipped.onnxSha256, name).toBe((await file('manifest.json')).files.onnxSha256);
      const { clear, likely, unclear, unlike } = shipped.heldOut.levels;
      expect(clear.share + likely.share + unclear.share + unlike.share).toBeCloseTo(1, 3);
      expect(clear.right).toBeGreaterThan(0.9);
      expect(likely.right).toBeLessThan(clear.right);
      expect(unclear.right).toBeLessThan(likely.right);
      expect(shipped.outsiders!.levels.clear.share).toBeLessThan(clear.share / 2);
      expect(shipped.outsiders!.levels.unlike.share).toBeGreaterThan(2 * unlike.share);
    }
  });
});

test('lists of labels', () => {
  expect(someOf(['cat'])).toBe('cat');
  expect(someOf(['cat', 'dog', 'frog'])).toBe('cat, dog or frog');
  expect(someOf(['cat', 'dog', 'frog'], 2)).toBe('cat, dog and 1 more');
  expect(shortTitle('CIFAR-10 (JPEG): vision transformer')).toBe('CIFAR-10 (JPEG)');
});

test.each(['../vectors/tiny', ...bundled.map((name) => `../../model-artifacts/zoo/${name}`)])(
  'every step of a plan, and every protocol in it, has words of its own: %s',
  async (folder) => {
    const json = await readFile(new URL(`${folder}/manifest.json`, import.meta.url), 'utf8');
    for (const answer of ['logits', 'label'] as const) {
      const { steps } = compilePlan(parseManifest(json), answer);
      expect(steps.length).toBeGreaterThan(10);
      for (const outside of ['handshake', 'keys', publicPartStep])
        expect(stepWords(outside), outside).toMatch(/^[a-z]/);
      for (const { name, protocol, detail } of steps) {
        expect(stepWords(name), name).toMatch(/^(Block \d+: \S|[a-z])/);
        const titles = protocolsOf(protocol).map(({ title }) => title);
        // The page's list of them is keyed by these.
        expect([...new Set(titles)], name).toEqual(titles);
        for (const { title, note } of protocolsOf(protocol)) expect(note, `${name}: ${title}`).not.toBe('');
        // In another language only the shapes stay as they are.
        const german = detailOf({ protocol, detail }, de.live.protocols);
        for (const title of protocol.split(', ')) {
          const translated = de.live.protocols[title].title;
          expect(german).toContain(`${translated} (`);
          if (!translated.startsWith(title)) expect(german).not.toContain(title);
        }
        expect(german.match(/\([\d, ]+\)/g)).toEqual(detail.match(/\([\d, ]+\)/g));
      }
    }
  },
);

describe('what the picker says of the bundled models', () => {
  const manifestOf = async (name: string) =>
    parseManifest(await readFile(new URL(`../../model-artifacts/zoo/${name}/manifest.json`, import.meta.url), 'utf8'));

  test('each has a title of its own', async () => {
    const titles = await Promise.all(bundled.map(async (name) => shortTitle((await manifestOf(name)).title)));
    expect(new Set(titles).size).toBe(bundled.length);
  });

  test('rows that nobody computes are not called polynomials', async () => {
    const isExact = async (name: string) => hasOnlyExact(await manifestOf(name));
    const polynomial = await Promise.all(bundled.map(async (name) => ((await isExact(name)) ? [] : [name])));
    expect(polynomial.flat()).toEqual(['cifar10']);
  });
});
