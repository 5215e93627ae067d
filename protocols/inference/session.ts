/**
 * A session between two parties over a channel: handshake (handshake.ts), preparations, classifications. Here is what both sides have in common;
 * clientSession.ts and ownerSession.ts are the two.
 *
 * The client leads: after the handshake it sends one byte for what it wants next and the owner acknowledges it, so that neither ever
 * waits for the other without both knowing for what. Any failure ends the session on both sides.
 */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { defaultIdleMs } from '../channel/framed.ts';
import { RedirectedChannel } from '../channel/redirected.ts';
import type { CorrelationSource } from '../offline/correlations.ts';
import type { OtStream } from '../offline/ot/stream.ts';
import type { TwoPartyOptions } from '../offline/twoParty.ts';
import { aheadOf, type Budget } from './limits.ts';
import type { Manifest } from './manifest.ts';
import { type OtStreamMeter, type Phase, PhaseMeasurement, type PhaseMeter, type StepMeter } from './meters.ts';
import { type OfflinePhase, twoParty } from './offline.ts';
import type { Answer, Plan, StepPlan } from './plan.ts';
import type { OnnxRunner } from './publicPart.ts';

/** What the client asks for, in one byte. */
export const command = { close: 0, prepare: 1, classify: 2 } as const;

/** `computing`: the client runs the model's public part; the owner hears of nothing yet. */
export type SessionState = 'connected' | 'preparing' | 'ready' | 'computing' | 'classifying' | 'done' | 'closed';

export type SessionEvent =
  | {
      readonly type: 'manifest';
      readonly manifest: Manifest;
      readonly steps: readonly StepPlan[];
      readonly correlations: CorrelationSource;
      readonly answer: Answer;
    }
  | { readonly type: 'state'; readonly state: SessionState }
  | { readonly type: 'progress'; readonly phase: Phase; readonly fraction: number; readonly label: string }
  | {
      readonly type: 'meters';
      readonly phase: Phase;
      /** Of the phase, by the clock. */
      readonly elapsedMs: number;
      readonly steps: readonly StepMeter[];
      readonly framingBytes: number;
    }
  /** At the owner: an answer is about to leave. `answers` in all, this one and those before the session included; `bits` of this one. */
  | { readonly type: 'answer'; readonly answers: number; readonly bits: number };

export interface IdleLimits {
  readonly protocolMs: number;
  readonly requestMs: number;
}

/** Somebody looks for a picture for half an hour; a program that answers nothing for five minutes is gone. */
export const defaultIdleLimits: IdleLimits = Object.freeze({ protocolMs: defaultIdleMs, requestMs: 30 * 60_000 });

export interface SessionOptions {
  onEvent(event: SessionEvent): void;
  /** Aborting ends the session on both sides. */
  readonly signal?: AbortSignal;
  /** How long the other side may be silent, in milliseconds: while the protocol runs, and (the owner) while the client has no image. */
  readonly idle?: Partial<IdleLimits>;
  /** What the client takes part in at most: `defaultBudget` of limits.ts, unless said otherwise. */
  readonly budget?: Budget;
  /** How the client runs a model's public part: it takes part in no session of such a model without. */
  readonly runOnnx?: OnnxRunner;
  /** Who makes the correlations; both sides need the same. The two parties by default, an ideal dealer in tests. */
  readonly offline?: OfflinePhase;
  /** Where the oblivious transfers run beside everything else; both sides need one, or neither. */
  readonly ot?: OtStream;
  /** Asks for consistency checks of the oblivious transfers: they are made when either side asks. */
  readonly otChecks?: boolean;
}

/** Costs of the setup, the last preparation and the last classification. */
export interface SessionReport {
  readonly correlations: CorrelationSource;
  readonly phases: Readonly<Record<Phase, PhaseMeter>>;
  readonly layers: readonly StepMeter[];
}

/** What both sides of a session have in common. */
export abstract class Session {
  protected readonly measurements = new Map<Phase, PhaseMeasurement>();
  protected readonly offline: OfflinePhase;
  protected readonly offlineChannel: RedirectedChannel;
  protected readonly idle: IdleLimits;
  /** What the handshake agreed on. */
  protected otChecks = false;
  protected constructor(
    protected readonly channel: Channel,
    readonly plan: Plan,
    protected readonly options: SessionOptions,
    protected readonly party: 'client' | 'owner',
    private readonly otMeter: OtStreamMeter,
  ) {
    this.offline = options.offline ?? twoParty;
    this.offlineChannel = new RedirectedChannel(channel);
    channel.aheadBytes = aheadOf(plan, party);
    this.idle = { ...defaultIdleLimits, ...options.idle };
  }

  get manifest(): Manifest {
    return this.plan.manifest;
  }

