import type { DismissReason } from '../../../signaling-server/events.ts';
import { OwnerHandshake, type RoomKey, tagsEqual } from './authenticate.ts';
import { type Introduce, type Introduction, introduce } from './introduction.ts';
import { type Invite, newSecret } from './invite.ts';
import { type CodeState, OwnerCode } from './ownerCode.ts';
import { type LinkFailure, type LinkState, PeerLink } from './peerLink.ts';
import { RoomSecrets, type SavedRoom } from './roomSecrets.ts';
import { RefusedError, type SignalingState } from './signaling.ts';

/**
 * Why a pairing ended: the connection failed, the other side left (`peer-left`) or does not come back (`lost`), the owner
 * sent the client away (`dismissed`), the room is gone or taken, or the other side does not hold the invite's secret.
 */
export type PairingEnd = LinkFailure | 'peer-left' | 'dismissed' | 'no-such-room' | 'room-full' | 'server';

export interface PairingListener {
  onSignaling(state: SignalingState): void;
  onLink(state: LinkState): void;
  onCompareWords(words: string[]): void;
  /** A connection is being made. Hand `link.channel` to a Worker before returning. */
  onChannel(link: PeerLink): void;
  /** The connection is gone; both sides try to make another, with the same secret. */
  onLost(): void;
  /** The connection is gone for good; the owner's room stays open. */
  onEnded(end: PairingEnd): void;
}

export interface OwnerPairingListener extends PairingListener {
  onCode(state: CodeState): void;
  /** A client has a secret of its own, or has tried a wrong code: `save` tells of it. */
  onSecrets(): void;
  /** The server was away and does not give the room back; a client that is connected stays so. */
  onRoomLost(): void;
}

/** A client that was lost tries for as long as this to come back (clientPairing.ts). */
const waitForClientMs = 30_000;
/** The server may hold a lost connection's room for as long as it takes to notice the loss. */
const reopenTries = 12;
/** After a reload the tab before has said goodbye; a room that is taken is another tab's. */
const reopenTriesAfterReload = 3;
const reopenPauseMs = 1000;

/** `refused`: the room is in other hands, say. `unreachable`: the server does not answer, or this tab wants no more. */
type Reopened = 'open' | 'refused' | 'unreachable';

/** A function where credentials end: each connection gets new ones. It must not fail. */
export type IceServersSource = RTCIceServer[] | (() => RTCIceServer[] | Promise<RTCIceServer[]>);

/** The owner's half of a pairing: holds a room open, and connects with one client after the other. */
export class OwnerPairing {
  #secrets: RoomSecrets | undefined;
  #link: PeerLink | undefined;
  #linkState: LinkState = 'closed';
  #waitTimer: ReturnType<typeof setTimeout> | undefined;
  #arrivals = 0;
  /** The arrival of somebody in the place of the client that is connected, until it is known that this one lives and the other was sent out. */
  #visitor: number | undefined;
  /** How often the connection to the server came back. */
  #reconnects = 0;
  #reopening = false;
  #closed = false;
  readonly #signaling: Introduction;
  readonly #code: OwnerCode;

