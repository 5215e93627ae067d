/**
 * Pings between the two pages, on simple-peer's own channel, beside the protocol's. Small ones measure the round trip and
 * tell whether the other tab is still there; long ones, two at a time, measure the throughput. They come from a tab that
 * may be anybody's: what has another form is ignored.
 */
const kind = { ping: 1, pong: 2, rate: 3 } as const;
/** Kind, then 32 bits that name the ping. */
const headerBytes = 5;
const rateBytes = 9;

/** Two of them fill the send queue as far as is good for it (docs of the channel: more stalls a cold connection). */
const chunkBytes = 65_536;
const lanes = 2;
const measureBytes = 2 ** 20;
const measureMs = 200;
/** Before each measurement. The first ones may meet a page or a processor that is busy with the start: the best counts. */
const pausesMs = [0, 1000, 3000];

export class LinkProbe {
  /** Bytes per second by the best measurement in the first seconds, in either direction. */
  sentPerSecond: number | undefined;
  receivedPerSecond: number | undefined;
  #nextId = 0;
  #heardMs = Number.NEGATIVE_INFINITY;
  readonly #pending = new Map<number, (elapsedMs: number) => void>();

  /**
   * @param send throws when the connection is gone
   * @param isFirst of the two sides measures first, so that they do not share the line
   */
  constructor(
    private readonly send: (message: Uint8Array) => void,
    private readonly isFirst: boolean,
    private readonly nowMs: () => number = () => performance.now(),
    private readonly pauses: readonly number[] = pausesMs,
  ) {}

  /** Call once when the connection is open. */
  start(): void {
    if (this.isFirst) void this.#measureAll();
  }

  /** Resolves with the milliseconds until the other page answered, and not at all when it never does. */
  ping(payloadBytes = 0): Promise<number> {
    const message = new Uint8Array(headerBytes + payloadBytes);
    const id = this.#nextId++ >>> 0;
    message[0] = kind.ping;
    new DataView(message.buffer).setUint32(1, id, true);
    const sentMs = this.nowMs();
    return new Promise((resolve) => {
      this.#pending.set(id, () => resolve(this.nowMs() - sentMs));
      try {
        this.send(message);
      } catch {
        this.#pending.delete(id); // the connection is gone: no answer will come
      }
    });
  }

  /** Anything of the other tab's, the protocol's messages too, has arrived. */
  heard(): void {
    this.#heardMs = this.nowMs();
  }

  /**
   * Whether an answer comes within that time, or else whether anything was heard in the last half of it: behind megabytes of the
   * protocol, or where processors are busy, an answer takes its time.
   */
  async isAlive(timeoutMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(this.nowMs() - this.#heardMs < timeoutMs / 2), timeoutMs);
    });
    const isAlive = await Promise.race([this.ping().then(() => true), tooLate]);
    clearTimeout(timer);
    return isAlive;
  }

  /** Takes a message of the other page. */
  receive(message: Uint8Array): void {
    this.heard();
    if (message.length < headerBytes) return;
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (message[0] === kind.ping) {
      const pong = message.slice(0, headerBytes);
      pong[0] = kind.pong;
      this.#reply(pong);
    } else if (message[0] === kind.pong) {
      const id = view.getUint32(1, true);
      const resolve = this.#pending.get(id);
      this.#pending.delete(id);
      resolve?.(0);
    } else if (message[0] === kind.rate && message.length === rateBytes) {
      const rate = view.getFloat64(1, true);
      if (!(rate > 0 && Number.isFinite(rate))) return;
      const isNew = this.receivedPerSecond === undefined;
      this.receivedPerSecond = rate;
      if (isNew && !this.isFirst) void this.#measureAll();
    }
  }

  /** Tells the other side whenever a measurement is better than those before. */
  async #measureAll(): Promise<void> {
    for (const pauseMs of this.pauses) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const rate = await this.#measure();
      if (!Number.isFinite(rate) || rate <= (this.sentPerSecond ?? 0)) continue;
      this.sentPerSecond = rate;
      const message = new Uint8Array(rateBytes);
      message[0] = kind.rate;
      new DataView(message.buffer).setFloat64(1, rate, true);
      this.#reply(message);
    }
  }

  /**
   * Sends for 200 ms or 1 MiB, whichever ends first; bytes per second. Counted from the first byte on, less a round trip: a
   * page that is busy gets many answers at once, so the time between answers says nothing.
   */
  async #measure(): Promise<number> {
    const roundTripMs = await this.ping();
    const startedMs = this.nowMs();
    let chunks = 0;
    const send = async () => {
      do {
        await this.ping(chunkBytes - headerBytes);
        chunks++;
      } while (chunks * chunkBytes < measureBytes && this.nowMs() - startedMs < measureMs);
    };
    await Promise.all(Array.from({ length: lanes }, send));
    const elapsedMs = this.nowMs() - startedMs;
    return (chunks * chunkBytes * 1000) / Math.max(elapsedMs - roundTripMs, elapsedMs / 2);
  }

  #reply(message: Uint8Array): void {
    try {
      this.send(message);
    } catch {
      // The connection is gone; its `close` says so.
    }
  }
}
