import type { Wire } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { QueueingWire } from '../../protocols/channel/queueingWire.ts';

export interface WireShape {
  /** Round-trip time in ms; each direction gets half. */
  readonly rttMs: number;
  /** Bandwidth of each direction, in 10^6 bits per second; Infinity for no limit. */
  readonly mbps: number;
}

/** Where the time comes from; tests pass their own. */
export interface WireClock {
  /** In ms. */
  now(): number;
  sleepUntil(timeMs: number): Promise<void>;
}

/** What the simulated link queues before the sender waits, as a data channel would. */
const queuedBytes = 131_072;

class ShapedWire extends QueueingWire {
  readonly maxChunkBytes: number;
  /** When the link has sent all it was given. */
  private idleAtMs = 0;
  private delivering: Promise<void> = Promise.resolve();

  constructor(
    private readonly wire: Wire,
    private readonly shape: WireShape,
    private readonly clock: WireClock,
  ) {
    super();
    this.maxChunkBytes = wire.maxChunkBytes;
    wire.onChunk = (chunk) => this.deliver(chunk);
    wire.onClose = (reason) => this.end(reason);
  }

  async send(chunk: Uint8Array): Promise<void> {
    if (this.isClosed) throw new ProtocolError('closed', 'shaped wire', 'the wire is closed');
    if (chunk.length > this.maxChunkBytes) {
      throw new RangeError(`chunk: expected at most ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    }
    this.idleAtMs = Math.max(this.idleAtMs, this.clock.now()) + this.sendingMs(chunk.length);
    const arrivesAtMs = this.idleAtMs + this.shape.rttMs / 2;
    this.delivering = this.delivering
      .then(() => this.clock.sleepUntil(arrivesAtMs))
      .then(() => this.wire.send(chunk))
      .catch((error: Error) => this.end(error));
    await this.clock.sleepUntil(this.idleAtMs - this.sendingMs(queuedBytes));
  }

  close(): void {
    if (this.isClosed) return;
    this.end();
    void this.delivering.then(() => this.wire.close());
  }

  private sendingMs(bytes: number): number {
    return (bytes * 8) / (this.shape.mbps * 1000);
  }
}

/**
 * Simulates a slower link for benches: what this end sends leaves at `mbps` and arrives rtt/2 later. Shape both ends.
 * @throws RangeError for a negative time or a bandwidth that is not positive.
 */
export function shapeWire(wire: Wire, shape: WireShape, clock: WireClock = realClock): Wire {
  if (!(shape.rttMs >= 0)) throw new RangeError(`rttMs: expected at least 0, got ${shape.rttMs}`);
  if (!(shape.mbps > 0)) throw new RangeError(`mbps: expected more than 0, got ${shape.mbps}`);
  return new ShapedWire(wire, shape, clock);
}

const realClock: WireClock = { now: () => performance.now(), sleepUntil };

/** Timers are a millisecond coarse, more than a flight may be wrong by: the last one is waited for turn by turn. */
async function sleepUntil(timeMs: number): Promise<void> {
  for (;;) {
    const left = timeMs - performance.now();
    if (!(left > 0)) return;
    if (left > 2) await new Promise((resolve) => setTimeout(resolve, left - 1.5));
    else await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
