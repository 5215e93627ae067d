/** What a session shows of its costs: the channel's meter, in terms of client and owner. */
import type { Channel } from '../channel/channel.ts';
import { MeteredChannel } from '../channel/metered.ts';
import type { Phase } from '../channel/stepped.ts';

export type { Phase };

/** One step of one phase, measured. */
export interface StepMeter {
  readonly name: string;
  readonly protocol: string;
  readonly phase: Phase;
  /** From entering the step to leaving it, waiting for the peer included. */
  readonly elapsedMs: number;
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  readonly flights: number;
}

export type PhaseMeter = Omit<StepMeter, 'name' | 'protocol' | 'phase'>;

/** What comes between phases is measured under this name, and not shown. */
const idle = 'idle';

/** At most this often are meters reported while bytes flow. */
const reportIntervalMs = 50;

/** Measures one phase of a session: a setup, one preparation, or one classification. */
export class PhaseMeasurement {
  readonly channel: MeteredChannel;
  #startMs = performance.now();
  #endMs: number | undefined;
  #reportedMs = 0;

  /**
   * @param protocolOf what runs in a step, for the table.
   * @param report called with all steps of the phase, at most every 50 ms, and once at the end.
   */
  constructor(
    channel: Channel,
    readonly party: 'client' | 'owner',
    readonly phase: Phase,
    readonly protocolOf: (step: string) => string,
    readonly report: (steps: StepMeter[]) => void,
  ) {
    this.channel = new MeteredChannel(channel);
    this.channel.onChange(() => {
      const now = performance.now();
      if (this.#endMs === undefined && now - this.#reportedMs >= reportIntervalMs) {
        this.#reportedMs = now;
        this.report(this.steps());
      }
    });
  }

  enter(step: string): void {
    this.channel.enterStep(step, this.phase);
  }

  steps(): StepMeter[] {
    return this.channel
      .snapshot()
      .steps.filter(({ name, phase }) => phase === this.phase && name !== 'connect' && name !== idle)
      .map(({ name, phase, elapsedMs, bytesSent, bytesReceived, flights }) => ({
        name,
        protocol: this.protocolOf(name),
        phase,
        elapsedMs,
        flights,
        bytesClientToOwner: this.party === 'client' ? bytesSent : bytesReceived,
        bytesOwnerToClient: this.party === 'client' ? bytesReceived : bytesSent,
      }));
  }

  /** The whole phase; time is wall-clock time from the beginning. */
  total(): PhaseMeter {
    const total = {
      elapsedMs: (this.#endMs ?? performance.now()) - this.#startMs,
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
  }

  end(): void {
    // What comes after belongs to no step of this phase.
    this.channel.enterStep(idle, 'setup');
    this.#endMs = performance.now();
    this.report(this.steps());
  }
}
