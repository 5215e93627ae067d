import { io, type Socket } from 'socket.io-client';
import type {
  LeaveReason,
  RefusalCode,
  ServerToTabEvents,
  Signal,
  TabToServerEvents,
} from '../../../signaling-server/events.ts';

export type SignalingState = 'connecting' | 'connected' | 'restarting' | 'lost' | 'closed';

export interface SignalingListener {
  /** Starts as `connecting`, without a call. */
  onState(state: SignalingState): void;
  /** The connection came back; the server has forgotten this tab's room. */
  onReconnect(): void;
  onPeerJoined(): void;
  onPeerLeft(reason: LeaveReason | 'lost'): void;
  onSignal(signal: Signal): void;
}

/** The server refused; `code` says why. */
export class RefusedError extends Error {
  constructor(readonly code: RefusalCode | 'timeout') {
    super(`The signaling server refused: ${code}`);
  }
}

const replyTimeoutMs = 8000;

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
    let restarting = false;
    socket.on('connect', () => {
      restarting = false;
      listener.onState('connected');
      if (connectedBefore) listener.onReconnect();
      connectedBefore = true;
    });
    socket.on('connect_error', () => listener.onState(restarting ? 'restarting' : 'lost'));
    socket.on('disconnect', (reason) => {
      if (reason === 'io client disconnect') return listener.onState('closed');
      listener.onState(restarting ? 'restarting' : 'lost');
      // socket.io does not come back by itself from a disconnect that the server asked for.
      if (reason === 'io server disconnect') socket.connect();
    });
    socket.on('restarting', () => {
      restarting = true;
      listener.onState('restarting');
    });
    socket.on('peerJoined', () => listener.onPeerJoined());
    socket.on('peerLeft', (reason) => listener.onPeerLeft(reason));
    socket.on('signal', (signal) => listener.onSignal(signal));
  }

  /** Opens a room, or reopens the one with `code`; answers with its code. */
  async open(code: string | null): Promise<string> {
    const reply = await this.#ask(this.#socket.timeout(replyTimeoutMs).emitWithAck('open', code));
    if (!reply.ok) throw new RefusedError(reply.code);
    return reply.code;
  }

  async join(code: string): Promise<void> {
    const reply = await this.#ask(this.#socket.timeout(replyTimeoutMs).emitWithAck('join', code));
    if (!reply.ok) throw new RefusedError(reply.code);
  }

  async signal(signal: Signal): Promise<void> {
    const reply = await this.#ask(this.#socket.timeout(replyTimeoutMs).emitWithAck('signal', signal));
    if (!reply.ok) throw new RefusedError(reply.code);
  }

  /** Leaves the room and the server. */
  close(reason: LeaveReason = 'closed'): void {
    if (!this.#socket.connected) {
      this.#socket.disconnect();
      return;
    }
    this.#socket.timeout(1000).emit('leave', reason, () => this.#socket.disconnect());
  }

  async #ask<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch {
      throw new RefusedError('timeout');
    }
  }
}
