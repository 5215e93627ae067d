import SimplePeer from 'simple-peer/simplepeer.min.js';
import { type LinkSignal, maxCandidates } from '../../../signaling-server/events.ts';
import { AuthenticationError, ClientHandshake, OwnerHandshake, type Pairing } from './authenticate.ts';
import { LinkProbe } from './linkProbe.ts';

/** `interrupted`: no packets come, and they may come again. `reconnecting`: the connection is lost, and another is being made. */
export type LinkState = 'connecting' | 'connected' | 'interrupted' | 'reconnecting' | 'closed';
export type LinkFailure =
  | 'authentication' // the other side is not the owner, or not invited, or somebody altered the SDP
  | 'unreachable' // no way through between the two networks
  | 'timeout'
  | 'lost'; // was connected, and is gone

export interface LinkListener {
  /** Starts as `connecting`, without a call. */
  onState(state: Exclude<LinkState, 'reconnecting'>): void;
  /** The other side is who it should be; the connection between the two tabs is still being made. */
  onPaired(pairing: Pairing): void;
  /** The link is closed when this is called. */
  onFailed(failure: LinkFailure): void;
  send(signal: LinkSignal): void;
}

const connectTimeoutMs = 25_000;
/** People who carry offer and answer over take minutes. */
const byHandTimeoutMs = 30 * 60_000;
/** ICE repairs what a short loss of the network did; after this long the connection is made anew. */
const interruptionLimitMs = 8000;

/**
 * The connection to the other tab, by simple-peer. The protocol's data channel is a second, negotiated one, made right
 * away: only then can it be moved into a Worker. It is open only after both SDPs were verified.
 */
