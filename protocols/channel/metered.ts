/**
 * Counts what a channel carries, step by step.
 *
 * A *flight* is a run of messages in one direction. It belongs to the step that first puts bytes in it (sent) or first
 * takes bytes from it (received); other steps whose bytes travel along have none. Both parties count the same flights as
 * long as they take turns; were both to send at once, each would count its own message first.
 */
import type { Channel, ChannelCounters } from './channel.ts';
import { forwardStep, type Phase, phases, type SteppedChannel } from './stepped.ts';

export interface Meter {
  /** Payload bytes. */
  bytesSent: number;
  bytesReceived: number;
  flights: number;
  /** From entering the step to entering another, waiting included. */
  elapsedMs: number;
}

export interface MeteredStep extends Meter {
  readonly name: string;
  readonly phase: Phase;
}

export interface MeterSnapshot {
  /** In the order in which they were first entered. */
  steps: MeteredStep[];
  phases: Record<Phase, Meter>;
  total: Meter;
}

export class MeteredChannel implements SteppedChannel {
  private readonly steps = new Map<string, MeteredStep>();
  private current: MeteredStep;
  private enteredAtMs: number;
  private direction: 'sent' | 'received' | undefined;
  /** The step that put the first bytes into the message being buffered. */
  private firstSender: MeteredStep | undefined;
  private readonly listeners = new Set<() => void>();

  /** @param clock in ms; tests pass their own. */
  constructor(
    private readonly channel: Channel,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.enteredAtMs = clock();
    this.current = this.step('connect', 'setup');
  }

  get counters(): Readonly<ChannelCounters> {
    return this.channel.counters;
  }

  enterStep(name: string, phase: Phase): void {
    if (this.current.name === name && this.current.phase === phase) return;
    this.settleTime();
    this.current = this.step(name, phase);
    forwardStep(this.channel, name, phase);
    this.notify();
  }

  send(bytes: Uint8Array): void {
    this.channel.send(bytes);
    if (bytes.length === 0) return;
    this.firstSender ??= this.current;
    this.current.bytesSent += bytes.length;
    this.notify();
  }

  async receive(length: number): Promise<Uint8Array> {
    const step = this.current;
    const { messagesSent, messagesReceived } = this.counters;
    const pending = this.channel.receive(length);
    // The message left when `receive` was called, not when its answer came.
    this.countSent(messagesSent);
    const bytes = await pending;
    if (this.counters.messagesReceived > messagesReceived && this.direction !== 'received') {
      this.direction = 'received';
      step.flights++;
    }
    step.bytesReceived += length;
    this.notify();
    return bytes;
  }

  flush(): Promise<void> {
    const { messagesSent } = this.counters;
    const pending = this.channel.flush();
    this.countSent(messagesSent);
    return pending;
  }

  close(reason?: Error): Promise<void> {
    const { messagesSent } = this.counters;
    const pending = this.channel.close(reason);
    this.countSent(messagesSent);
    return pending;
  }

  /** The figures so far; later traffic does not change what was returned. Steps without bytes or time are left out. */
  snapshot(): MeterSnapshot {
    this.settleTime();
    const total = emptyMeter();
    const byPhase = Object.fromEntries(phases.map((phase) => [phase, emptyMeter()])) as Record<Phase, Meter>;
    const steps = [...this.steps.values()].filter((step) => step.bytesSent + step.bytesReceived + step.elapsedMs > 0);
    for (const step of steps) {
      add(byPhase[step.phase], step);
      add(total, step);
    }
    return { steps: steps.map((step) => ({ ...step })), phases: byPhase, total };
  }

  /** Calls `listener` after every change (which is often: redraw at your own pace). Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private countSent(messagesSentBefore: number): void {
    if (this.counters.messagesSent === messagesSentBefore) return;
    if (this.direction !== 'sent' && this.firstSender) this.firstSender.flights++;
    this.direction = 'sent';
    this.firstSender = undefined;
  }

  private step(name: string, phase: Phase): MeteredStep {
    const key = `${phase} ${name}`;
    let step = this.steps.get(key);
    if (!step) {
      step = { name, phase, ...emptyMeter() };
      this.steps.set(key, step);
    }
    return step;
  }

  private settleTime(): void {
    const now = this.clock();
    this.current.elapsedMs += now - this.enteredAtMs;
    this.enteredAtMs = now;
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

function emptyMeter(): Meter {
  return { bytesSent: 0, bytesReceived: 0, flights: 0, elapsedMs: 0 };
}

function add(sum: Meter, term: Meter): void {
  sum.bytesSent += term.bytesSent;
  sum.bytesReceived += term.bytesReceived;
  sum.flights += term.flights;
  sum.elapsedMs += term.elapsedMs;
}
