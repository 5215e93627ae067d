import type { PeerLink } from '../pairing/peerLink.ts';
import { selectedPath } from '../pairing/selectedPath.ts';

const intervalMs = 1000;
/** While much is sent, a ping waits in the queues: the shortest of this many tells the line's own round trip. */
const window = 30;
const shown = 5;

/** What a connection can do, by what was seen of it; the rates are lower bounds. */
export interface LinkCapacity {
  roundTripMs: number;
  sentPerSecond: number;
  receivedPerSecond: number;
}

/** The connection between the tabs, measured about once a second: by pings between the pages and by WebRTC's own counts. */
export class LinkStatistics {
  /** Median of the last pings. */
  roundTripMs = $state<number>();
  path = $state<'direct' | 'relayed'>();
  /** Of the protocol's channel. */
  bytesSent = $state(0);
  bytesReceived = $state(0);
  /** Known after the first second of a connection. */
  capacity = $state.raw<LinkCapacity>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #roundTripsMs: number[] = [];
  #lastReadMs = 0;
  #peakSent = 0;
  #peakReceived = 0;

  start(link: PeerLink): void {
    this.stop();
    this.roundTripMs = this.path = this.capacity = undefined;
    this.bytesSent = this.bytesReceived = 0;
    this.#roundTripsMs = [];
    this.#peakSent = this.#peakReceived = this.#lastReadMs = 0;
    const timer = setInterval(() => void this.#read(link, () => this.#timer === timer), intervalMs);
    this.#timer = timer;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read({ connection, probe }: PeerLink, isCurrent: () => boolean): Promise<void> {
    if (connection.connectionState !== 'connected') return;
    void probe.ping().then((elapsedMs) => isCurrent() && this.#addRoundTrip(elapsedMs));
    const report = await connection.getStats();
    if (!isCurrent()) return;
    this.path = selectedPath(report);
    for (const stat of report.values()) {
      if (stat.type === 'data-channel' && stat.label === 'mpc')
        this.#addBytes(stat.bytesSent, stat.bytesReceived, stat.timestamp);
    }
    const { sentPerSecond, receivedPerSecond } = probe;
    if (sentPerSecond === undefined || receivedPerSecond === undefined || this.#roundTripsMs.length === 0) return;
    this.capacity = {
      roundTripMs: Math.min(...this.#roundTripsMs),
      sentPerSecond: Math.max(sentPerSecond, this.#peakSent),
      receivedPerSecond: Math.max(receivedPerSecond, this.#peakReceived),
    };
  }

  #addRoundTrip(elapsedMs: number): void {
    this.#roundTripsMs = [...this.#roundTripsMs, elapsedMs].slice(-window);
    const latest = this.#roundTripsMs.slice(-shown).sort((a, b) => a - b);
    this.roundTripMs = latest[latest.length >> 1];
  }

  /** The fastest second of the preparation, which moves most bytes, may show more than the measurement at the start. */
  #addBytes(sent: number, received: number, countedMs: number): void {
    if (countedMs - this.#lastReadMs < intervalMs / 2) return; // a late reading and the next: too short to judge by
    const seconds = (countedMs - this.#lastReadMs) / 1000;
    if (this.#lastReadMs > 0) {
      this.#peakSent = Math.max(this.#peakSent, (sent - this.bytesSent) / seconds);
      this.#peakReceived = Math.max(this.#peakReceived, (received - this.bytesReceived) / seconds);
    }
    this.#lastReadMs = countedMs;
    this.bytesSent = sent;
    this.bytesReceived = received;
  }
}
