import { io, type Socket } from 'socket.io-client';
import * as v from 'valibot';
import {
  type DismissReason,
  type JoinOptions,
  KeyId,
  type LeaveReason,
  PeerLeftReason,
  type RefusalCode,
  type Reply,
  replies,
  type ServerToTabEvents,
  Signal,
  type TabToServerEvents,
  Tag,
} from '../../../signaling-server/events.ts';
import type { RoomKey } from './authenticate.ts';

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

/** The server refused; `code` says why. `timeout`: it did not answer, or not in the form that it should. */
export class RefusedError extends Error {
  constructor(readonly code: RefusalCode | 'timeout') {
    super(code === 'timeout' ? 'The signaling server does not answer' : `The signaling server refused: ${code}`);
  }
}

const replyTimeoutMs = 8000;
/** Some seven seconds. */
const failuresUntilOffline = 4;

/**
 * This tab's connection to the signaling server. It reconnects by itself until it is closed. The server is not trusted:
 * what does not have the form that it should is not passed on.
 */
export class Signaling {
  readonly #socket: Socket<ServerToTabEvents, TabToServerEvents>;

  /** @param url of the server; a page's own by default. */
  constructor(listener: SignalingListener, url?: string) {
    const options = {
      // Polling is for networks that let no WebSocket through.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      forceNew: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 3000,
    };
    const socket: Socket<ServerToTabEvents, TabToServerEvents> = url === undefined ? io(options) : io(url, options);
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
    socket.on('peerJoined', (...given) => {
      const parsed = v.safeParse(PeerJoined, given);
      if (parsed.success) listener.onPeerJoined?.(...parsed.output);
    });
    socket.on('peerLeft', (reason) => {
      if (v.is(PeerLeftReason, reason)) listener.onPeerLeft(reason);
    });
    socket.on('signal', (signal) => {
      const parsed = v.safeParse(Signal, signal);
      if (parsed.success) listener.onSignal(parsed.output);
    });
  }

  /** Opens the room of `key`, for the first time or again. @throws RefusedError */
  async open(key: RoomKey): Promise<void> {
    await this.#connected();
    const { code } = await this.#ask(this.#timed.emitWithAck('open', key.proveFor(this.#socket.id!)), replies.opened);
    if (code !== key.code) throw new RefusedError('malformed');
  }

  grantLocator(): Promise<{ locator: string; lifetimeMs: number }> {
    return this.#ask(this.#timed.emitWithAck('grantLocator'), replies.located);
  }

  async withdrawLocator(): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('withdrawLocator'), replies.plain);
  }

  async join(code: string, options: JoinOptions): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('join', code, options), replies.plain);
  }

  async joinByLocator(locator: string): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('joinByLocator', locator), replies.plain);
  }

  async signal(signal: Signal): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('signal', signal), replies.plain);
  }

  async dismiss(reason: DismissReason): Promise<void> {
    await this.#ask(this.#timed.emitWithAck('dismiss', reason), replies.plain);
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

  /** The server's name for the connection is known only then. @throws RefusedError `timeout` */
  async #connected(): Promise<void> {
    if (this.#socket.connected) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onConnect = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        onConnect = resolve;
        this.#socket.once('connect', onConnect);
        timer = setTimeout(() => reject(new RefusedError('timeout')), replyTimeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#socket.off('connect', onConnect);
    }
  }

  /** @throws RefusedError */
  async #ask<T>(
    pending: Promise<Reply>,
    form: v.GenericSchema<unknown, Reply<T>>,
  ): Promise<Extract<Reply<T>, { ok: true }>> {
    const parsed = v.safeParse(form, await pending.catch(() => undefined));
    if (!parsed.success) throw new RefusedError('timeout');
    if (!parsed.output.ok) throw new RefusedError(parsed.output.code);
    return parsed.output as Extract<Reply<T>, { ok: true }>;
  }
}

const PeerJoined = v.strictTuple([v.nullable(KeyId), v.nullable(Tag)]);
