import { derivePairingKeys, type PairingKeys } from './authenticate.ts';
import type { Invite } from './invite.ts';
import type { PairingEnd, PairingListener } from './ownerPairing.ts';
import { type LinkFailure, type LinkState, PeerLink } from './peerLink.ts';
import { RefusedError, Signaling } from './signaling.ts';

/** The client's half of a pairing: joins the room of an invite and answers the owner's offer. */
export class ClientPairing {
  readonly #keys: PairingKeys;
  #link: PeerLink | undefined;
  #linkState: LinkState = 'closed';
  readonly #signaling: Signaling;

  constructor(
    private readonly invite: Invite,
    private readonly listener: PairingListener,
    private readonly iceServers: RTCIceServer[],
  ) {
    this.#keys = derivePairingKeys(invite);
    this.#signaling = new Signaling({
      onState: (state) => listener.onSignaling(state),
      onReconnect: () => {
        // While the tabs are connected they have no need of the server, and joining again would start over.
        if (this.#linkState !== 'connected' && this.#linkState !== 'interrupted') void this.#rejoin();
      },
      onPeerJoined: () => {},
      onPeerLeft: (reason) => {
        if (reason === 'lost' && this.#linkState === 'connected') return this.#link?.probe();
        this.#end(reason === 'authentication' ? 'authentication' : 'peer-left');
      },
      onSignal: (signal) => {
        if (!this.#link) {
          if (signal.kind !== 'sdp') return; // left over from a connection that is closed
          this.#connect();
        }
        this.#link?.receive(signal);
      },
    });
  }

  /** @throws RefusedError `no-such-room`, `room-full`, … */
  async join(): Promise<void> {
    try {
      await this.#signaling.join(this.invite.code);
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== 'room-full') throw error;
      // This tab itself may have had the place until a moment ago.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await this.#signaling.join(this.invite.code);
    }
  }

  close(): void {
    this.#link?.close();
    this.#link = undefined;
    this.#signaling.close();
  }

  #connect(): void {
    this.#link = new PeerLink({
      initiator: false,
      keys: this.#keys,
      iceServers: this.iceServers,
      listener: {
        onState: (state) => this.#setLinkState(state),
        onShortCode: (words) => this.listener.onShortCode(words),
        onFailed: (failure) => this.#fail(failure),
        send: (signal) => void this.#signaling.signal(signal).catch(() => {}), // the owner left; `peerLeft` says so
      },
    });
    this.#setLinkState('connecting');
    this.listener.onChannel(this.#link);
  }

  #setLinkState(state: LinkState): void {
    this.#linkState = state;
    this.listener.onLink(state);
  }

  #fail(failure: LinkFailure): void {
    this.#signaling.close(failure === 'authentication' ? 'authentication' : 'closed');
    this.#end(failure);
  }

  #end(end: PairingEnd): void {
    this.#link?.close();
    this.#link = undefined;
    this.listener.onEnded(end);
  }

  /** After a restart of the server the owner's tab may need a moment to open the room again. */
  async #rejoin(): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await this.join();
        return;
      } catch (error) {
        if (error instanceof RefusedError && error.code === 'room-full') break;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
    this.#end('peer-left');
  }
}
