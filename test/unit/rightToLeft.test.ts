/** Labels, titles and names of files from right to left: wherever they stand, what is around them keeps its order. */
import { render } from 'svelte/server';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import OwnerSees from '../../client/src/alone/OwnerSees.svelte';
import ImagePicker from '../../client/src/client/ImagePicker.svelte';
import KnownClasses from '../../client/src/client/KnownClasses.svelte';
import PlaintextCheck from '../../client/src/client/PlaintextCheck.svelte';
import Queue from '../../client/src/client/Queue.svelte';
import ResultBars from '../../client/src/client/ResultBars.svelte';
import ModelCard from '../../client/src/live/ModelCard.svelte';
import BundledModelCard from '../../client/src/owner/BundledModelCard.svelte';
import OwnSamples from '../../client/src/owner/OwnSamples.svelte';
import type { Result } from '../../client/src/session/clientStore.svelte.ts';
import { BusyError, EndedError, imageNotice, SampleError } from '../../client/src/session/notices.ts';
import { isolated } from '../../client/src/ui/bidi.ts';
import { PictureError } from '../../client/src/worker/pictureFile.ts';
import { makeManifest } from '../support/manifest.ts';

const [isolate, end] = ['\u2068', '\u2069'];
/** All of a stranger's words here: each is a cat, with a number. */
const stranger = (i: number) => `חתול${i}`;

/** The places where a stranger's words stand in the open: neither in `<bdi>` nor between isolating characters. */
const open = (html: string): string[] => {
  const isBetween = new RegExp(`${isolate}[^${isolate}${end}]*${end}`, 'gu');
  const closed = html
    .replaceAll(/<bdi[^>]*>.*?<\/bdi>/gsu, '')
    .replaceAll(isBetween, '')
    .replaceAll(/data-[a-z]+="[^"]*"/g, '');
  return closed.match(/.{0,30}חתול.{0,30}/gsu) ?? [];
};
const count = (html: string) => html.match(/חתול/gu)?.length ?? 0;

const total = { elapsedMs: 1, bytesClientToOwner: 2, bytesOwnerToClient: 3, flights: 4 };
const logits = Array.from({ length: 20 }, (_, i) => (i % 7) / 3);
const classification = { labelIndex: 6, label: stranger(6), logits, probabilities: logits };
const manifest = {
  ...makeManifest({ classes: 20 }),
  title: `${stranger(0)}: a test`,
  labels: Array.from({ length: 20 }, (_, i) => stranger(i)),
};
const labels = manifest.labels;
const file = new Blob([]);
const result = {
  ...{ classification, image: { truth: stranger(1) }, date: new Date(), maskedImage: undefined },
  ...{ offline: total, online: total, layers: [] },
} as unknown as Result;

beforeAll(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('fetch', () => new Promise(() => {})); // no model is described yet
});

const picture = {
  id: 0,
  file,
  name: stranger(2),
  state: 'answered',
  answered: { classification, offline: total, online: total },
};
const queue = { pictures: [picture], isRunning: false, waiting: 0, mean: undefined };
const sample = { url: 'data:,', label: stranger(3), source: stranger(4) };
const model = {
  name: 'a',
  title: manifest.title,
  description: '',
  weightsBytes: 1,
  tokens: 16,
  accuracy: null,
  isMeasured: false,
};
const nothing = () => {};

test.each<[string, () => { body: string }, number]>([
  ['ResultBars', () => render(ResultBars, { props: { result, labels, truth: stranger(1), confidence: undefined } }), 8],
  ['Queue', () => render(Queue, { props: { queue: queue as never, labels, confidence: undefined } }), 2],
  ['KnownClasses', () => render(KnownClasses, { props: { manifest } }), 20],
  ['ModelCard', () => render(ModelCard, { props: { manifest, predicted: total } }), 33],
  [
    'OwnSamples',
    () => render(OwnSamples, { props: { samples: [{ ...sample, file }], shared: true, onShare: nothing } }),
    3,
  ],
  [
    'ImagePicker',
    () =>
      render(ImagePicker, {
        props: {
          samples: [sample, { ...sample, hard: true }],
          disabled: false,
          notice: undefined,
          onFiles: nothing,
          onSample: nothing,
        },
      }),
    6,
  ],
  [
    'BundledModelCard',
    () =>
      render(BundledModelCard, {
        props: { models: [model, { ...model, name: 'b' }], disabled: false, onChoose: nothing },
      }),
    3,
  ],
  [
    'OwnerSees',
    () => render(OwnerSees, { props: { session: undefined, title: stranger(0), served: 0, classes: 2 } }),
    1,
  ],
  ['PlaintextCheck', () => render(PlaintextCheck, { props: { result, manifest } }), 0],
])('%s', (_, draw, least) => {
  const { body } = draw();
  expect(count(body)).toBeGreaterThanOrEqual(least);
  expect(open(body)).toEqual([]);
});

test.each([new SampleError(), new BusyError(), new EndedError(), new PictureError('svg'), new Error()])(
  'a notice on a picture: %o',
  (problem) => {
    const { title, text } = imageNotice(problem, `${stranger(1)}.png`, { name: `${stranger(2)}.png` });
    expect(count(title + text)).toBeGreaterThan(0);
    expect(open(title + text)).toEqual([]);
  },
);

describe('isolated', () => {
  test('is a text from right to left, whatever script', () => {
    for (const text of ['חתול', 'قطة', 'ܩܛܘ', 'cat קט', '\u{1e900}']) expect(isolated(text)).toBe(isolate + text + end);
  });
  test('is no other text', () => {
    for (const text of ['cat', 'Kätzchen', '猫', 'кошка', '🐈', '']) expect(isolated(text)).toBe(text);
  });
  test('are no characters that would reach beyond', () => {
    expect(isolated('\u202ecat\u2069')).toBe('cat');
    expect(isolated('\u2067חתול\u2069\u2069')).toBe(`${isolate}חתול${end}`);
  });
});
