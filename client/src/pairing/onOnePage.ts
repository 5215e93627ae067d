/** Introduces two stores of one page to each other, without a server: what one side signals, the other is told. */
import type { Introduce } from './introduction.ts';
import { RefusedError, type SignalingListener } from './signaling.ts';

/** An owner's and a client's end; each can be used again, as after a failure. */
export function onOnePage(): { owner: Introduce; client: Introduce } {
  const ends: { owner?: SignalingListener; client?: SignalingListener } = {};
  const end =
    (own: 'owner' | 'client', other: 'owner' | 'client'): Introduce =>
    (listener) => {
      /** Not at once: the caller has not finished, as with a server. */
      const tell = async (what: (other: SignalingListener) => void) => {
        await Promise.resolve();
        const there = ends[other];
        if (there) what(there);
      };
      const enter = () => {
        ends[own] = listener;
        listener.onState('connected');
      };
      return {
        open: async () => enter(),
        async join(_code, { keyId, linkTag }) {
          if (!ends.owner) throw new RefusedError('no-such-room');
          enter();
          await tell((owner) => owner.onPeerJoined?.(keyId, linkTag));
        },
        signal: (signal) => tell((there) => there.onSignal(signal)),
        dismiss: (reason) => tell((there) => there.onPeerLeft(reason)),
        async close(reason = 'closed') {
          if (ends[own] !== listener) return;
          delete ends[own];
          listener.onState('closed');
          await tell((there) => there.onPeerLeft(reason));
        },
        grantLocator: async () => {
          throw new RefusedError('no-such-room'); // nobody else can come
        },
        withdrawLocator: async () => {},
        joinByLocator: async () => {
          throw new RefusedError('no-such-code');
        },
      };
    };
  return { owner: end('owner', 'client'), client: end('client', 'owner') };
}
