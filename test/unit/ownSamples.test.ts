// Samples of an owner's own model: read from its file, sent from page to page, taken from a stranger.
import { strToU8, zipSync } from 'fflate';
import { beforeEach, describe, expect, test } from 'vitest';
import { readSamples } from '../../client/src/session/bundle.ts';
import {
  drawSamples,
  type OwnSample,
  receiveSamples,
  type SampleChannel,
  sampleLimits,
  sendSamples,
} from '../../client/src/session/ownSamples.ts';

const sample = (label: string, bytes: number, fill = 7): OwnSample => ({
  label,
  source: `of ${label}`,
  file: new Blob([new Uint8Array(bytes).fill(fill)]),
});
const told = (samples: readonly OwnSample[]) =>
  Promise.all(
    samples.map(async ({ label, source, file }) => ({ label, source, bytes: Buffer.from(await file.arrayBuffer()) })),
  );

/** A data channel between two pages; what is sent arrives later, as its receiver asked for it, and the queue empties then. */
class Channel extends EventTarget implements SampleChannel {
  readyState: RTCDataChannelState = 'open';
  binaryType = 'blob';
  bufferedAmount = 0;
  mostBuffered = 0;
  bufferedAmountLowThreshold = 0;
  other: Channel | undefined;
  sent: (string | ArrayBuffer)[] = [];

