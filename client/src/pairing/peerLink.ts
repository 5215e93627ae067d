import SimplePeer from 'simple-peer/simplepeer.min.js';
import type { LinkSignal } from '../../../signaling-server/events.ts';
import { type PairingKeys, shortCode, tagAnswer, tagLink, tagOffer, tagsEqual } from './authenticate.ts';
import { LinkProbe } from './linkProbe.ts';

/** `interrupted`: no packets come, and they may come again. `reconnecting`: the connection is lost, and another is being made. */
export type LinkState = 'connecting' | 'connected' | 'interrupted' | 'reconnecting' | 'closed';
export type LinkFailure =
  | 'authentication' // the other side does not have the invite's secret, or somebody altered the SDP
  | 'unreachable' // no way through between the two networks
  | 'timeout'
  | 'lost'; // was connected, and is gone

export interface LinkListener {
  /** Starts as `connecting`, without a call. */
  onState(state: Exclude<LinkState, 'reconnecting'>): void;
  onShortCode(words: string[]): void;
  /** The link is closed when this is called. */
  onFailed(failure: LinkFailure): void;
  send(signal: LinkSignal): void;
}

const connectTimeoutMs = 25_000;
/** ICE repairs what a short loss of the network did; after this long the connection is made anew. */
const interruptionLimitMs = 8000;

/**
 * The connection to the other tab, by simple-peer. The protocol's data channel is a second, negotiated one, made right
 * away: only then can it be moved into a Worker. It is open only after both SDPs were verified.
 */
export class PeerLink {
  /** Carries the protocol. Hand it to a Worker in the same task. */
  readonly channel: RTCDataChannel;
  /** For its statistics. */
  readonly connection: RTCPeerConnection;
  readonly probe: LinkProbe;
  readonly #peer: SimplePeer.Instance;
  readonly #listener: LinkListener;
  readonly #keys: PairingKeys;
  readonly #initiator: boolean;
  #offerSdp: string | undefined;
  #answered = false;
  #tag: string | undefined;
  #closed = false;
  #connected = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(options: {
    initiator: boolean;
    keys: PairingKeys;
    iceServers: RTCIceServer[];
    listener: LinkListener;
  }) {
    this.#listener = options.listener;
    this.#keys = options.keys;
    this.#initiator = options.initiator;
    this.#peer = new SimplePeer({ initiator: options.initiator, config: { iceServers: options.iceServers } });
    this.connection = (this.#peer as unknown as { _pc: RTCPeerConnection })._pc;
    this.channel = this.connection.createDataChannel('mpc', { negotiated: true, id: 1, ordered: true });
    this.#timer = setTimeout(() => this.#fail('timeout'), connectTimeoutMs);
    this.probe = new LinkProbe((message) => this.#peer.send(message), !options.initiator);

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
    this.#peer.on('error', () => this.#fail(this.#connected ? 'lost' : 'unreachable'));
    this.#peer.on('close', () => this.#fail(this.#connected ? 'lost' : 'unreachable'));
  }

  /** Known to these two tabs only (authenticate.ts); undefined before offer and answer. */
  get tag(): string | undefined {
    return this.#tag;
  }

  /** Takes what the other tab signalled, by way of the untrusted server. */
  receive(signal: LinkSignal): void {
    if (this.#closed) return;
    if (signal.kind === 'ice') {
      const { candidate, sdpMid, sdpMLineIndex } = signal;
      this.#peer.signal({
        type: 'candidate',
        candidate: { candidate, sdpMid, sdpMLineIndex },
      } as SimplePeer.SignalData);
      return;
    }
    // One offer and one answer make a pairing; a further one could name another certificate.
    if (this.#answered || signal.type !== (this.#initiator ? 'answer' : 'offer')) return this.#fail('authentication');
    if (this.#initiator) {
      if (!this.#offerSdp || !tagsEqual(signal.tag, tagAnswer(this.#keys, this.#offerSdp, signal.sdp)))
        return this.#fail('authentication');
      this.#settle(this.#offerSdp, signal.sdp);
    } else {
      if (this.#offerSdp || !tagsEqual(signal.tag, tagOffer(this.#keys, signal.sdp)))
        return this.#fail('authentication');
      this.#offerSdp = signal.sdp;
    }
    this.#peer.signal({ type: signal.type, sdp: signal.sdp });
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
    if (data.type === 'offer') {
      this.#offerSdp = data.sdp;
      this.#listener.send({ kind: 'sdp', type: 'offer', sdp: data.sdp, tag: tagOffer(this.#keys, data.sdp) });
    } else if (data.type === 'answer' && this.#offerSdp) {
      const tag = tagAnswer(this.#keys, this.#offerSdp, data.sdp);
      this.#settle(this.#offerSdp, data.sdp);
      this.#listener.send({ kind: 'sdp', type: 'answer', sdp: data.sdp, tag });
    } else if (data.type === 'candidate') {
      const { candidate, sdpMid, sdpMLineIndex } = data.candidate;
      this.#listener.send({ kind: 'ice', candidate, sdpMid: sdpMid ?? null, sdpMLineIndex: sdpMLineIndex ?? null });
    }
  }

  #settle(offerSdp: string, answerSdp: string): void {
    this.#answered = true;
    this.#tag = tagLink(this.#keys, offerSdp, answerSdp);
    this.#listener.onShortCode(shortCode(this.#keys, offerSdp, answerSdp));
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

type LocalSignal =
  | { type: 'offer' | 'answer'; sdp: string }
  | { type: 'candidate'; candidate: { candidate: string; sdpMid?: string | null; sdpMLineIndex?: number | null } }
  | { type: 'renegotiate' | 'transceiverRequest' };
