/**
 * The library's two calls, one for each party, over any connection that the two have. Who needs more (several images, progress of
 * each step, a Worker of its own for the oblivious transfers) takes `ClientSession` and `OwnerSession`.
 */
import type { Wire } from '../channel/channel.ts';
import { type DataChannelLike, dataChannelWire } from '../channel/dataChannel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { type MessagePortLike, messagePortWire } from '../channel/messagePort.ts';
import type { Classification } from './classification.ts';
import { ClientSession } from './clientSession.ts';
import { prepareImage, type RgbaImage } from './image.ts';
import type { OwnerModel } from './model.ts';
import { OwnerSession } from './ownerSession.ts';
import type { SessionEvent, SessionReport } from './session.ts';
import { openStreams } from './sessionStreams.ts';

/**
 * What connects the parties: an RTCDataChannel (ordered and reliable, the default), a MessagePort, or any other `Wire`. It must
 * keep the two parties' messages from others and say truly who is at the other end: the protocol does neither.
 */
export type Connection = DataChannelLike | MessagePortLike | Wire;

export interface PartyOptions {
  /** Hears of the manifest, states, progress and meters. */
  readonly onEvent?: (event: SessionEvent) => void;
  /** Aborting ends the session on both sides. */
  readonly signal?: AbortSignal;
  /**
   * Asks that the parties check whether each other's oblivious transfers are consistent, against one that does not follow the
   * protocol; false by default, and done when either side asks. docs/malicious-client.md says what it is worth, and what it costs.
   */
  readonly otChecks?: boolean;
}

export interface OwnerPartyOptions extends PartyOptions {
  /** Classifications after which it refuses more; OwnerSession says how many without it. */
  readonly limit?: number;
}

export interface ClassifyResult extends Classification {
  /** Time, bytes and flights of each phase and step. */
  readonly report: SessionReport;
}

/**
 * Classifies one image as the client. The owner does not learn it, nor what it shows; the client learns the logits (or the label
 * alone, where the owner wants that) and the model's public manifest.
 * @param image RGBA bytes of any size; they are resized and cropped as the model's manifest asks. Where it is a promise, what
 *   needs no image is prepared while it is awaited.
 * @throws ProtocolError when the owner's messages do not follow the protocol, the owner refuses, ends or is gone, the versions differ,
 *   or its model costs more than this side allows; RangeError when the image has no pixels or its data another length.
 */
export async function classifyAsClient(
  connection: Connection,
  image: RgbaImage | Promise<RgbaImage>,
  { onEvent = () => {}, signal, otChecks = false }: PartyOptions = {},
): Promise<ClassifyResult> {
  const { channel, ot } = openStreams(wireOf(connection));
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const session = await ClientSession.open(channel, { onEvent, ot, otChecks, signal: either });
  try {
    const [rgba] = await Promise.all([Promise.race([image, rejection(either)]), session.prepare()]);
    const classification = await session.classify(prepareImage(rgba, session.manifest.preprocessing));
    return { ...classification, report: session.report() };
  } catch (error) {
    // Without the image, the preparation is not to go on.
    failed.abort();
    throw error;
  } finally {
    await session.close();
  }
}

/** Rejects when the signal aborts, and never resolves. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new ProtocolError('cancelled', 'session', 'cancelled on this side')));
  });
}

/**
 * Serves one client as the owner, until it closes. The client learns what `classifyAsClient` says; the owner learns that
 * classifications took place.
 * @returns how many were served, and what the last of them cost.
 * @throws ProtocolError when the client's messages do not follow the protocol, it ends or is gone, or the versions differ.
 */
export async function serveAsOwner(
  connection: Connection,
  model: OwnerModel,
  { onEvent = () => {}, signal, limit, otChecks = false }: OwnerPartyOptions = {},
): Promise<{ served: number; report: SessionReport }> {
  const { channel, ot } = openStreams(wireOf(connection));
  const session = await OwnerSession.open(channel, model, {
    onEvent,
    ot,
    otChecks,
    ...(signal && { signal }),
    ...(limit !== undefined && { limit }),
  });
  await session.serve();
  return { served: session.served, report: session.report() };
}

/** @throws TypeError when it is none of the three. */
function wireOf(connection: Connection): Wire {
  if ('bufferedAmount' in connection) return dataChannelWire(connection);
  if ('postMessage' in connection) return messagePortWire(connection);
  if ('onChunk' in connection) return connection;
  throw new TypeError('connection: expected an RTCDataChannel, a MessagePort or a Wire');
}
