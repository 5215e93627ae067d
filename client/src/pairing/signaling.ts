import { io, type Socket } from 'socket.io-client';
import type {
  DismissReason,
  JoinOptions,
  LeaveReason,
  PeerLeftReason,
  RefusalCode,
  Reply,
  ServerToTabEvents,
  Signal,
  TabToServerEvents,
} from '../../../signaling-server/events.ts';

/** `offline`: the server could not be reached several times in a row; the attempts go on. */
export type SignalingState = 'connecting' | 'connected' | 'reconnecting' | 'offline' | 'closed';

export interface SignalingListener {
  /** Starts as `connecting`, without a call. */
  onState(state: SignalingState): void;
  /** The connection came back; the server has forgotten this tab's room. */
  onReconnect?(): void;
  onPeerJoined?(keyId: string | null, linkTag: string | null): void;
  onPeerLeft(reason: PeerLeftReason): void;
  onSignal(signal: Signal): void;
}

/** The server refused; `code` says why. */
export class RefusedError extends Error {
  constructor(readonly code: RefusalCode | 'timeout') {
    super(`The signaling server refused: ${code}`);
  }
}

const replyTimeoutMs = 8000;
/** Some seven seconds. */
const failuresUntilOffline = 4;

/** This tab's connection to the signaling server. It reconnects by itself until it is closed. */
export class Signaling {
  readonly #socket: Socket<ServerToTabEvents, TabToServerEvents>;

  constructor(listener: SignalingListener) {
    const socket: Socket<ServerToTabEvents, TabToServerEvents> = io({
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 3000,
    });
    this.#socket = socket;
    let connectedBefore = false;
    let failures = 0;
    socket.on('connect', () => {
      failures = 0;
      listener.onState('connected');
      if (connectedBefore) listener.onReconnect?.();
      connectedBefore = true;
    });
    socket.on('connect_error', () => {
      const isOffline = ++failures >= failuresUntilOffline || globalThis.navigator?.onLine === false;
      listener.onState(isOffline ? 'offline' : connectedBefore ? 'reconnecting' : 'connecting');
    });
    socket.on('disconnect', (reason) => {
      if (reason === 'io client disconnect') return listener.onState('closed');
      listener.onState('reconnecting');
      // socket.io does not come back by itself from a disconnect that the server asked for.
      if (reason === 'io server disconnect') socket.connect();
    });
    socket.on('restarting', () => listener.onState('reconnecting'));
    socket.on('peerJoined', (keyId, linkTag) => listener.onPeerJoined?.(keyId, linkTag));
    socket.on('peerLeft', (reason) => listener.onPeerLeft(reason));
    socket.on('signal', (signal) => listener.onSignal(signal));
  }

  /** Opens a room, or reopens the one with `code`; answers with its code. */
  async open(code: string | null): Promise<string> {
    return (await this.#ask(this.#timed.emitWithAck('open', code))).code;
  }

  grantLocator(): Promise<{ locator: string; lifetimeMs: number }> {
    return this.#ask(this.#timed.emitWithAck('grantLocator'));
  }

  async withdrawLocator(): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('withdrawLocator'));
  }

  async join(code: string, options: JoinOptions): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('join', code, options));
  }

  async joinByLocator(locator: string): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('joinByLocator', locator));
  }

  async signal(signal: Signal): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('signal', signal));
  }

  async dismiss(reason: DismissReason): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('dismiss', reason));
  }

  /** Leaves the room and the server; resolves when the server has said so, or after a second. */
  async close(reason: LeaveReason = 'closed'): Promise<void> {
    if (this.#socket.connected)
      await this.#socket
        .timeout(1000)
        .emitWithAck('leave', reason)
        .catch(() => {});
    this.#socket.disconnect();
  }

  get #timed() {
    return this.#socket.timeout(replyTimeoutMs);
  }

  /** @throws RefusedError */
  async #ask<T>(pending: Promise<Reply<T>>): Promise<{ ok: true } & T> {
    const reply = await pending.catch((): Reply<T> | undefined => undefined);
    if (!reply?.ok) throw new RefusedError(reply ? reply.code : 'timeout');
    return reply;
  }
}
