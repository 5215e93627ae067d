/** A wire over a loopback socket between two processes of one machine: chunks with a length before each. */
import type { Socket } from 'node:net';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { QueueingWire } from '../../protocols/channel/queueingWire.ts';

export class SocketWire extends QueueingWire {
  readonly maxChunkBytes = 65_536;
  #held: Buffer = Buffer.alloc(0);

  constructor(private readonly socket: Socket) {
    super();
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#accept(data as Buffer));
    socket.on('error', () => this.end(new ProtocolError('closed', 'socket', 'the connection failed')));
    socket.on('close', () => this.end());
  }

  async send(chunk: Uint8Array): Promise<void> {
    if (this.isClosed) throw new ProtocolError('closed', 'socket', 'the connection is closed');
    if (chunk.length > this.maxChunkBytes)
      throw new RangeError(`chunk: expected at most ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(chunk.length);
    this.socket.write(length);
    if (!this.socket.write(chunk)) await this.#drained();
  }

  /** Also when the socket closes instead. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off('drain', done).off('close', done);
        resolve();
      };
      this.socket.on('drain', done).on('close', done);
    });
  }

  close(): void {
    this.socket.end();
    this.end();
  }

  #accept(data: Buffer): void {
    this.#held = this.#held.length > 0 ? Buffer.concat([this.#held, data]) : data;
    let at = 0;
    while (this.#held.length - at >= 4) {
      const length = this.#held.readUInt32LE(at);
      if (this.#held.length - at < 4 + length) break;
      this.deliver(Uint8Array.from(this.#held.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.#held = this.#held.subarray(at);
  }
}
