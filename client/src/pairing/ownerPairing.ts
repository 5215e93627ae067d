import { derivePairingKeys, type PairingKeys } from './authenticate.ts';
import { newSecret } from './invite.ts';
import { type LinkFailure, type LinkState, PeerLink } from './peerLink.ts';
import { Signaling, type SignalingState } from './signaling.ts';

/** Why a pairing ended: the connection failed, the other side went, or it does not hold the invite's secret. */
export type PairingEnd = LinkFailure | 'peer-left';

export interface PairingListener {
  onSignaling(state: SignalingState): void;
  onLink(state: LinkState): void;
  onShortCode(words: string[]): void;
  /** A connection is being made. Hand `link.channel` to a Worker before returning. */
  onChannel(link: PeerLink): void;
  /** The connection is gone; the owner's room stays open. */
  onEnded(end: PairingEnd): void;
}

/** The owner's half of a pairing: holds a room open, and connects with one client after the other. */
export class OwnerPairing {
  readonly secret = newSecret();
  code: string | undefined;
  #keys: PairingKeys | undefined;
  #link: PeerLink | undefined;
  #linkState: LinkState = 'closed';
  readonly #signaling: Signaling;

  constructor(
    private readonly listener: PairingListener,
    private readonly iceServers: RTCIceServer[],
  ) {
    this.#signaling = new Signaling({
      onState: (state) => listener.onSignaling(state),
      onReconnect: () => void this.#reopen(),
      onPeerJoined: () => this.#connect(),
      onPeerLeft: (reason) => {
        // A client whose connection to the server broke may still be connected with this tab.
        if (reason === 'lost' && this.#linkState === 'connected') return this.#link?.probe();
        this.#end(reason === 'authentication' ? 'authentication' : 'peer-left');
      },
      onSignal: (signal) => this.#link?.receive(signal),
    });
  }

  /** Opens the room. @throws RefusedError */
  async open(): Promise<void> {
    this.code = await this.#signaling.open(null);
    this.#keys = derivePairingKeys({ code: this.code, secret: this.secret });
  }

  /** Lets go of the client; the next one can come. `afterMs`: what was sent before still arrives. */
  dropPeer(afterMs = 0): void {
    const link = this.#link;
    this.#link = undefined;
    if (!link) return;
    if (afterMs > 0) setTimeout(() => link.close(), afterMs);
    else link.close();
    this.#setLinkState('closed');
  }

  close(afterMs = 0): void {
    this.dropPeer(afterMs);
    if (afterMs > 0) setTimeout(() => this.#signaling.close(), afterMs);
    else this.#signaling.close();
  }

  #connect(): void {
    this.dropPeer();
    // A link that was dropped lingers for a moment; it has no say any more.
    const isCurrent = () => this.#link === link;
    const link: PeerLink = new PeerLink({
      initiator: true,
      keys: this.#keys!,
      iceServers: this.iceServers,
      listener: {
        onState: (state) => isCurrent() && this.#setLinkState(state),
        onShortCode: (words) => isCurrent() && this.listener.onShortCode(words),
        onFailed: (failure) => this.#link === link && this.#end(failure),
        send: (signal) => void this.#signaling.signal(signal).catch(() => {}), // the client left; `peerLeft` says so
      },
    });
    this.#link = link;
    this.#setLinkState('connecting');
    this.listener.onChannel(link);
  }

  #setLinkState(state: LinkState): void {
    this.#linkState = state;
    this.listener.onLink(state);
  }

  #end(end: PairingEnd): void {
    if (!this.#link) return;
    this.dropPeer();
    this.listener.onEnded(end);
  }

  async #reopen(): Promise<void> {
    if (this.code === undefined) return;
    // The server may hold the lost connection's room for a few seconds more.
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await this.#signaling.open(this.code);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }
}
