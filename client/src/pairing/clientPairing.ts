import { type LinkSignal, maxCandidates, type Offer } from '../../../signaling-server/events.ts';
import { ClientHandshake, type Pairing, secretId } from './authenticate.ts';
import { type Introduce, type Introduction, introduce } from './introduction.ts';
import type { Invite } from './invite.ts';
import type { IceServersSource, PairingEnd, PairingListener } from './ownerPairing.ts';
import { type LinkFailure, type LinkState, PeerLink } from './peerLink.ts';
import { RefusedError } from './signaling.ts';

export interface ClientPairingListener extends PairingListener {
  /** Before each try to connect again. */
  onRetry(attempt: number, of: number): void;
}

/** Pauses before the tries to connect again. In sum more than the ten seconds after which the server notices a loss. */
const retryPausesMs = [300, 1000, 2000, 4000, 8000, 8000];
/** A first connection that fails is tried again this often: now and then two tabs miss each other. */
const firstConnectionTries = 2;
/** An owner makes one each time that this tab joins; who sends more only keeps it busy. */
const offersPerJoin = 3;
/** For one try: from joining the room to a connection. */
const tryTimeoutMs = 8000;
/** For the first: until the owner's tab, which may be asleep, makes an offer. */
const offerTimeoutMs = 25_000;
/** A connection that breaks sooner, as when the owner's tab fails each time, does not earn new tries. */
const steadyMs = 20_000;

type Outcome = 'connected' | PairingEnd;

/** The client's half of a pairing: joins the room of an invite and answers the owner's offer. */
export class ClientPairing {
  /** The invite's, until a connection has led to one of this tab's own. */
  #secret: Uint8Array;
  #pairing: Pairing | undefined;
  #offersLeft = 0;
  /** Of the last join, after which offers come. */
  #servers: RTCIceServer[] = [];
  /** Candidates that came before their offer. */
  #early: Extract<LinkSignal, { kind: 'ice' }>[] = [];
  #link: PeerLink | undefined;
  #linkState: LinkState = 'closed';
  readonly #signaling: Introduction;
  #closed = false;
  #retrying = false;
  #tries = 0;
  /** Undefined until the first connection. */
  #connectedAtMs: number | undefined;
  #offerTimer: ReturnType<typeof setTimeout> | undefined;
  /** Told how a try to connect again went. */
  #onOutcome: ((outcome: Outcome) => void) | undefined;

