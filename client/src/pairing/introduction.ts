/**
 * How two tabs come to exchange offer, answer and candidates: by a signaling server (signaling.ts), in memory when both are
 * on one page (onOnePage.ts), or by texts that people carry over (byText.ts). All are untrusted alike: what makes a pairing
 * safe is in authenticate.ts.
 */
import { Signaling, type SignalingListener } from './signaling.ts';

export type Introduction = { readonly [K in keyof Signaling]: Signaling[K] } & {
  /** People carry the messages: it takes them minutes, they go to nobody but whom they are for, and serve one connection. */
  readonly isByHand?: boolean;
};

export type Introduce = (listener: SignalingListener) => Introduction;

/** @param by a signaling server's address, the page's own by default; or another way. */
export const introduce = (listener: SignalingListener, by?: string | Introduce): Introduction =>
  typeof by === 'function' ? by(listener) : new Signaling(listener, by);
