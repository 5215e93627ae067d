/**
 * Two parties in one thread, one at a time: whoever waits for the other's bytes hands over, so that each one's own working time can be told.
 * What the same parties would need in two threads lies between the larger of their times and the sum. Node tells the processor's time, which
 * other programs on the machine do not lengthen; a browser only what the clock shows.
 */
import type { Channel } from '../../protocols/channel/channel.ts';
import type { Phase, SteppedChannel } from '../../protocols/channel/stepped.ts';

/** Milliseconds. */
export const nowMs: () => number =
  'process' in globalThis
    ? () => {
        const { user, system } = globalThis.process.cpuUsage();
        return (user + system) / 1000;
      }
    : () => performance.now();

class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  async take(): Promise<void> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
  }

  /** The next in line runs in a later microtask; nobody can come in between. */
  handOver(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken = false;
  }
}

/** A channel that gives up the turn while it waits. */
export class TurnChannel implements SteppedChannel {
  /** Working time by step, in milliseconds. */
  readonly busyMs = new Map<string, number>();
  #step = '';
  #sinceMs = 0;

  constructor(
    private readonly inner: Channel,
    private readonly turns: Turns,
  ) {}

  get counters() {
    return this.inner.counters;
  }

  /** All working time. */
  get totalMs(): number {
    return [...this.busyMs.values()].reduce((sum, ms) => sum + ms, 0);
  }

  /** Runs a party, whose time it then measures. */
  async run<T>(party: () => Promise<T>): Promise<T> {
    await this.#begin();
    try {
      return await party();
    } finally {
      this.#end();
    }
  }

  enterStep(name: string, _phase: Phase): void {
    this.#settle();
    this.#step = name;
  }

  send(bytes: Uint8Array): void {
    this.inner.send(bytes);
  }

  async receive(length: number): Promise<Uint8Array> {
    const pending = this.inner.receive(length);
    // The party may be ended while it waits in line, and nobody would look at the rejection.
    pending.catch(() => {});
    this.#end();
    try {
      return await pending;
    } finally {
      await this.#begin();
    }
  }

  flush(): Promise<void> {
    return this.inner.flush();
  }

  close(reason?: Error): Promise<void> {
    return this.inner.close(reason);
  }

  async #begin(): Promise<void> {
    await this.turns.take();
    this.#sinceMs = nowMs();
  }

  #end(): void {
    this.#settle();
    this.turns.handOver();
  }

  #settle(): void {
    const now = nowMs();
    this.busyMs.set(this.#step, (this.busyMs.get(this.#step) ?? 0) + now - this.#sinceMs);
    this.#sinceMs = now;
  }
}

/** Both ends of a channel, each with a party that takes turns with the other. */
export function takingTurns([first, second]: readonly [Channel, Channel]): [TurnChannel, TurnChannel] {
  const turns = new Turns();
  return [new TurnChannel(first, turns), new TurnChannel(second, turns)];
}
