import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';

/** What a peer can make a tab hold before a channel reads, which then has limits of its own: many times what hellos and manifest take. */
export const maxQueuedBytes = 2 ** 26;

/** What every wire does alike: keeps chunks until there is a reader, and tells of the end once, after the last chunk. */
export abstract class QueueingWire implements Wire {
  private readonly queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private overflow: ProtocolError | undefined;
  private chunkReader: ((chunk: Uint8Array) => void) | undefined;
  private closeReader: ((reason?: Error) => void) | undefined;
  private ended: { reason: Error | undefined } | undefined;

  abstract readonly maxChunkBytes: number;
  abstract send(chunk: Uint8Array): Promise<void>;
  abstract close(): void;

  get onChunk() {
    return this.chunkReader;
  }

  set onChunk(reader: ((chunk: Uint8Array) => void) | undefined) {
    this.chunkReader = reader;
    while (this.chunkReader && this.queue.length > 0) {
      const chunk = this.queue.shift()!;
      this.queuedBytes -= chunk.length;
      this.chunkReader(chunk);
    }
    this.announceEnd();
  }

  get onClose() {
    return this.closeReader;
  }

  set onClose(reader: ((reason?: Error) => void) | undefined) {
    this.closeReader = reader;
    this.announceEnd();
  }

  /** Whether the wire has ended, on either side's wish. */
  get isClosed(): boolean {
    return this.ended !== undefined;
  }

  /** Called by the implementation for every chunk that arrives. */
  protected deliver(chunk: Uint8Array): void {
    if (this.chunkReader && this.queue.length === 0) this.chunkReader(chunk);
    else if (!this.overflow) this.enqueue(chunk);
  }

  private enqueue(chunk: Uint8Array): void {
    this.queue.push(chunk);
    this.queuedBytes += chunk.length;
    if (this.queuedBytes <= maxQueuedBytes) return;
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.overflow = new ProtocolError(
      'length',
      'wire',
      `expected at most ${maxQueuedBytes} bytes before they are read`,
    );
    this.close();
    this.end();
  }

  /** Called by the implementation when nothing more will arrive; only the first call counts. */
  protected end(reason?: Error): void {
    this.ended ??= { reason: this.overflow ?? reason };
    this.announceEnd();
  }

  private announceEnd(): void {
    if (!this.ended || !this.closeReader || this.queue.length > 0) return;
    const reader = this.closeReader;
    this.closeReader = undefined;
    reader(this.ended.reason);
  }
}