  constructor(
    private readonly listener: OwnerPairingListener,
    private readonly iceServers: IceServersSource,
    /** The signaling server's address, the page's own by default; or another way to meet. */
    server?: string | Introduce,
  ) {
    this.#signaling = introduce(
      {
        onState: (state) => listener.onSignaling(state),
        onReconnect: () => void this.#reopen(),
        onPeerJoined: (keyId, linkTag) => void this.#onPeerJoined(keyId, linkTag),
        onPeerLeft: (reason) => {
          this.#code.abort();
          this.#arrivals++; // whoever was about to be let in
          if (this.#visitor !== undefined) {
            // It was not the client who left.
            this.#visitor = undefined;
            void this.#link?.check();
          } else if (reason === 'unload') this.#lose();
          // A client whose connection to the server broke may still be connected with this tab.
          else if (reason !== 'lost') this.#end(reason === 'authentication' ? 'authentication' : 'peer-left');
          else if (this.#linkState === 'connected') void this.#link?.check();
          else if (this.#linkState === 'connecting') this.#lose();
        },
        onSignal: (signal) => {
          if (signal.kind === 'answer' || signal.kind === 'ice') this.#link?.receive(signal);
          else if (signal.kind !== 'offer') this.#code.receive(signal);
        },
      },
      server,
    );
    this.#code = new OwnerCode(this.#signaling, {
      onChange: (state) => listener.onCode(state),
      onWrong: () => listener.onSecrets(),
      onSecret: (secret) => this.#addSecret(secret),
    });
  }

  /**
   * Opens a room; with `saved` the one that this tab had before it was reloaded, or a new one where another tab has it
   * now (a copy of this tab, say).
   * @throws RefusedError
   */
  async open(saved?: SavedRoom): Promise<Invite> {
    const again = saved && new RoomSecrets(saved.key, saved.secret, saved.guests);
    const outcome = again && (await this.#openAgain(again.key, reopenTriesAfterReload));
    if (outcome === 'unreachable') throw new RefusedError('timeout'); // another try may get it back: its link is out
    if (again && outcome === 'open') {
      this.#secrets = again;
      this.#code.wrongTries = saved.wrongTries;
    } else {
      const secrets = new RoomSecrets(newSecret(), newSecret());
      await this.#signaling.open(secrets.key);
      this.#secrets = secrets;
    }
    void this.#code.renew();
    const { code, secret } = this.#secrets;
    return { code, secret };
  }

  /** What `open` needs after a reload. */
  save(): SavedRoom | undefined {
    return this.#secrets && { ...this.#secrets.save(), wrongTries: this.#code.wrongTries };
  }

  renewCode(): Promise<void> {
    return this.#code.renewByHand();
  }

  /** Lets go of the client; the next one can come. `afterMs`: what was sent before still arrives. */
  dropPeer(afterMs = 0): void {
    this.#drop('closed', afterMs);
  }

  /** The same, and tells the client that it was sent away, so that it does not try to come back. */
  disconnectPeer(): void {
    void this.#dismiss('dismissed');
    this.#drop('closed');
  }

  /** The connection turned out to be gone. */
  peerLost(): void {
    this.#lose();
  }

  close({ reason = 'closed', afterMs = 0 }: { reason?: 'closed' | 'unload'; afterMs?: number } = {}): void {
    this.#closed = true;
    this.#code.close();
    // The goodbye first: a client that only sees the link go tries to come back.
    if (afterMs > 0) setTimeout(() => void this.#signaling.close(reason), afterMs);
    else void this.#signaling.close(reason);
    this.#drop('closed', afterMs);
  }

  /**
   * @param keyId of the client's secret; null for a client that has a typed code.
   * @param linkTag of the connection that the client says it has with this tab: it only takes its place again.
   */
  async #onPeerJoined(keyId: string | null, linkTag: string | null): Promise<void> {
    if (this.#closed) return;
    if (linkTag !== null && this.#link?.tag !== undefined && tagsEqual(linkTag, this.#link.tag)) return;
    const arrival = ++this.#arrivals;
    // Somebody else, or the client of a connection that is gone, who then joins to make another.
    if (linkTag !== null) return this.#sendOut(arrival, 'lost');
    // A server that was restarted may let in a second client: the one that is here stays.
    if (this.#link && this.#linkState === 'connected') {
      this.#visitor = arrival;
      const isAlive = await this.#link.probe.isAlive(2500);
      if (arrival !== this.#arrivals || this.#closed) return;
      if (isAlive) return this.#sendOut(arrival, 'room-full');
      this.#visitor = undefined;
    }
    if (!this.#secrets) return;
    if (keyId === null) return this.#code.admit(this.#secrets.code);
    const servers = Array.isArray(this.iceServers) ? this.iceServers : await this.iceServers();
    if (arrival !== this.#arrivals || this.#closed) return;
    this.#connect(this.#secrets, keyId, servers);
  }

  #connect(secrets: RoomSecrets, keyId: string, iceServers: RTCIceServer[]): void {
    this.#drop('connecting');
    // A link that was dropped lingers for a moment; it has no say any more.
    const isCurrent = () => this.#link === link;
    const link: PeerLink = new PeerLink({
      // For an unknown secret any: the answer's tag will not fit, and says so.
      handshake: new OwnerHandshake(secrets.key, secrets.find(keyId) ?? newSecret()),
      iceServers,
      isByHand: this.#signaling.isByHand,
      listener: {
        onState: (state) => isCurrent() && this.#setLinkState(state),
        onPaired: ({ nextSecret, compareWords }) => {
          if (!isCurrent()) return;
          this.#addSecret(nextSecret);
          this.listener.onCompareWords(compareWords);
        },
        onFailed: (failure) => {
          if (!isCurrent()) return;
          if (failure === 'lost') return this.#lose();
          // Who could not connect, or not prove that it has the secret, may not keep the place from others.
          void this.#dismiss(failure === 'authentication' ? failure : 'unreachable');
          this.#end(failure);
        },
        send: (signal) => void this.#signaling.signal(signal).catch(() => {}), // the client left; `peerLeft` says so
      },
    });
    this.#link = link;
    this.listener.onChannel(link);
  }

  #addSecret(secret: Uint8Array): void {
    this.#secrets?.add(secret);
    this.listener.onSecrets();
  }

  /** Until the server has done so, who leaves is the visitor. */
  async #sendOut(arrival: number, reason: 'room-full' | 'lost'): Promise<void> {
    this.#visitor = arrival;
    await this.#dismiss(reason);
    if (this.#visitor === arrival) this.#visitor = undefined;
  }

  #dismiss(reason: DismissReason): Promise<void> {
    return this.#signaling.dismiss(reason).catch(() => {}); // without a server nobody holds the place
  }

  #setLinkState(state: LinkState): void {
    this.#linkState = state;
    this.listener.onLink(state);
  }

  #drop(state: 'closed' | 'connecting' | 'reconnecting', afterMs = 0): void {
    clearTimeout(this.#waitTimer);
    const link = this.#link;
    this.#link = undefined;
    if (link && afterMs > 0) setTimeout(() => link.close(), afterMs);
    else link?.close();
    if (this.#linkState !== state) this.#setLinkState(state);
  }

  /** The client is gone without a word of goodbye: its place is kept for it, where it can come back by the same link. */
  #lose(): void {
    if (!this.#link) return;
    if (this.#signaling.isByHand) return this.#end('lost');
    this.#drop('reconnecting');
    this.listener.onLost();
    this.#waitTimer = setTimeout(() => this.#end('lost'), waitForClientMs);
  }

  #end(end: PairingEnd): void {
    if (!this.#link && this.#linkState === 'closed') return;
    this.#drop('closed');
    this.listener.onEnded(end);
  }

  /** One run at a time, which starts over when the connection broke again. */
  async #reopen(): Promise<void> {
    this.#reconnects++;
    if (!this.#secrets || this.#reopening) return;
    this.#reopening = true;
    let outcome: Reopened;
    let reconnects: number;
    do {
      reconnects = this.#reconnects;
      outcome = await this.#openAgain(this.#secrets.key, reopenTries);
    } while (reconnects !== this.#reconnects);
    this.#reopening = false;
    if (outcome === 'open') await this.#code.renew();
    else if (outcome === 'refused') this.listener.onRoomLost();
  }

  async #openAgain(key: RoomKey, tries: number): Promise<Reopened> {
    let outcome: Reopened = 'unreachable';
    for (let attempt = 0; attempt < tries; attempt++) {
      try {
        await this.#signaling.open(key);
        return 'open';
      } catch (error) {
        outcome = error instanceof RefusedError && error.code !== 'timeout' ? 'refused' : 'unreachable';
        await new Promise((resolve) => setTimeout(resolve, reopenPauseMs));
      }
      if (this.#closed) return 'unreachable';
    }
    return outcome;
  }
}
