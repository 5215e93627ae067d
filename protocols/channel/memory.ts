import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { QueueingWire } from './queueingWire.ts';

/** One end of a wire within a thread, for tests, the reference and benches. */
class MemoryWire extends QueueingWire {
  readonly maxChunkBytes = 2 ** 20;
  peer: MemoryWire | undefined;

  async send(chunk: Uint8Array): Promise<void> {
    const { peer } = this;
    if (this.isClosed || !peer) throw new ProtocolError('closed', 'memory wire', 'the wire is closed');
    if (chunk.length > this.maxChunkBytes) {
      throw new RangeError(`chunk: expected at most ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    }
    // Arrives later, as over any wire: no party ever runs inside the other's send.
    queueMicrotask(() => peer.deliver(chunk));
  }

  close(): void {
    if (this.isClosed) return;
    this.end();
    // After the chunks that are on their way.
    queueMicrotask(() => this.peer?.end());
  }
}

/** Two ends of a wire in memory; what one sends the other gets, without a copy. */
export function memoryWirePair(): [Wire, Wire] {
  const first = new MemoryWire();
  const second = new MemoryWire();
  first.peer = second;
  second.peer = first;
  return [first, second];
}
