/**
 * One party of one session, off the main thread. The page starts a Worker for each pairing and ends it with it. This one asks it for
 * another for the oblivious transfers, so that these and the ring-LWE work here take place at the same time; the owner's, where the machine has
 * the cores, for some more for its answers.
 */
import {
  type Answer,
  ClientSession,
  dataChannelWire,
  loadOwnerModel,
  messagePortWire,
  OwnerSession,
  ProtocolError,
  type SessionEvent,
  sessionWires,
  streamChannel,
  weightBits,
} from '../../../protocols/index.ts';
import { requireFileSize } from '../../../protocols/inference/fileLimits.ts';
import { publicPartFile } from '../../../protocols/inference/publicPart.ts';
import { answersInWorkers } from './answersInWorkers.ts';
import { batchEvents } from './eventBatch.ts';
import { helperFailed } from './helpers.ts';
import type { FromProtocolWorker, OwnerFiles, ToProtocolWorker, WireHandle } from './messages.ts';
import { runOnnx } from './onnxInWorker.ts';
import { otInWorker } from './otInWorker.ts';
import { WireTap } from './wireTap.ts';

const post = (message: FromProtocolWorker) => self.postMessage(message);
const passOn = batchEvents((event) => post({ type: 'event', event }));
let tap: WireTap | undefined;
let imageBytes = 0;

function onEvent(event: SessionEvent): void {
  // A value takes as many bits as its ring has, which the plan decides: 32 for some models, fewer for others.
  if (event.type === 'manifest') imageBytes = event.steps.find(({ name }) => name === 'input')?.bytesClientToOwner ?? 0;
  if (event.type === 'state' && event.state === 'classifying') tap?.arm(imageBytes);
  passOn(event);
}

const abort = new AbortController();
let client: ClientSession | undefined;
let owner: OwnerSession | undefined;
/** The page may change it while the owner's session is opened. */
let limit: number | undefined;
/** Operations that a cancellation ends. */
let running = 0;

self.onmessage = async ({ data }: MessageEvent<ToProtocolWorker>) => {
  const isOperation = data.type !== 'cancel' && data.type !== 'limit' && data.type !== 'helperFailed';
  if (isOperation) running++;
  try {
    await handle(data);
  } catch (error) {
    // A message without a `ProtocolError` is a defect of this program; its text may name values, so it stays here.
    const isProtocolError = error instanceof ProtocolError;
    if (!isProtocolError) console.error(error);
    post({
      type: 'failed',
      failure: isProtocolError
        ? { code: error.code, message: error.message, peerCode: error.peerCode }
        : { code: 'internal', message: error instanceof RangeError ? 'Out of memory.' : 'The program failed.' },
    });
  } finally {
    if (isOperation) running--;
  }
};

async function handle(message: ToProtocolWorker): Promise<void> {
  switch (message.type) {
    case 'check': {
      const { plan, weights } = await loadModel(message.files);
      return post({
        type: 'checked',
        answers: ['logits', 'label'],
        weightBits: weightBits(plan, weights),
      });
    }
    case 'openClient': {
      const { channel, ot } = streamsOver(message.wire, 'sent');
      await untilOpen(message.wire);
      client = await ClientSession.open(channel, { onEvent, signal: abort.signal, ot, runOnnx });
      return post({ type: 'opened' });
    }
    case 'openOwner': {
      const { channel, ot } = streamsOver(message.wire, 'received');
      limit = message.limit;
      await untilOpen(message.wire);
      owner = await OwnerSession.open(channel, await loadModel(message.files, message.answer), {
        onEvent,
        signal: abort.signal,
        ot,
        answersBefore: message.answersBefore,
        pool: answersInWorkers(message.cores),
      });
      owner.limit = limit ?? Number.POSITIVE_INFINITY;
      post({ type: 'opened' });
      await owner.serve();
      return post({ type: 'closed' });
    }
    case 'limit':
      limit = message.limit;
      if (owner) owner.limit = limit ?? Number.POSITIVE_INFINITY;
      return;
    case 'helperFailed':
      return helperFailed(message.id);
    case 'prepare':
      await client!.prepare();
      return post({ type: 'prepared' });
    case 'classify':
      return post({ type: 'classified', classification: await client!.classify(message.pixels) });
    case 'cancel':
      abort.abort();
      if (running > 0) return;
      // What was to be cancelled has just ended, and the session could only fail from here on.
      void client?.close();
      throw new ProtocolError('cancelled', 'session', 'cancelled on this side');
    case 'close':
      await client?.close();
      return post({ type: 'closed' });
  }
}

/** Made before anything is awaited: the wire keeps what arrives early. */
function streamsOver(handle: WireHandle, direction: 'sent' | 'received') {
  const wire = handle.kind === 'channel' ? dataChannelWire(handle.channel as never) : messagePortWire(handle.port);
  const { session, ot } = sessionWires(wire);
  tap = new WireTap(
    session,
    direction,
    (bytes) => post({ type: 'maskedImage', bytes }),
    (bytes) => post({ type: 'passing', bytes }),
  );
  return { channel: streamChannel(tap), ot: otInWorker(ot) };
}

/** Offer and answer may take minutes, when people carry them over; what is said of silence counts from here on. */
function untilOpen(handle: WireHandle): Promise<void> | undefined {
  if (handle.kind !== 'channel' || handle.channel.readyState !== 'connecting') return undefined;
  return new Promise((resolve) => {
    for (const event of ['open', 'close', 'error']) handle.channel.addEventListener(event, () => resolve());
  });
}

async function loadModel(files: OwnerFiles, answer?: Answer) {
  requireFileSize('manifest.json', files.manifest.size);
  requireFileSize('weights.json', files.weightsIndex.size);
  requireFileSize('weights.bin', files.weights.size);
  requireFileSize(publicPartFile, files.publicPart?.size ?? 0);
  const [manifest, weightsIndex, weights, publicPart] = await Promise.all([
    files.manifest.text(),
    files.weightsIndex.text(),
    files.weights.arrayBuffer(),
    files.publicPart?.arrayBuffer(),
  ]);
  return loadOwnerModel({ manifest, weightsIndex, weights, publicPart }, answer);
}
