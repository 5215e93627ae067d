/** A party whose peer does not follow the protocol: sessions over wires that alter, cut or kill what passes. */
import type { Wire } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { decodeHeader, encodeMessage, headerBytes } from '../../protocols/channel/frame.ts';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import type { Classification } from '../../protocols/inference/classification.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import type { OwnerModel } from '../../protocols/inference/model.ts';
import type { OfflinePhase } from '../../protocols/inference/offline.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import type { SessionEvent } from '../../protocols/inference/session.ts';
import { picture } from './pairing.ts';

export type Side = 'client' | 'owner';
export const chunkBytes = 65_536;

/** A message in one direction: its number and payload. */
export interface Message {
  readonly from: Side;
  readonly number: number;
  readonly payload: Uint8Array;
}

/** Passes a wire's messages through `alter`, which gives the payloads to send in the message's place; their frames are right. */
export function alteringWire(wire: Wire, from: Side, alter: (message: Message) => Uint8Array[]): Wire {
  let arriving: Uint8Array[] = [];
  let missing = 0;
  let number = 0;
  let sent = 0;
  return {
    maxChunkBytes: wire.maxChunkBytes,
    async send(chunk) {
      if (missing === 0) missing = headerBytes + decodeHeader(chunk).length;
      // An abort passes as it is.
      if (missing >= 2 ** 31) {
        missing = 0;
        return wire.send(chunk);
      }
      arriving.push(chunk);
      missing -= chunk.length;
      if (missing > 0) return;
      const whole = new Uint8Array(await new Blob(arriving as Uint8Array<ArrayBuffer>[]).arrayBuffer());
      arriving = [];
      for (const payload of alter({ from, number: number++, payload: whole.subarray(headerBytes) })) {
        for (const piece of encodeMessage([payload], payload.length, sent, chunkBytes)) await wire.send(piece);
        sent++;
      }
    },
    close: () => wire.close(),
    get onChunk() {
      return wire.onChunk;
    },
    set onChunk(listener) {
      wire.onChunk = listener;
    },
    get onClose() {
      return wire.onClose;
    },
    set onClose(listener) {
      wire.onClose = listener;
    },
  };
}

export interface Ends {
  readonly client: PromiseSettledResult<Classification[]>;
  readonly owner: PromiseSettledResult<void>;
}

/**
 * One pairing with `count` classifications.
 * @param alter of messages; their own if nothing is altered.
 * @throws Error when the two do not end within `limitMs`.
 */
export async function hostileSession(
  model: OwnerModel,
  offline: OfflinePhase,
  {
    alter = ({ payload }) => [payload],
    onEvent = () => {},
    count = 1,
    limitMs = 20_000,
  }: {
    alter?: (message: Message) => Uint8Array[];
    onEvent?: (side: Side, event: SessionEvent, kill: () => void) => void;
    count?: number;
    limitMs?: number;
  } = {},
): Promise<Ends> {
  const [a, b] = memoryWirePair();
  const wires = { client: alteringWire(a, 'client', alter), owner: alteringWire(b, 'owner', alter) };
  // A peer that waits for what never comes is found by the limit of silence, which has its own tests.
  const options = (side: Side) => ({
    offline,
    idle: { protocolMs: 2000, requestMs: 2000 },
    onEvent: (event: SessionEvent) => onEvent(side, event, () => wires[side].close()),
  });
  const { imageSize, imageWidth } = model.manifest.architecture;
  const client = async () => {
    const session = await ClientSession.open(new FramedChannel(wires.client, { chunkBytes }), options('client'));
    const results: Classification[] = [];
    for (let i = 0; i < count; i++) results.push(await session.classify(picture(imageSize, i, imageWidth)));
    await session.close();
    return results;
  };
  const owner = async () => {
    const channel = new FramedChannel(wires.owner, { chunkBytes });
    await (await OwnerSession.open(channel, model, { ...options('owner'), limit: count })).serve();
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the two sides did not end within ${limitMs} ms`)), limitMs);
  });
  const [clientEnd, ownerEnd] = await Promise.race([Promise.allSettled([client(), owner()]), hung]);
  clearTimeout(timer);
  return { client: clientEnd, owner: ownerEnd };
}

/** What went wrong at an end must be the protocol's own error: anything else is a crash. */
export function requireProtocolError(end: PromiseSettledResult<unknown>, where: string): void {
  if (end.status === 'rejected' && !(end.reason instanceof ProtocolError))
    throw new Error(`${where}: ${end.reason instanceof Error ? end.reason.stack : String(end.reason)}`);
}