  report(): SessionReport {
    const none: PhaseMeter = { elapsedMs: 0, bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
    const total = (phase: Phase) => this.measurements.get(phase)?.total() ?? none;
    return {
      correlations: this.offline.source,
      phases: { setup: total('setup'), offline: total('offline'), online: total('online') },
      layers: [...this.measurements.values()].flatMap((measurement) => measurement.steps()),
    };
  }

  protected measure(phase: Phase): PhaseMeasurement {
    const measurement = measurePhase(this.channel, this.party, phase, this.plan, this.options, this.otMeter);
    this.measurements.set(phase, measurement);
    return measurement;
  }

  /** Tells that hands are shaken. */
  protected connected(): void {
    const { manifest, steps, answer } = this.plan;
    this.options.onEvent({ type: 'manifest', manifest, steps, correlations: this.offline.source, answer });
    this.state('connected');
  }

  protected state(state: SessionState): void {
    this.options.onEvent({ type: 'state', state });
  }

  protected progress(phase: Phase, fraction: number, label: string): void {
    this.options.onEvent({ type: 'progress', phase, fraction, label });
  }

  /** Sets up the provider when there is none yet, in what remains of the setup phase. */
  protected async setUp<P extends { destroy(): void }>(
    existing: P | undefined,
    create: (options: TwoPartyOptions) => Promise<P>,
  ): Promise<P> {
    if (existing) return existing;
    this.progress('setup', 0, 'keys');
    const measurement = this.measurements.get('setup')!;
    measurement.resume();
    this.offlineChannel.target = measurement.channel;
    // Later steps belong to whatever phase the channel then points to.
    const { signal, ot } = this.options;
    const provider = await create({
      onStep: (step) => (this.offlineChannel.target as PhaseMeasurement['channel']).enterStep(step, this.#offlinePhase),
      onOtMeter: (meter) => {
        this.otMeter.current = meter;
        this.measurements.get(this.#offlinePhase)?.changed();
      },
      ...(signal && { signal }),
      ...(ot && { ot, otAheadBytes: aheadOf(this.plan, this.party) }),
      checks: this.otChecks,
    });
    this.#keys = provider;
    measurement.end();
    this.#offlinePhase = 'offline';
    this.progress('setup', 1, 'keys');
    return provider;
  }
  #offlinePhase: Phase = 'setup';
  #keys: { destroy(): void } | undefined;

  /** Overwrites the pairing's keys and gives their memory back. However a session ends, it comes here. */
  protected destroyKeys(): void {
    this.#keys?.destroy();
    this.#keys = undefined;
  }

  /** Progress of the online phase: the share of the planned bytes whose step was entered. */
  protected onlineProgress(measurement: PhaseMeasurement): (step: string) => void {
    const { steps } = this.plan;
    const bytes = steps.map((step) => step.bytesClientToOwner + step.bytesOwnerToClient + 1);
    const total = bytes.reduce((sum, n) => sum + n, 0);
    const before = new Map(
      steps.map((step, i) => [step.name, bytes.slice(0, i).reduce((sum, n) => sum + n, 0) / total]),
    );
    let fraction = 0;
    return (step) => {
      measurement.enter(step);
      const reached = before.get(step) ?? 0;
      if (reached > fraction) this.progress('online', (fraction = reached), step);
    };
  }

  /** Runs `work`; when it fails, tells the peer why, and ends the session. */
  protected async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await guarded(this.channel, this.options, work);
    } catch (error) {
      this.destroyKeys();
      throw error;
    }
  }
}

/** Measures a phase, and reports it to `onEvent`. @param plan none yet while hands are shaken. */
export function measurePhase(
  channel: Channel,
  party: 'client' | 'owner',
  phase: Phase,
  plan: Plan | undefined,
  options: SessionOptions,
  ot: OtStreamMeter,
): PhaseMeasurement {
  const protocols = new Map(plan?.steps.map((step) => [step.name, step.protocol]));
  return new PhaseMeasurement(
    channel,
    party,
    phase,
    ot,
    (step) => protocols.get(step) ?? step,
    (steps, elapsedMs) => {
      const { framingBytesSent, framingBytesReceived } = channel.counters;
      const framingBytes = framingBytesSent + framingBytesReceived + ot.current.framingBytes;
      options.onEvent({ type: 'meters', phase, elapsedMs, steps, framingBytes });
    },
  );
}

/** Runs `work`; when it fails, tells the peer why, and ends the session. */
export async function guarded<T>(
  channel: Channel,
  { signal, onEvent, idle }: SessionOptions,
  work: () => Promise<T>,
): Promise<T> {
  channel.idleMs = idle?.protocolMs ?? defaultIdleLimits.protocolMs;
  const abort = () => void channel.close(new ProtocolError('cancelled', 'session', 'the other side cancelled'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    await channel.close(error instanceof Error ? error : new Error('failed')).catch(() => {});
    onEvent({ type: 'state', state: 'closed' });
    throw signal?.aborted ? new ProtocolError('cancelled', 'session', 'cancelled on this side') : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
