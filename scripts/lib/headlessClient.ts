/** A client without a screen: joins the room of an invite and classifies images there. */
import type { Invite } from '../../client/src/pairing/invite.ts';
import type { PairingEnd } from '../../client/src/pairing/ownerPairing.ts';
import type { PeerLink } from '../../client/src/pairing/peerLink.ts';
import {
  type ClassifyResult,
  ClientSession,
  dataChannelWire,
  openStreams,
  prepareImage,
  type RgbaImage,
  type SessionEvent,
} from '../../protocols/index.ts';
import { runOnnx } from './onnxRunner.ts';

/** The room was full, or the owner or the server is gone. */
export class ConnectionError extends Error {}

/** While somebody else is in the room. */
const fullPauseMs = 2000;

export interface HeadlessClientOptions {
  readonly server: string;
  readonly iceServers?: RTCIceServer[];
  readonly onEvent?: (event: SessionEvent) => void;
  /** How long to wait for a place in a full room, or for a server that is busy. */
  readonly waitMs?: number;
  /** See SessionOptions. */
  readonly otChecks?: boolean;
}

/**
 * Call `installWebRtc` before.
 * @param work what to do with the session; the next image may be prepared and classified as often as it likes
 * @throws ConnectionError, ProtocolError
 */
export async function withOwner<T>(
  invite: Invite,
  { server, iceServers = [], onEvent = () => {}, waitMs = 0, otChecks = false }: HeadlessClientOptions,
  work: (session: ClientSession) => Promise<T>,
): Promise<T> {
  const [{ ClientPairing }, { RefusedError }] = await Promise.all([
    import('../../client/src/pairing/clientPairing.ts'),
    import('../../client/src/pairing/signaling.ts'),
  ]);
  const untilMs = performance.now() + waitMs;
  for (;;) {
    let pairing: InstanceType<typeof ClientPairing> | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        let last: Error | undefined;
        const run = async (link: PeerLink) => {
          const { channel, ot } = openStreams(dataChannelWire(link.channel));
          const session = await ClientSession.open(channel, { onEvent, ot, otChecks, runOnnx });
          const result = await work(session);
          await session.close();
          return result;
        };
        pairing = new ClientPairing(
          invite,
          {
            onSignaling: () => {},
            onLink: () => {},
            onCompareWords: () => {},
            onRetry: () => {},
            onLost: () => {},
            onChannel: (link) =>
              void run(link).then(resolve, (error: Error & { code?: string }) => {
                last = error;
                // A connection that is gone is made again, with another session.
                if (error.code === 'closed') pairing?.peerLost();
                else reject(error);
              }),
            onEnded: (end: PairingEnd) => reject(new ConnectionError(last ? `${end}: ${last.message}` : end)),
          },
          iceServers,
          server,
        );
        pairing.join().catch(reject);
      });
    } catch (error) {
      const mayComeFree = error instanceof RefusedError && ['room-full', 'timeout'].includes(error.code);
      if (!mayComeFree || performance.now() > untilMs) {
        throw error instanceof RefusedError ? new ConnectionError(error.message) : error;
      }
      await new Promise((resolve) => setTimeout(resolve, fullPauseMs * (0.5 + Math.random())));
    } finally {
      pairing?.close();
    }
  }
}

/** One image. */
export function classifyAt(invite: Invite, image: RgbaImage, options: HeadlessClientOptions): Promise<ClassifyResult> {
  return withOwner(invite, options, async (session) => {
    await session.prepare();
    const classification = await session.classify(prepareImage(image, session.manifest.preprocessing));
    return { ...classification, report: session.report() };
  });
}