  constructor(
    private readonly invite: Invite,
    private readonly listener: ClientPairingListener,
    private readonly iceServers: IceServersSource,
    /** The signaling server's address, the page's own by default; or another way to meet. */
    server?: string | Introduce,
  ) {
    this.#secret = invite.secret;
    this.#signaling = introduce(
      {
        onState: (state) => listener.onSignaling(state),
        onReconnect: () => {
          // Connected tabs have no need of the server, but the place in the room should be theirs.
          if (this.#isLinked) void this.#takePlace();
          else void this.#reconnect();
        },
        onPeerLeft: (reason) => {
          if (reason === 'closed') return this.#end('peer-left');
          if (reason === 'authentication' || reason === 'room-full' || reason === 'dismissed') return this.#end(reason);
          if (reason === 'unreachable') return this.#fail(reason);
          // An owner whose connection to the server broke may still be connected with this tab, or have lost it unnoticed here.
          if (reason === 'lost' && this.#isLinked) void this.#checkLink();
          else this.#lose('lost');
        },
        onSignal: (signal) => {
          if (this.#closed) return; // it goes on for a moment, until the server has the goodbye
          if (signal.kind === 'offer') this.#onOffer(signal);
          else if (signal.kind === 'ice') this.#onCandidate(signal);
        },
      },
      server,
    );
  }

  /** @throws RefusedError `no-such-room`, `room-full`, … */
  async join(): Promise<void> {
    try {
      await this.#join();
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== 'room-full') throw error;
      // This tab itself may have had the place until a moment ago.
      await pause(1000);
      await this.#join();
    }
    if (this.#closed || this.#link) return;
    this.#offerTimer = setTimeout(() => this.#end('timeout'), offerTimeoutMs);
  }

  /** The connection turned out to be gone. */
  peerLost(): void {
    this.#lose('lost');
  }

  close(reason: 'closed' | 'unload' | 'authentication' = 'closed'): void {
    this.#closed = true;
    clearTimeout(this.#offerTimer);
    this.#onOutcome = undefined;
    // The goodbye first: an owner who only sees the link go waits for this client to come back.
    void this.#signaling.close(reason);
    this.#link?.close();
    this.#link = undefined;
  }

  get #isLinked(): boolean {
    return this.#linkState === 'connected' || this.#linkState === 'interrupted';
  }

  /** @param linkTag of the connection that this tab has with the owner, who then does not make another. */
  async #join(linkTag: string | null = null): Promise<void> {
    this.#servers = Array.isArray(this.iceServers) ? this.iceServers : await this.iceServers();
    if (this.#closed) return;
    this.#offersLeft = offersPerJoin;
    const { code } = this.invite;
    return this.#signaling.join(code, { keyId: secretId({ code, secret: this.#secret }), linkTag });
  }

  /** A new one takes the place of one that led to nothing, as after a try that took too long. */
  #onOffer(offer: Offer): void {
    if (this.#isLinked || this.#offersLeft === 0) return;
    this.#offersLeft--;
    this.#link?.close();
    const next = this.#connect();
    for (const signal of [offer, ...this.#early.splice(0)]) next.receive(signal);
  }

  #onCandidate(signal: Extract<LinkSignal, { kind: 'ice' }>): void {
    this.#link?.receive(signal);
    if (!this.#isLinked && this.#early.length < maxCandidates) this.#early.push(signal);
  }

  #connect(): PeerLink {
    clearTimeout(this.#offerTimer);
    const isCurrent = () => this.#link === link;
    const link: PeerLink = new PeerLink({
      handshake: new ClientHandshake({ code: this.invite.code, secret: this.#secret }),
      iceServers: this.#servers,
      isByHand: this.#signaling.isByHand,
      listener: {
        onState: (state) => isCurrent() && this.#setLinkState(state),
        onPaired: (pairing) => {
          if (!isCurrent()) return;
          this.#pairing = pairing;
          this.listener.onCompareWords(pairing.compareWords);
        },
        onFailed: (failure) => isCurrent() && this.#fail(failure),
        send: (signal) => void this.#signaling.signal(signal).catch(() => {}), // the owner left; `peerLeft` says so
      },
    });
    this.#link = link;
    this.#setLinkState('connecting');
    this.listener.onChannel(link);
    return link;
  }

  #setLinkState(state: LinkState): void {
    this.#linkState = state;
    // Until a try succeeds, the tab goes on reconnecting.
    this.listener.onLink(this.#retrying && state !== 'connected' ? 'reconnecting' : state);
    if (state !== 'connected') return;
    this.#connectedAtMs = performance.now();
    // The owner has it too: it has taken this tab's answer.
    this.#secret = this.#pairing?.nextSecret ?? this.#secret;
    this.#onOutcome?.('connected');
  }

  #fail(failure: LinkFailure): void {
    if (failure === 'authentication' && !this.#retrying) this.#end(failure);
    else this.#lose(failure);
  }

  /** The connection is gone, or a try to make one failed: goes on trying. */
  #lose(why: PairingEnd): void {
    const link = this.#link;
    this.#link = undefined;
    link?.close();
    if (this.#onOutcome) this.#onOutcome(why);
    else void this.#reconnect(why);
  }

  /** Tries with growing pauses, a limited number of times. One run at a time. */
  async #reconnect(why: PairingEnd = 'lost'): Promise<void> {
    if (this.#retrying || this.#closed) return;
    this.#retrying = true;
    clearTimeout(this.#offerTimer);
    // One that was still being made would, in the owner's eyes, keep the place from the next.
    const link = this.#link;
    this.#link = undefined;
    link?.close();
    const again = this.#connectedAtMs === undefined ? firstConnectionTries : retryPausesMs.length;
    // The owner's offer, which people carried over, was good for one connection.
    const maxTries = this.#signaling.isByHand ? 0 : again;
    if (performance.now() - (this.#connectedAtMs ?? Number.POSITIVE_INFINITY) > steadyMs) this.#tries = 0;
    let outcome: Outcome = why;
    while (outcome !== 'connected' && this.#tries < maxTries) {
      this.#setLinkState('reconnecting');
      this.listener.onLost();
      const pauseMs = retryPausesMs[this.#tries++];
      this.listener.onRetry(this.#tries, maxTries);
      await pause(pauseMs);
      if (this.#closed) return;
      outcome = await this.#try();
      if (this.#closed) return;
    }
    this.#retrying = false;
    if (outcome !== 'connected') this.#end(outcome);
  }

  /** Joins the room and waits for a connection. */
  async #try(): Promise<Outcome> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settled = new Promise<Outcome>((resolve) => {
      this.#onOutcome = resolve;
      timer = setTimeout(() => resolve('timeout'), tryTimeoutMs);
    });
    const joined = this.#join().then(
      () => settled,
      (error): Outcome => outcomeOfRefusal(error),
    );
    const outcome = await Promise.race([settled, joined]);
    clearTimeout(timer);
    this.#onOutcome = undefined;
    if (outcome !== 'connected') {
      const link = this.#link;
      this.#link = undefined;
      link?.close();
    }
    return outcome;
  }

  async #checkLink(): Promise<void> {
    if (await this.#link?.check()) await this.#takePlace();
  }

  /** After the connection to the server came back: the owner may need a moment to open the room again. */
  async #takePlace(): Promise<void> {
    for (const pauseMs of retryPausesMs) {
      if (this.#closed || !this.#isLinked) return;
      try {
        return await this.#join(this.#link?.tag ?? null);
      } catch {
        await pause(pauseMs);
      }
    }
  }

  #end(end: PairingEnd): void {
    if (this.#closed) return;
    this.close(end === 'authentication' ? 'authentication' : 'closed');
    this.#linkState = 'closed';
    this.listener.onEnded(end);
  }
}

function outcomeOfRefusal(error: unknown): PairingEnd {
  if (!(error instanceof RefusedError)) throw error;
  if (error.code === 'no-such-room' || error.code === 'room-full') return error.code;
  return 'server';
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