  send(data: string | Blob | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState !== 'open') throw new DOMException('not open', 'InvalidStateError');
    const message = typeof data === 'string' ? data : new Uint8Array(data as Uint8Array<ArrayBuffer>).buffer;
    this.sent.push(message);
    const bytes = typeof message === 'string' ? message.length : message.byteLength;
    this.bufferedAmount += bytes;
    this.mostBuffered = Math.max(this.mostBuffered, this.bufferedAmount);
    setTimeout(() => {
      const before = this.bufferedAmount;
      this.bufferedAmount -= bytes;
      const low = this.bufferedAmountLowThreshold;
      if (before > low && this.bufferedAmount <= low) this.dispatchEvent(new Event('bufferedamountlow'));
      this.other?.receive(message);
    });
  }

  receive(message: string | ArrayBuffer): void {
    if (this.readyState !== 'open') return;
    const data = typeof message !== 'string' && this.binaryType === 'blob' ? new Blob([message]) : message;
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  close(): void {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

let [owner, guest]: Channel[] = [];
let received: OwnSample[][];
beforeEach(() => {
  [owner, guest] = [new Channel(), new Channel()];
  owner.other = guest;
  received = [];
  receiveSamples(guest as SampleChannel, (samples) => received.push(samples));
});
const arrived = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('between two pages', () => {
  test('they arrive as they were sent, in small messages and without filling the queue', async () => {
    const samples = [sample('crane', 1, 1), sample('köder 🎣', 200_000, 2), sample('tench', 65_536, 3)];
    await sendSamples(owner as SampleChannel, samples);
    await arrived();
    expect(received).toHaveLength(1);
    expect(await told(received[0])).toEqual(await told(samples));
    expect(Math.max(...owner.sent.slice(1).map((message) => (message as ArrayBuffer).byteLength))).toBe(2 ** 15);
    expect(owner.mostBuffered).toBeLessThan(2 ** 17);
  });

  test('as many and as large as there may be, and longest texts', async () => {
    const full = Array.from({ length: sampleLimits.pictures }, (_, i) => ({
      ...sample('\u0001'.repeat(sampleLimits.textLength), sampleLimits.pictureBytes, i),
      source: '"'.repeat(sampleLimits.textLength),
    }));
    await sendSamples(owner as SampleChannel, full);
    await expect.poll(() => received.length).toBe(1);
    expect(received[0].map(({ file }) => file.size)).toEqual(full.map(({ file }) => file.size));
  });

  test('an owner without samples sends nothing, and one whose guest leaves stops', async () => {
    await sendSamples(owner as SampleChannel, []);
    expect(owner.sent).toEqual([]);
    owner.readyState = 'connecting';
    const sending = sendSamples(owner as SampleChannel, [sample('crane', 10)]);
    owner.close();
    await sending;
    expect(owner.sent).toEqual([]);
    const gone = new Channel();
    const half = sendSamples(gone as SampleChannel, [sample('crane', 2 ** 19)]);
    setTimeout(() => gone.close());
    await half;
    expect(gone.sent.length).toBeLessThan(17);
  });
});

describe('what is no list of samples, or more than was announced, closes the channel and nothing else', () => {
  const entry = { label: 'crane', source: 'of a test', bytes: 3 };
  const list = (...entries: unknown[]) => JSON.stringify(entries);
  test.each<[string, (string | ArrayBuffer)[]]>([
    ['bytes first', [new ArrayBuffer(3)]],
    ['no JSON', ['[{']],
    ['no list', ['{"length":1}']],
    ['a list of nothing', ['[]']],
    ['too many', [list(...new Array(sampleLimits.pictures + 1).fill(entry))]],
    ['one too long', [list({ ...entry, bytes: sampleLimits.pictureBytes + 1 })]],
    ['bytes below none', [list({ ...entry, bytes: -1 })]],
    ['bytes that are no number', [list({ ...entry, bytes: '3' })]],
    ['half a byte', [list({ ...entry, bytes: 2.5 })]],
    ['a text too long', [list({ ...entry, label: 'x'.repeat(sampleLimits.textLength + 1) })]],
    ['a list too long', [list({ ...entry, more: 'x'.repeat(sampleLimits.listBytes) })]],
    ['more bytes than announced', [list(entry), new ArrayBuffer(4)]],
    ['pieces of nothing', [list(entry), new ArrayBuffer(0)]],
    ['a second list', [list(entry), list(entry)]],
  ])('%s', async (_name, messages) => {
    for (const message of messages) guest.receive(message);
    expect(guest.readyState).toBe('closed');
    await arrived();
    expect(received).toEqual([]);
  });

  test('what comes after the last byte is not looked at', () => {
    guest.receive(list(entry));
    guest.receive(new ArrayBuffer(1));
    guest.receive(new ArrayBuffer(2));
    guest.receive(list(entry));
    expect(guest.readyState).toBe('open');
    expect(received).toHaveLength(1);
  });
});

test('what cannot be decoded is left out; no picture is decoded beyond a limit', async () => {
  const asked: (number | undefined)[] = [];
  const images = {
    prepare: async (_file: Blob, _preprocessing: unknown, maxPixels?: number) => {
      asked.push(maxPixels);
      throw new Error('damaged');
    },
  };
  expect(await drawSamples([sample('crane', 3), sample('tench', 3)], images, { shorterSide: 1, crop: 1 })).toEqual([]);
  expect(asked).toEqual([sampleLimits.pixels, sampleLimits.pixels]);
});

describe('in a .blindsight file', () => {
  const index = (...files: string[]) =>
    strToU8(JSON.stringify(files.map((file) => ({ file, label: `${file}'s`, source: 'x'.repeat(300) }))));
  const bundle = (members: Parameters<typeof zipSync>[0]) => new Blob([zipSync(members) as Uint8Array<ArrayBuffer>]);
  const picture = strToU8('picture');

  test('are those that its list names and it has, in the list’s order', async () => {
    const file = bundle({
      'samples/b.png': picture,
      'samples/a.jpg': [picture, { level: 0 }],
      'samples/unlisted.png': picture,
      'samples/empty.png': new Uint8Array(0),
      'samples/samples.json': index('a.jpg', 'missing.png', 'empty.png', 'b.png', '../manifest.json'),
      'manifest.json': strToU8('{}'),
    });
    const samples = await readSamples(file);
    expect(samples.map(({ label }) => label)).toEqual(["a.jpg's", "b.png's"]);
    expect(samples[0].source).toBe('x'.repeat(sampleLimits.textLength));
    expect(await samples[1].file.text()).toBe('picture');
  });

  test('one that is too long is left out, and so is what is one too many', async () => {
    const names = Array.from({ length: sampleLimits.pictures + 2 }, (_, i) => `${i}.png`);
    const long = new Uint8Array(sampleLimits.pictureBytes + 1);
    const file = bundle({
      ...Object.fromEntries(names.map((name) => [`samples/${name}`, name === '1.png' ? long : picture])),
      'samples/samples.json': index(...names),
    });
    const labels = (await readSamples(file)).map(({ label }) => label);
    expect(labels).toEqual(
      names
        .filter((name) => name !== '1.png')
        .slice(0, sampleLimits.pictures)
        .map((n) => `${n}'s`),
    );
  });

  test('a damaged list, none, or pictures without end are no samples', async () => {
    expect(await readSamples(bundle({ 'samples/samples.json': strToU8('[{}]') }))).toEqual([]);
    expect(await readSamples(bundle({ 'samples/a.png': picture }))).toEqual([]);
    expect(await readSamples(new Blob(['no zip']))).toEqual([]);
    const bomb = bundle({
      'samples/a.png': [new Uint8Array(2 ** 26), { level: 9 }],
      'samples/b.png': picture,
      'samples/samples.json': index('b.png'),
    });
    expect(bomb.size).toBeLessThan(2 ** 17);
    expect(await readSamples(bomb)).toEqual([]);
  });
});
