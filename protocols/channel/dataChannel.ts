import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { QueueingWire } from './queueingWire.ts';

/** The part of RTCDataChannel that is used (browsers, Workers, node-datachannel's polyfill). */
export interface DataChannelLike {
  binaryType: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  readonly readyState: string;
  send(data: Uint8Array<ArrayBuffer>): void;
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

class DataChannelWire extends QueueingWire {
  readonly maxChunkBytes = 65_536;
  private waiting: (() => void)[] = [];

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
    this.channel.send(chunk as Uint8Array<ArrayBuffer>);
    await this.room(this.maxChunkBytes);
  }

  /** What was sent before is still delivered. */
  close(): void {
    if (this.isClosed) return;
    this.channel.close();
    this.finish();
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
    if (data instanceof ArrayBuffer) this.deliver(new Uint8Array(data));
    else if (ArrayBuffer.isView(data)) this.deliver(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    else {
      this.channel.close();
      this.finish(new ProtocolError('length', 'data channel', 'expected bytes, got text'));
    }
  }

  private finish(reason?: Error): void {
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
