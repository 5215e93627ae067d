/** The client's store, with Workers that do what the test says: which picture is classified, and which answer stays. */
import '../support/webRtc.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { onOnePage } from '../../client/src/pairing/onOnePage.ts';
import { OwnerPairing } from '../../client/src/pairing/ownerPairing.ts';
import { ClientStore } from '../../client/src/session/clientStore.svelte.ts';
import { FakeWorker, fakePage } from '../support/fakePage.ts';
import { makeManifest } from '../support/manifest.ts';

const manifest = makeManifest({ imageSize: 4, imageWidth: 8, positional: false });
const closers: (() => void)[] = [];
beforeEach(() => fakePage({ 'ice.json': [], 'models/index.json': [] }));
afterEach(() => {
  for (const close of closers.splice(0)) close();
  vi.unstubAllGlobals();
});

/** A picture of one value everywhere. */
const picture = (value: number) => new Blob([new Uint8Array([value])]);
/** Of the connection that was made last. */
const worker = () => FakeWorker.all.findLast(({ name }) => name === 'protocol')!;
/** What was sent to be classified, by the values of the pictures. */
const classified = () =>
  FakeWorker.all.flatMap(({ posted }) =>
    posted.flatMap((message) => (message.type === 'classify' ? [(message as { pixels?: Uint8Array }).pixels![0]] : [])),
  );
const answered = (labelIndex: number) => ({
  type: 'classified',
  classification: { labelIndex, label: `class ${labelIndex}`, logits: [], probabilities: [] },
});
const state = (store: ClientStore) => [store.state.name, store.asked];

async function open() {
  const room = onOnePage();
  const nothing = () => {};
  const owner = new OwnerPairing(
    {
      ...{ onSignaling: nothing, onLink: nothing, onCompareWords: nothing, onChannel: nothing, onLost: nothing },
      ...{ onEnded: nothing, onCode: nothing, onSecrets: nothing, onRoomLost: nothing },
    },
    [],
    room.owner,
  );
  const store = new ClientStore(await owner.open(), room.client);
  closers.push(
    () => store.close(),
    () => owner.close(),
  );
  return { store, owner };
}

/** As far as the protocol's start: the model's description is there, and the preparation goes on. */
async function connect(store: ClientStore, model = manifest) {
  const before = worker();
  await expect.poll(() => before?.ended ?? true).toBe(true); // the other side is told why, then it goes
  await store.connect();
  await expect.poll(() => worker() !== before).toBe(true);
  const event = { type: 'manifest', manifest: model, steps: [], correlations: 'x', answer: 'label' };
  worker().say({ type: 'event', event });
  expect(store.state.name).toBe('preparing');
}
const prepared = () => worker().say({ type: 'prepared' });
const fail = (code: string) => worker().say({ type: 'failed', failure: { code, message: '' } });

/** An answer to the first picture, 1. */
async function answerOne(store: ClientStore) {
  await connect(store);
  await store.chooseImage(picture(1));
  store.classify();
  prepared();
  expect(store.state.name).toBe('classifying');
  worker().say(answered(3));
  expect(store.result!.classification.label).toBe('class 3');
}

