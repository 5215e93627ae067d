/** The channel over a wire: messages, their checks, and how a session ends. frame.ts has the format. */
import type { Channel, ChannelCounters, Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { cutFlight, decodeAbort, encodeAbort, encodeMessage, headerBytes } from './frame.ts';
import { ReceiveBuffer, type ReceiveLimits } from './receiveBuffer.ts';

export interface FramedChannelOptions {
  /** A multiple of 4, at least 16, at most the wire's `maxChunkBytes`; the same on both sides. 64 KiB unless given. */
  readonly chunkBytes?: number;
  /** Where a flight is cut into messages (frame.ts), at most 32 MiB, which is what it is unless given; the same on both sides. */
  readonly maxMessageBytes?: number;
  /**
   * The longest flight, and how far the peer may be ahead of what was received here, with some overhead for each message; eight times the
   * longest message unless given.
   */
  readonly maxUnreadBytes?: number;
  /** See `FramedChannel.idleMs`. */
  readonly idleMs?: number;
  /** What the wire adds to every chunk, for the counters: 0 unless given. */
  readonly taggingBytes?: number;
}

/** Ten times the longest message of the models of 64 tokens (3.4 MB, a pairing's keys). */
const longestMessageBytes = 32 * 2 ** 20;
/**
 * Of a ViT-Tiny/16 at 224 px with every nonlinearity exact the tables of a block's GELU are 35 MB in one flight. No peer can make a tab hold
 * more than this for each stream; a session bounds it by its plan (inference/limits.ts).
 */
export const longestFlightBytes = 8 * longestMessageBytes;

/**
 * Longer than any computation of the peer's between two messages: with the largest plan that is accepted, on a phone that is ten times as
 * slow as the machine that otWork.ts names, a stage of ring-LWE takes two minutes.
 */
export const defaultIdleMs = 5 * 60_000;

export class FramedChannel implements Channel {
  /** How long nothing may move in either direction while something is waited for; then the session ends. May be changed at any time. */
  idleMs: number;
  private lastMovedMs = 0;
  /** A received message counts when its first byte is taken, so figures do not depend on timing. */
  readonly counters: ChannelCounters = {
    bytesSent: 0,
    bytesReceived: 0,
    framingBytesSent: 0,
    framingBytesReceived: 0,
    messagesSent: 0,
    messagesReceived: 0,
  };

  private readonly chunkBytes: number;
  private readonly maxMessageBytes: number;
  private readonly maxUnreadBytes: number;
  private readonly taggingBytes: number;
  private readonly limits: ReceiveLimits;
  private readonly received: ReceiveBuffer;
  private outgoing: Uint8Array[] = [];
  private outgoingBytes = 0;
  /** Messages are written one after the other. */
  private writing: Promise<void> = Promise.resolve();
  private wake: (() => void) | undefined;
  private isReceiving = false;
  /** Why the session has ended. */
  private failure: ProtocolError | undefined;
  /** Who waits for what was written to leave, and hears of the end. */
  private readonly flushing = new Set<() => void>();

  /** @throws RangeError when the options do not fit the wire. */
  constructor(
    private readonly wire: Wire,
    options: FramedChannelOptions = {},
  ) {
    const { chunkBytes = 65_536, maxMessageBytes = longestMessageBytes } = options;
    if (chunkBytes % 4 !== 0 || chunkBytes < 16 || chunkBytes > wire.maxChunkBytes) {
      throw new RangeError(`chunkBytes: expected a multiple of 4 in [16, ${wire.maxChunkBytes}], got ${chunkBytes}`);
    }
    if (!(maxMessageBytes > 0 && maxMessageBytes <= longestMessageBytes)) {
      throw new RangeError(`maxMessageBytes: expected 1 to ${longestMessageBytes}, got ${maxMessageBytes}`);
    }
    this.chunkBytes = chunkBytes;
    this.maxMessageBytes = maxMessageBytes;
    this.maxUnreadBytes = options.maxUnreadBytes ?? (longestFlightBytes / longestMessageBytes) * maxMessageBytes;
    this.taggingBytes = options.taggingBytes ?? 0;
    this.idleMs = options.idleMs ?? defaultIdleMs;
    this.limits = { chunkBytes, maxMessageBytes, maxUnreadBytes: this.maxUnreadBytes };
    this.received = new ReceiveBuffer(this.limits);
    wire.onClose = (reason) => this.end(closedError(reason, this.received.isArriving));
    wire.onChunk = (chunk) => this.accept(chunk);
  }

  /**
   * How far the peer may be ahead of what was received here: `maxUnreadBytes`, until whoever knows the protocol sets it lower. May be
   * changed at any time; what has arrived stays.
   */
  get aheadBytes(): number {
    return this.limits.maxUnreadBytes;
  }

  set aheadBytes(bytes: number) {
    this.limits.maxUnreadBytes = Math.min(bytes, this.maxUnreadBytes);
  }

  send(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`bytes: expected a Uint8Array, got ${typeof bytes}`);
    if (this.failure) throw this.failure;
    const flightBytes = this.outgoingBytes + bytes.length;
    if (flightBytes > this.maxUnreadBytes) {
      throw new RangeError(
        `flight: expected at most ${this.maxUnreadBytes} bytes between two flushes, got ${flightBytes}`,
      );
    }
    if (bytes.length > 0) this.outgoing.push(bytes);
    this.outgoingBytes = flightBytes;
  }

  /**
   * As the interface says.
   * @throws ProtocolError `length` when there is something to send but part of the peer's last message was not asked for.
   */
  async flush(): Promise<void> {
    if (this.failure) throw this.failure;
    if (this.outgoingBytes > 0) {
      const { openBytes } = this.received;
      if (openBytes > 0)
        await this.breakOff(lengthError(`the peer's message is ${openBytes} bytes longer than expected`));
      this.write();
    }
    await this.notIdle(this.written());
    if (this.failure) throw this.failure;
  }

  /**
   * As the interface says. While part of a message is still unread, `receive` reads on in it and flushes nothing: the
   * peer is not waiting for an answer yet. One `receive` at a time.
   * @returns a buffer of its own that begins at offset 0, so that it can be viewed as words.
   * @throws RangeError for a length that is no integer in [0, maxUnreadBytes]; Error when another receive is pending.
   */
  async receive(length: number): Promise<Uint8Array> {
    if (!Number.isInteger(length) || length < 0 || length > this.maxUnreadBytes) {
      throw new RangeError(`length: expected an integer in [0, ${this.maxUnreadBytes}], got ${length}`);
    }
    if (this.isReceiving) throw new Error('receive: expected no other receive to be pending');
    this.isReceiving = true;
    try {
      if (this.received.openBytes === 0) {
        // A peer that has sent its last message may be gone before that is read.
        if (!this.failure || this.received.unreadBytes === 0) await this.flush();
        if (length === 0) return new Uint8Array(0);
        await this.openNext();
      }
      while (length > this.received.openBytes && this.received.isContinued) await this.openNext();
      const { openBytes } = this.received;
      if (length > openBytes) {
        await this.breakOff(lengthError(`expected ${length} bytes, got ${openBytes} to the end of the peer's message`));
      }
      this.counters.bytesReceived += length;
      return this.received.take(length);
    } finally {
      this.isReceiving = false;
    }
  }

  /**
   * Ends the session; does nothing when it has ended already. Resolves when the wire has taken the last chunk.
   *
   * Without a reason, what is buffered is flushed first. With one, the peer gets the code and text of a ProtocolError, and
   * of any other error only the name, since its text was not written for the peer.
   * @throws ProtocolError `length` when the peer sent bytes that nobody asked for; as `flush`.
   */
  async close(reason?: Error): Promise<void> {
    if (this.failure) return;
    if (reason) {
      await this.breakOff(reason).catch(() => {});
      return;
    }
    await this.flush();
    const { unreadBytes } = this.received;
    if (unreadBytes > 0) await this.breakOff(lengthError(`the peer sent ${unreadBytes} bytes more than expected`));
    this.end(new ProtocolError('closed', 'channel', 'this side closed the connection'));
    this.wire.close();
  }

  private write(): void {
    for (const parts of cutFlight(this.outgoing, this.maxMessageBytes)) {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const number = this.counters.messagesSent++;
      this.counters.bytesSent += length;
      this.counters.framingBytesSent += headerBytes + this.chunksOf(length) * this.taggingBytes;
      this.writing = this.writing.then(async () => {
        // Encoded when its turn comes: of a long flight only one message is there twice.
        for (const chunk of encodeMessage(parts, length, number, this.chunkBytes)) {
          if (this.failure) return;
          // Whoever flushes finds the error in `failure`.
          await this.wire.send(chunk).catch((error: unknown) => this.end(closedError(error, false)));
          this.lastMovedMs = performance.now();
        }
      });
    }
    this.outgoing = [];
    this.outgoingBytes = 0;
  }

  /** Until what was written has left, or the session has ended. (A race with a promise of the end would be kept until then.) */
  private written(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.flushing.delete(done);
        resolve();
      };
      this.flushing.add(done);
      this.writing.then(done, reject);
    });
  }

  private async openNext(): Promise<void> {
    let length = this.received.openNext();
    while (length === undefined) {
      if (this.failure) throw this.failure;
      await this.notIdle(
        new Promise<void>((resolve) => {
          this.wake = resolve;
        }),
      );
      length = this.received.openNext();
    }
    this.counters.messagesReceived++;
    this.counters.framingBytesReceived += headerBytes + this.chunksOf(length) * this.taggingBytes;
  }

  /** Of a message with a payload of `length` bytes. */
  private chunksOf(length: number): number {
    return Math.ceil((headerBytes + length) / this.chunkBytes);
  }

  private accept(chunk: Uint8Array): void {
    if (this.failure) return;
    this.lastMovedMs = performance.now();
    const abort = decodeAbort(chunk);
    if (abort) {
      this.received.clear();
      this.end(abort);
      this.wire.close();
      return;
    }
    try {
      this.received.accept(chunk);
    } catch (error) {
      // Whoever receives finds the error in `failure`.
      void this.breakOff(error as ProtocolError).catch(() => {});
    }
    this.wakeReceiver();
  }

  /** Ends the session because of `error`, tells the peer, and throws it. */
  private async breakOff(error: Error): Promise<never> {
    // The peer is told once.
    if (this.failure) throw error;
    const isForPeer = error instanceof ProtocolError;
    this.received.clear();
    this.end(isForPeer ? error : new ProtocolError('closed', 'channel', 'this side gave up'));
    const text = isForPeer ? error.message : `an internal error (${error.name})`;
    // A wire that is broken already has told the peer as much as can be told.
    await this.wire.send(encodeAbort(isForPeer ? error.code : 'internal', text, this.chunkBytes)).catch(() => {});
    this.wire.close();
    throw error;
  }

  /** Waits; ends the session when nothing moves for `idleMs`. */
  private async notIdle(waiting: Promise<void>): Promise<void> {
    this.lastMovedMs = performance.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      // A timer counts 31 bits of milliseconds.
      const leftMs = Math.min(this.lastMovedMs + this.idleMs - performance.now(), 2 ** 30);
      if (leftMs > 0) timer = setTimeout(look, leftMs);
      else this.endIdle();
    };
    look();
    try {
      await waiting;
    } finally {
      clearTimeout(timer);
    }
  }

  private endIdle(): void {
    const seconds = Math.round(this.idleMs / 1000);
    const reason = new ProtocolError('silent', 'channel', `the other side was silent for ${seconds} seconds`);
    void this.breakOff(reason).catch(() => {});
    // A peer that does not read keeps the wire from taking the reason.
    setTimeout(() => this.wire.close(), lastWordMs);
  }

  private end(failure: ProtocolError): void {
    if (this.failure) return;
    this.failure = failure;
    for (const done of this.flushing) done();
    this.outgoing = [];
    this.outgoingBytes = 0;
    this.wakeReceiver();
  }

  private wakeReceiver(): void {
    this.wake?.();
    this.wake = undefined;
  }
}

/** For the reason to leave. */
const lastWordMs = 1000;

function lengthError(message: string): ProtocolError {
  return new ProtocolError('length', 'channel', message);
}

function closedError(reason: unknown, inMessage: boolean): ProtocolError {
  // A wire may know better, such as that the other side's version is another.
  if (reason instanceof ProtocolError && reason.code !== 'closed') return reason;
  const where = inMessage ? ' in the middle of a message' : '';
  const why = reason instanceof Error ? `: ${reason.message}` : '';
  return new ProtocolError('closed', 'channel', `the connection is gone${where}${why}`);
}