export class PeerLink {
  /** Carries the protocol. Hand it to a Worker in the same task. */
  readonly channel: RTCDataChannel;
  /** Carries an owner's samples (session/ownSamples.ts) from page to page. Listen to it in the same task. */
  readonly samples: RTCDataChannel;
  /** For its statistics. */
  readonly connection: RTCPeerConnection;
  readonly probe: LinkProbe;
  readonly #peer: SimplePeer.Instance;
  readonly #listener: LinkListener;
  readonly #handshake: OwnerHandshake | ClientHandshake;
  /** The owner's number for this try to connect; a client has it from the offer. */
  #attempt: string | undefined;
  #pairing: Pairing | undefined;
  /** Own candidates that the other side must not have yet; undefined when it may have all. */
  #held: LocalCandidate[] | undefined = [];
  #candidates = 0;
  #closed = false;
  #connected = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(options: {
    handshake: OwnerHandshake | ClientHandshake;
    iceServers: RTCIceServer[];
    listener: LinkListener;
    /** People carry offer and answer over. A client that knew the owner's candidates would try them, and give up meanwhile. */
    isByHand?: boolean | undefined;
  }) {
    this.#listener = options.listener;
    this.#handshake = options.handshake;
    const initiator = options.handshake instanceof OwnerHandshake;
    this.#peer = new SimplePeer({ initiator, config: { iceServers: options.iceServers } });
    this.connection = (this.#peer as unknown as { _pc: RTCPeerConnection })._pc;
    this.channel = this.connection.createDataChannel('mpc', { negotiated: true, id: 1, ordered: true });
    this.samples = this.connection.createDataChannel('samples', { negotiated: true, id: 2, ordered: true });
    this.#timer = setTimeout(() => this.#fail('timeout'), options.isByHand ? byHandTimeoutMs : connectTimeoutMs);
    this.probe = new LinkProbe((message) => this.#peer.send(message), !initiator);

    this.#peer.on('signal', (data) => this.#onLocalSignal(data as unknown as LocalSignal));
    this.#peer.on('connect', () => {
      clearTimeout(this.#timer);
      this.#connected = true;
      this.#setState('connected');
      this.probe.start();
    });
    this.#peer.on('iceStateChange', (state: string) => {
      if (!this.#connected || this.#closed) return;
      if (state === 'disconnected') {
        this.#setState('interrupted');
        void this.check(interruptionLimitMs);
      }
      if (state === 'connected' || state === 'completed') this.#setState('connected');
    });
    this.#peer.on('data', (data: Uint8Array) => this.probe.receive(data));
    this.channel.addEventListener('message', () => this.probe.heard());
    this.#peer.on('error', () => this.#fail(this.#connected ? 'lost' : 'unreachable'));
    this.#peer.on('close', () => this.#fail(this.#connected ? 'lost' : 'unreachable'));
  }

  /** Known to these two tabs only (authenticate.ts); undefined before offer and answer. */
  get tag(): string | undefined {
    return this.#pairing?.linkTag;
  }

  /** Takes what the other tab signalled, by way of the untrusted server. */
  receive(signal: LinkSignal): void {
    if (this.#closed) return;
    if (signal.kind === 'ice') this.#receiveCandidate(signal);
    else if (this.#handshake instanceof OwnerHandshake) this.#receiveAsOwner(this.#handshake, signal);
    else this.#receiveAsClient(this.#handshake, signal);
  }

  #receiveCandidate({ attempt, candidate, sdpMid, sdpMLineIndex }: Extract<LinkSignal, { kind: 'ice' }>): void {
    if (attempt !== this.#attempt || ++this.#candidates > maxCandidates) return;
    void this.#addCandidate({ candidate, sdpMid, sdpMLineIndex });
  }

  /** Candidates are not signed: one that is none of the other tab's, or none at all, must not end what the others may bring about. */
  async #addCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    try {
      // simple-peer keeps early ones; later ones would end its connection when they are refused.
      if (this.connection.remoteDescription) await this.connection.addIceCandidate(candidate);
      else this.#peer.signal({ type: 'candidate', candidate } as SimplePeer.SignalData);
    } catch {
      // As if it had not come.
    }
  }

  /** One answer settles whom the owner is paired with; what a server sends after it, or again, changes nothing. */
  #receiveAsOwner(handshake: OwnerHandshake, signal: LinkSignal): void {
    if (this.#pairing || signal.kind !== 'answer' || signal.attempt !== this.#attempt) return;
    this.#verify(() => {
      this.#settle(handshake.accept(signal));
      this.#peer.signal({ type: 'answer', sdp: signal.sdp });
      this.#releaseCandidates();
    });
  }

  #receiveAsClient(handshake: ClientHandshake, signal: LinkSignal): void {
    if (signal.kind !== 'offer' || signal.attempt === this.#attempt) return;
    this.#verify(() => {
      handshake.accept(signal);
      this.#attempt = signal.attempt;
      this.#peer.signal({ type: 'offer', sdp: signal.sdp });
    });
  }

  #verify(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      this.#fail('authentication');
    }
  }

  /**
   * Asks whether the other tab is still there, when there is reason to doubt it: a tab that is closed says nothing, and
   * WebRTC notices only after some 20 seconds. Fails as `lost` when no answer comes.
   */
  async check(timeoutMs = 2500): Promise<boolean> {
    if (!this.#connected || this.#closed) return false;
    const isAlive = await this.probe.isAlive(timeoutMs);
    if (!isAlive) this.#fail('lost');
    return isAlive;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#peer.destroy();
    this.#listener.onState('closed');
  }

  #onLocalSignal(data: LocalSignal): void {
    if (data.type === 'offer' && this.#handshake instanceof OwnerHandshake) {
      // The owner's addresses are for whom it has invited, so they follow the answer that proves it. Besides, a client
      // that can reach an owner before its answer does makes libdatachannel fail now and then.
      const offer = this.#handshake.offer(data.sdp.replace(/a=(candidate:.*|end-of-candidates)\r?\n/g, ''));
      this.#attempt = offer.attempt;
      this.#listener.send(offer);
    } else if (data.type === 'answer' && this.#handshake instanceof ClientHandshake) {
      const handshake = this.#handshake;
      this.#verify(() => {
        const { answer, pairing } = handshake.answer(data.sdp);
        this.#settle(pairing);
        this.#listener.send(answer);
        this.#releaseCandidates();
      });
    } else if (data.type === 'candidate') {
      if (this.#held) this.#held.push(data.candidate);
      else this.#sendCandidate(data.candidate);
    }
  }

  #releaseCandidates(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const candidate of held) this.#sendCandidate(candidate);
  }

  #sendCandidate({ candidate, sdpMid, sdpMLineIndex }: LocalCandidate): void {
    const attempt = this.#attempt!; // known since the description was sent
    this.#listener.send({
      kind: 'ice',
      attempt,
      candidate,
      sdpMid: sdpMid ?? null,
      sdpMLineIndex: sdpMLineIndex ?? null,
    });
  }

  #settle(pairing: Pairing): void {
    this.#pairing = pairing;
    this.#listener.onPaired(pairing);
  }

  #setState(state: Exclude<LinkState, 'reconnecting'>): void {
    if (!this.#closed) this.#listener.onState(state);
  }

  #fail(failure: LinkFailure): void {
    if (this.#closed) return;
    this.close();
    this.#listener.onFailed(failure);
  }
}

interface LocalCandidate {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
}

type LocalSignal =
  | { type: 'offer' | 'answer'; sdp: string }
  | { type: 'candidate'; candidate: LocalCandidate }
  | { type: 'renegotiate' | 'transceiverRequest' };
