import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { QueueingWire } from './queueingWire.ts';

/** What the MessagePorts of pages, Workers and node:worker_threads have in common. */
export interface MessagePortLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: 'message' | 'messageerror' | 'close', listener: (event: { data?: unknown }) => void): void;
  start?(): void;
  close?(): void;
}

/** Chunks on the way before the sender waits: 16 × 64 KiB keep two threads busy without piling up memory. */
const windowChunks = 16;

/** On the port: a chunk is an ArrayBuffer, an empty one confirms a chunk, and this text ends the wire. */
const closing = 'close';

class MessagePortWire extends QueueingWire {
  readonly maxChunkBytes = 2 ** 20;
  private unconfirmed = 0;
  private waiting: (() => void)[] = [];

  /** @param consume takes a chunk in place of `onChunk`; its receipt goes out when the promise resolves. */
  constructor(
    private readonly port: MessagePortLike,
    private readonly consume?: (chunk: Uint8Array) => Promise<void>,
  ) {
    super();
    port.addEventListener('message', ({ data }) => this.handle(data));
    port.addEventListener('messageerror', () =>
      this.finish(new ProtocolError('length', 'message port', 'a message could not be read')),
    );
    port.addEventListener('close', () => this.finish());
    port.start?.();
  }

  async send(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0 || chunk.length > this.maxChunkBytes) {
      throw new RangeError(`chunk: expected 1 to ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    }
    this.checkOpen();
    const owned = chunk.byteLength === chunk.buffer.byteLength ? chunk : new Uint8Array(chunk);
    this.unconfirmed++;
    this.port.postMessage(owned.buffer, [owned.buffer as ArrayBuffer]);
    while (this.unconfirmed >= windowChunks) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      this.checkOpen();
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.port.postMessage(closing, []);
    this.finish();
  }

  private checkOpen(): void {
    if (this.isClosed) throw new ProtocolError('closed', 'message port', 'the wire is closed');
  }

  private handle(data: unknown): void {
    if (this.isClosed) return;
    if (data instanceof ArrayBuffer && data.byteLength > 0) {
      const chunk = new Uint8Array(data);
      if (!this.consume) {
        this.deliver(chunk);
        this.confirm();
        return;
      }
      this.consume(chunk).then(
        () => this.confirm(),
        () => this.close(),
      );
    } else if (data instanceof ArrayBuffer) {
      this.unconfirmed--;
      this.release();
    } else if (data === closing) {
      this.finish();
    } else {
      this.finish(new ProtocolError('length', 'message port', 'expected bytes'));
    }
  }

  private confirm(): void {
    if (!this.isClosed) this.port.postMessage(new ArrayBuffer(0), []);
  }

  private finish(reason?: Error): void {
    this.end(reason);
    this.release();
    this.port.close?.();
  }

  private release(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** A wire between two threads. Chunks that own their buffer are transferred, not copied: the sender loses them. */
export function messagePortWire(port: MessagePortLike): Wire {
  return new MessagePortWire(port);
}

/**
 * Joins a port to a wire, for a page whose data channel cannot be transferred to the Worker at the port's other end.
 * Back-pressure passes through: a chunk is confirmed to the Worker when the wire has taken it.
 */
export function relay(port: MessagePortLike, wire: Wire): void {
  let sent = Promise.resolve();
  const inner = new MessagePortWire(port, (chunk) => {
    sent = sent.then(() => wire.send(chunk));
    return sent;
  });
  wire.onChunk = (chunk) => void inner.send(chunk).catch(() => wire.close());
  // What the Worker sent before it closed still goes out.
  inner.onClose = () => void sent.catch(() => {}).then(() => wire.close());
  wire.onClose = () => inner.close();
}
