import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { QueueingWire } from './queueingWire.ts';

/** The part of RTCDataChannel that is used (browsers, Workers, node-datachannel's polyfill). */
export interface DataChannelLike {
  binaryType: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  readonly readyState: string;
  send(data: Uint8Array<ArrayBuffer> | string): void;
  close(): void;
  addEventListener(
    type: 'open' | 'message' | 'bufferedamountlow' | 'close' | 'error',
    listener: (event: { data?: unknown }) => void,
  ): void;
}

/**
 * `bufferedAmount` never exceeds this. Measured in Chromium: larger queues stall for seconds on a cold connection, and
 * 128 KiB already give 40 MB/s.
 */
export const maxBufferedBytes = 131_072;

/**
 * When probes follow the last chunk, in milliseconds after it, as long as no other does.
 *
 * A packet that is lost behind all others is missed only when another one comes, or after a timeout: 400 ms and more in Chromium. Each probe
 * makes the receiver report the gap, and three reports make the sender repeat what is missing at once (RFC 9260, section 7.2.4). The
 * idea is TCP's (RFC 8985, section 7, tail loss probes).
 *
 * Measured between two tabs of one machine: a page that is not quick enough to read loses what goes beyond the 64 KiB that Chromium lets wait
 * in a socket, and every third answer stood still for 0.3 to 0.6 s.
 */
export const probesAfterMs = [8, 12, 16];

/** A text, since all else is bytes. */
export const probeText = '.';

class DataChannelWire extends QueueingWire {
  readonly maxChunkBytes = 65_536;
  private waiting: (() => void)[] = [];
  private lastSentMs = 0;
  /** How many probes have followed the last chunk. */
  private probes = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly channel: DataChannelLike) {
    super();
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = maxBufferedBytes - this.maxChunkBytes;
    channel.addEventListener('message', ({ data }) => this.receive(data));
    channel.addEventListener('open', () => this.release());
    channel.addEventListener('bufferedamountlow', () => this.release());
    channel.addEventListener('close', () => this.finish());
    channel.addEventListener('error', () =>
      this.finish(new ProtocolError('closed', 'data channel', 'the connection failed')),
    );
  }

  async send(chunk: Uint8Array): Promise<void> {
    if (chunk.length > this.maxChunkBytes) {
      throw new RangeError(`chunk: expected at most ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    }
    await this.room(chunk.length);
    this.transmit(chunk as Uint8Array<ArrayBuffer>);
    this.lastSentMs = performance.now();
    this.probes = 0;
    this.timer ??= setTimeout(() => this.probe(), probesAfterMs[0]);
    await this.room(this.maxChunkBytes);
  }

  /** What was sent before is still delivered. */
  close(): void {
    if (this.isClosed) return;
    this.channel.close();
    this.finish();
  }

  private probe(): void {
    this.timer = undefined;
    if (this.isClosed || this.channel.readyState !== 'open') return;
    const now = performance.now();
    // What waits to be sent shows a gap as well.
    if (this.channel.bufferedAmount > 0) this.lastSentMs = now;
    const waitMs = () => this.lastSentMs + probesAfterMs[this.probes] - now;
    if (waitMs() <= 0) {
      try {
        this.transmit(probeText);
      } catch {
        return; // nobody waits for a probe, and the wire has said that it ended
      }
      this.probes++;
    }
    if (this.probes < probesAfterMs.length) this.timer = setTimeout(() => this.probe(), Math.max(waitMs(), 1));
  }

  /**
   * A channel's state can be behind: node-datachannel's is `open` until a callback has run, and what is gone throws.
   * @throws ProtocolError `closed`; then the wire has ended
   */
  private transmit(data: Uint8Array<ArrayBuffer> | string): void {
    try {
      this.channel.send(data);
    } catch (error) {
      const reason = new ProtocolError('closed', 'data channel', (error as Error).message);
      this.finish(reason);
      this.channel.close();
      throw reason;
    }
  }

  private async room(bytes: number): Promise<void> {
    for (;;) {
      const { readyState } = this.channel;
      if (this.isClosed || readyState === 'closing' || readyState === 'closed') {
        throw new ProtocolError('closed', 'data channel', 'the connection is closed');
      }
      if (readyState === 'open' && this.channel.bufferedAmount + bytes <= maxBufferedBytes) return;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private receive(data: unknown): void {
    if (this.isClosed) return;
    if (data === probeText) return;
    if (data instanceof ArrayBuffer) this.deliver(new Uint8Array(data));
    else if (ArrayBuffer.isView(data)) this.deliver(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    else {
      this.channel.close();
      this.finish(new ProtocolError('length', 'data channel', 'expected bytes, got text'));
    }
  }

  private finish(reason?: Error): void {
    clearTimeout(this.timer);
    this.end(reason);
    this.release();
  }

  private release(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** A wire over a data channel that is ordered and reliable (the default); it may still be connecting. */
export function dataChannelWire(channel: DataChannelLike): Wire {
  return new DataChannelWire(channel);
}