describe('a picture that is chosen after the session has ended', () => {
  test('leaves the last answer where it is, and is classified after connecting again', async () => {
    const { store } = await open();
    await answerOne(store);
    const { result } = store;
    fail('silent');
    expect(state(store)).toEqual(['ended', false]);

    await store.chooseImage(picture(2));
    expect(state(store)).toEqual(['ended', true]);
    expect(store.result).toBe(result);
    // Picture and answer on the screen belong together.
    expect([store.shownResult, store.shownImage]).toEqual([result, result!.image]);
    expect(store.waitingImage!.pixels[0]).toBe(2);

    await connect(store);
    expect(state(store)).toEqual(['preparing', true]);
    expect([store.isUnderway, store.shownResult, store.shownImage!.pixels[0]]).toEqual([true, undefined, 2]);
    expect(store.result).toBe(result);
    prepared();
    expect(store.state.name).toBe('classifying');
    expect([store.result, store.waitingImage]).toEqual([undefined, undefined]);
    expect(classified()).toEqual([1, 2]);
    worker().say(answered(5));
    expect([store.shownResult!.classification.label, store.shownImage!.pixels[0]]).toEqual(['class 5', 2]);
  });

  test('is the last of several', async () => {
    const { store } = await open();
    await answerOne(store);
    fail('silent');
    await Promise.all([store.chooseImage(picture(2)), store.chooseImage(picture(3))]);
    await connect(store);
    prepared();
    expect(classified()).toEqual([1, 3]);
  });

  test('waits through a try to connect that fails', async () => {
    const { store, owner } = await open();
    await answerOne(store);
    fail('silent');
    await store.chooseImage(picture(2));
    owner.close();
    await store.connect();
    await expect.poll(() => store.state.name).toBe('ended');
    expect(state(store)).toEqual(['ended', true]);
    expect(store.result).toBeDefined();
  });

  test('is not asked for before the user has asked for a first one', async () => {
    const { store } = await open();
    await connect(store);
    fail('silent');
    await store.chooseImage(picture(2));
    expect(state(store)).toEqual(['ended', false]);
    await connect(store);
    prepared();
    expect(classified()).toEqual([]);
  });

  test('is refused in words where no link leads back', async () => {
    const { store } = await open();
    await answerOne(store);
    worker().say({ type: 'failed', failure: { code: 'peer-aborted', message: '', peerCode: 'refused' } });
    await store.chooseImage(picture(2), 'b.png');
    expect(store.imageNotice!.title).toBe('“b.png” was not taken.');
    expect(state(store)).toEqual(['ended', false]);
    expect(store.shownImage!.pixels[0]).toBe(1);
  });
});

describe('a picture that waits for the preparation', () => {
  test('is classified after an end and connecting again, and until then the last answer is shown', async () => {
    const { store } = await open();
    await answerOne(store);
    await store.chooseImage(picture(2));
    expect([store.isUnderway, store.shownResult, store.shownImage!.pixels[0]]).toEqual([true, undefined, 2]);
    fail('silent');
    expect(store.shownResult!.classification.label).toBe('class 3');
    await connect(store);
    prepared();
    expect(classified()).toEqual([1, 2]);
  });

  test('is given up when the user cancels', async () => {
    const { store } = await open();
    await answerOne(store);
    await store.chooseImage(picture(2));
    fail('cancelled');
    expect(state(store)).toEqual(['ended', false]);
    await connect(store);
    prepared();
    expect(classified()).toEqual([1]);
  });

  test('is refused so when several are chosen, and those in line that had no answer say that none will come', async () => {
    vi.stubGlobal('document', {
      createElement: () => ({ getContext: () => ({ drawImage() {} }), toDataURL: () => 'data:,' }),
    });
    const { store } = await open();
    await answerOne(store);
    prepared();
    await store.chooseImages([picture(2), picture(3), picture(4)]);
    await expect.poll(() => store.state.name).toBe('classifying');
    worker().say(answered(5));
    prepared();
    await expect.poll(() => store.state.name).toBe('classifying');
    worker().say({ type: 'failed', failure: { code: 'peer-aborted', message: '', peerCode: 'refused' } });
    expect(store.queue.pictures.map(({ state }) => state)).toEqual(['answered', 'left', 'left']);
    expect(store.queue.isRunning).toBe(false);
    await store.chooseImages([picture(5), picture(6)]);
    expect(store.queue.pictures).toHaveLength(3);
    expect(store.imageNotice!.text).toContain('this link does not lead to another');
  });

  test('comes before those that wait in line', async () => {
    vi.stubGlobal('document', {
      createElement: () => ({ getContext: () => ({ drawImage() {} }), toDataURL: () => 'data:,' }),
    });
    const { store } = await open();
    await answerOne(store);
    await store.chooseImage(picture(2));
    await store.chooseImages([picture(3), picture(4)]);
    for (const label of [5, 6, 7]) {
      prepared();
      await expect.poll(() => store.state.name).toBe('classifying');
      worker().say(answered(label));
    }
    expect(classified()).toEqual([1, 2, 3, 4]);
    expect(store.queue.pictures.map(({ answered }) => answered!.classification.labelIndex)).toEqual([6, 7]);
  });
});

test('a model that is another one takes the last answer with it: its labels do not fit', async () => {
  const { store } = await open();
  await answerOne(store);
  fail('silent');
  await store.chooseImage(picture(2));
  await connect(store, { ...manifest, labels: manifest.labels.map((label) => `${label}!`) });
  expect(store.result).toBeUndefined();
  prepared();
  await expect.poll(() => store.state.name).toBe('classifying');
  expect(classified()).toEqual([1, 2]);
});
