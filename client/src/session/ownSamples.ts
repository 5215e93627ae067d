/**
 * Sample pictures of an owner's own model, from the owner's page to its guest's: beside the protocol, on a data channel of their own
 * (pairing/peerLink.ts). First a list as JSON text, `[{ label, source, bytes }]`; then the files' bytes, one after the other, in pieces.
 *
 * The guest takes them from a stranger: counts and lengths are limited before anything is kept, what is more than was announced closes the
 * channel, and the page decodes each picture in the image Worker, as it does the guest's own, and shows its own drawing of it.
 */
import * as v from 'valibot';
import { thumbnail } from '../ui/thumbnail.ts';
import type { ImageWorker } from '../worker/imageWorker.ts';
import type { Preprocessing } from '../worker/messages.ts';

export interface OwnSample {
  readonly label: string;
  readonly source: string;
  readonly file: Blob;
}

export interface DrawnSample extends OwnSample {
  /** Of the page's own drawing: what strangers sent becomes no address on the page. */
  readonly url: string;
}

/** The exporter makes 8 pictures of some 40 kB, and none longer than these. */
export const sampleLimits = {
  pictures: 16,
  pictureBytes: 2 ** 19,
  listBytes: 2 ** 16,
  /** Of a label, and of where a picture comes from. */
  textLength: 200,
  /** Decoded for the guest without being asked for: 64 MB while it lasts. */
  pixels: 2 ** 24,
} as const;

const Text = v.pipe(v.string(), v.maxLength(sampleLimits.textLength));
const Announced = v.pipe(
  v.array(
    v.object({
      label: Text,
      source: Text,
      bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(sampleLimits.pictureBytes)),
    }),
  ),
  v.minLength(1),
  v.maxLength(sampleLimits.pictures),
);

/** What of an `RTCDataChannel` is used here. */
export type SampleChannel = Pick<
  RTCDataChannel,
  'send' | 'close' | 'readyState' | 'bufferedAmount' | 'bufferedAmountLowThreshold' | 'addEventListener'
> & { binaryType: string };

/** Small beside what the protocol keeps on its way (docs of the channel). */
const pieceBytes = 2 ** 15;
const queuedBytes = 2 ** 16;

/**
 * The owner's side: sends once the channel is open. Does not throw: a guest that is gone needs none.
 * @param samples within `sampleLimits`, as readSamples gives them
 */
export async function sendSamples(channel: SampleChannel, samples: readonly OwnSample[]): Promise<void> {
  if (samples.length === 0) return;
  const until = (event: string) =>
    new Promise<unknown>((resolve) => channel.addEventListener(event, resolve, { once: true }));
  const closed = until('close');
  try {
    if (channel.readyState === 'connecting') await Promise.race([until('open'), closed]);
    channel.send(JSON.stringify(samples.map(({ label, source, file }) => ({ label, source, bytes: file.size }))));
    channel.bufferedAmountLowThreshold = queuedBytes - pieceBytes;
    const bytes = new Uint8Array(await new Blob(samples.map(({ file }) => file)).arrayBuffer());
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (channel.bufferedAmount > queuedBytes) await Promise.race([until('bufferedamountlow'), closed]);
      channel.send(bytes.subarray(at, at + pieceBytes));
    }
  } catch {
    // The connection is gone; its `close` says so.
  }
}

/**
 * The guest's side; call it before the channel opens. Does not throw: without samples there is the guest's own picture.
 * @param onSamples called once, when all that was announced is there; not at all where the owner sends none, or something else
 */
export function receiveSamples(channel: SampleChannel, onSamples: (samples: OwnSample[]) => void): void {
  let announced: v.InferOutput<typeof Announced> | undefined;
  let bytes = new Uint8Array(0);
  let filled = 0;
  let isDone = false;

  /** @throws Error when it is no list, or one of more than is taken */
  const announce = (data: unknown) => {
    if (typeof data !== 'string' || data.length > sampleLimits.listBytes) throw new Error('no list');
    announced = v.parse(Announced, JSON.parse(data));
    bytes = new Uint8Array(announced.reduce((sum, { bytes }) => sum + bytes, 0));
  };
  /** @throws Error when it is no piece of what was announced */
  const take = (data: unknown, list: NonNullable<typeof announced>) => {
    if (!(data instanceof ArrayBuffer) || data.byteLength === 0 || data.byteLength > bytes.length - filled)
      throw new Error('no piece');
    bytes.set(new Uint8Array(data), filled);
    filled += data.byteLength;
    if (filled < bytes.length) return;
    isDone = true;
    const all = new Blob([bytes]);
    bytes = new Uint8Array(0);
    let at = 0;
    onSamples(list.map(({ label, source, bytes }) => ({ label, source, file: all.slice(at, (at += bytes)) })));
  };

  channel.binaryType = 'arraybuffer';
  channel.addEventListener('message', (event) => {
    if (isDone) return;
    const { data } = event as MessageEvent<unknown>;
    try {
      if (announced) take(data, announced);
      else announce(data);
    } catch {
      isDone = true;
      bytes = new Uint8Array(0);
      channel.close();
    }
  });
}

/** Those of the samples that are pictures, as the page draws them; what cannot be decoded, or is too large, is left out. */
export async function drawSamples(
  samples: readonly OwnSample[],
  images: Pick<ImageWorker, 'prepare'>,
  preprocessing: Preprocessing,
): Promise<DrawnSample[]> {
  const drawn: DrawnSample[] = [];
  for (const sample of samples) {
    const image = await images.prepare(sample.file, preprocessing, sampleLimits.pixels).catch(() => undefined);
    if (!image) continue;
    drawn.push({ ...sample, url: thumbnail(image.preview) });
    image.preview.close();
  }
  return drawn;
}
