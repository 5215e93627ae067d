/** What a session shows of its costs: the channel's meter, in terms of client and owner. */
import type { Channel } from '../channel/channel.ts';
import { type Meter, MeteredChannel } from '../channel/metered.ts';
import type { Phase } from '../channel/stepped.ts';
import type { OtMeter } from '../offline/ot/stream.ts';
import { otStep } from '../offline/twoParty.ts';

export type { Phase };

/** One step of one phase, measured. */
export interface StepMeter {
  readonly name: string;
  readonly protocol: string;
  readonly phase: Phase;
  /** From entering the step to leaving it, waiting for the peer included; `silent OT` may run beside `ring-LWE`. */
  readonly elapsedMs: number;
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  readonly flights: number;
}

export type PhaseMeter = Omit<StepMeter, 'name' | 'protocol' | 'phase'>;

/** What comes between phases is measured under this name, and not shown. */
const idle = 'idle';

/** At most this often are meters reported while bytes flow. */
const reportIntervalMs = 100;

/** What the OT stream of a session carried so far, in whichever thread it runs; zeros where there is none. */
export class OtStreamMeter {
  current: OtMeter = { bytesSent: 0, bytesReceived: 0, framingBytes: 0, flights: 0, elapsedMs: 0 };
}

/** Measures one phase of a session: a setup, one preparation, or one classification. */
export class PhaseMeasurement {
  readonly channel: MeteredChannel;
  #startMs = performance.now();
  #endMs: number | undefined;
  #reportedMs = 0;
  readonly #otBefore: OtMeter;
  #otEnd: OtMeter | undefined;

  /**
   * @param ot of the session, of which what comes from now on belongs to this phase.
   * @param protocolOf what runs in a step, for the table.
   * @param report called with all steps of the phase and its time, at most every 100 ms, and once at the end.
   */
  constructor(
    channel: Channel,
    readonly party: 'client' | 'owner',
    readonly phase: Phase,
    readonly ot: OtStreamMeter,
    readonly protocolOf: (step: string) => string,
    readonly report: (steps: StepMeter[], elapsedMs: number) => void,
  ) {
    this.channel = new MeteredChannel(channel);
    this.channel.onChange(() => this.changed());
    this.#otBefore = ot.current;
  }

  /** Reports, unless that was done a moment ago. */
  changed(): void {
    const now = performance.now();
    if (this.#endMs !== undefined || now - this.#reportedMs < reportIntervalMs) return;
    this.#reportedMs = now;
    this.report(this.steps(), this.elapsedMs);
  }

  enter(step: string): void {
    this.channel.enterStep(step, this.phase);
  }

  steps(): StepMeter[] {
    const steps = this.channel
      .snapshot()
      .steps.filter(({ name, phase }) => phase === this.phase && name !== 'connect' && name !== idle)
      .map((step) => this.#stepMeter(step.name, step));
    const { current } = this.ot;
    const [end, before] = [this.#otEnd ?? current, this.#otBefore];
    const ot = {
      elapsedMs: end.elapsedMs - before.elapsedMs,
      bytesSent: end.bytesSent - before.bytesSent,
      bytesReceived: end.bytesReceived - before.bytesReceived,
      flights: end.flights - before.flights,
    };
    return ot.flights > 0 ? [...steps, this.#stepMeter(otStep, ot)] : steps;
  }

  #stepMeter(name: string, { elapsedMs, bytesSent, bytesReceived, flights }: Meter): StepMeter {
    return {
      name,
      protocol: this.protocolOf(name),
      phase: this.phase,
      elapsedMs,
      flights,
      bytesClientToOwner: this.party === 'client' ? bytesSent : bytesReceived,
      bytesOwnerToClient: this.party === 'client' ? bytesReceived : bytesSent,
    };
  }

  /** Wall-clock time from the beginning; less than the steps' sum where steps run beside each other. */
  get elapsedMs(): number {
    return (this.#endMs ?? performance.now()) - this.#startMs;
  }

  /** The whole phase. */
  total(): PhaseMeter {
    const total = {
      elapsedMs: this.elapsedMs,
      bytesClientToOwner: 0,
      bytesOwnerToClient: 0,
      flights: 0,
    };
    for (const step of this.steps()) {
      total.bytesClientToOwner += step.bytesClientToOwner;
      total.bytesOwnerToClient += step.bytesOwnerToClient;
      total.flights += step.flights;
    }
    return total;
  }

  /** Goes on measuring; the time in between does not count. */
  resume(): void {
    if (this.#endMs === undefined) return;
    this.#startMs += performance.now() - this.#endMs;
    this.#endMs = undefined;
    this.#otEnd = undefined;
  }

  end(): void {
    // What comes after belongs to no step of this phase.
    this.channel.enterStep(idle, 'setup');
    this.#endMs = performance.now();
    this.#otEnd = this.ot.current;
    this.report(this.steps(), this.elapsedMs);
  }
}
