import type {
  Answer,
  CorrelationSource,
  Phase,
  SessionEvent,
  SessionState,
  StepMeter,
  StepPlan,
} from '../../../protocols/index.ts';
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import type { LinkStatistics } from './linkStatistics.svelte.ts';
import type { Role } from './notices.ts';
import { lineOf, type Prediction, predict } from './prediction.ts';

/** What a step has cost so far. One object for each row of the meters, so that only changed cells are drawn anew. */
export class MeterRow {
  elapsedMs = $state(0);
  bytesClientToOwner = $state(0);
  bytesOwnerToClient = $state(0);
  flights = $state(0);

  constructor(
    readonly name: string,
    readonly protocol: string,
    readonly phase: Phase,
    /** What the plan predicts; online steps only. */
    readonly plan: StepPlan | undefined,
  ) {}

  get bytes(): number {
    return this.bytesClientToOwner + this.bytesOwnerToClient;
  }

  /** 0 to 1: how much of what the plan predicts has been sent. Steps without communication are done when they have run. */
  get fraction(): number {
    if (!this.plan) return 1;
    const planned = this.plan.bytesClientToOwner + this.plan.bytesOwnerToClient;
    if (planned === 0) return this.elapsedMs > 0 ? 1 : 0;
    return Math.min(1, this.bytes / planned);
  }

  update(meter: StepMeter): void {
    this.elapsedMs = meter.elapsedMs;
    this.bytesClientToOwner = meter.bytesClientToOwner;
    this.bytesOwnerToClient = meter.bytesOwnerToClient;
    this.flights = meter.flights;
  }

  snapshot(): Totals & Pick<MeterRow, 'name' | 'protocol' | 'phase'> {
    const { name, protocol, phase, elapsedMs, bytesClientToOwner, bytesOwnerToClient, flights } = this;
    return { name, protocol, phase, elapsedMs, bytesClientToOwner, bytesOwnerToClient, flights };
  }

  reset(): void {
    this.elapsedMs = this.bytesClientToOwner = this.bytesOwnerToClient = this.flights = 0;
  }
}

export interface Totals {
  elapsedMs: number;
  bytesClientToOwner: number;
  bytesOwnerToClient: number;
  flights: number;
}

/** After a failure the connection stays this long, so that the peer is told why. */
export const lingerMs = 400;

export const sparklineSamples = 120;
const sampleMs = 250;

/** A session as both roles' screens show it, built from the protocol's events. */
export class SessionView {
  manifest = $state.raw<Manifest>();
  steps = $state.raw<readonly StepPlan[]>([]);
  correlations = $state<CorrelationSource>();
  answer = $state<Answer>('logits');
  state = $state<SessionState>('connected');
  progress = $state.raw<{ phase: Phase; fraction: number; label: string }>();
  framingBytes = $state(0);
  /** The last image as it crossed the wire. */
  maskedImage = $state.raw<Uint8Array>();
  /** The latest bytes on the wire towards the owner. */
  passing = $state.raw<Uint8Array>();
  rows = $state.raw<MeterRow[]>([]);
  /** The part of the network (networkShape.ts) that the user looks at; undefined for all of it. */
  part = $state<string>();
  /** Bytes per second over the last half minute in which bytes flowed, oldest first. */
  throughput = $state.raw<number[]>([]);
  /** When the phase that is going on began (performance.now), for the time left. */
  phaseStartedMs = 0;
  /** Bytes of all steps since the session began, those of earlier images included. */
  all = $derived.by(() => {
    const all = { ...this.earlier };
    for (const row of this.rows) {
      all.clientToOwner += row.bytesClientToOwner;
      all.ownerToClient += row.bytesOwnerToClient;
    }
    return all;
  });
  private earlier = $state({ clientToOwner: 0, ownerToClient: 0 });
  private elapsedMs = $state<Record<Phase, number>>({ setup: 0, offline: 0, online: 0 });
  /** What was predicted for the image that is being classified, or was last. */
  predictedMs = $state<number>();
  #lastOffline = $state.raw<Totals>();
  #lastOnline = $state.raw<Totals>();
  readonly #byKey = new Map<string, MeterRow>();
  #lastSampleMs = performance.now();
  #lastSampleBytes = 0;

  get allBytes(): number {
    return this.all.clientToOwner + this.all.ownerToClient;
  }

  /** Bytes and flights add up; time is the clock's, since steps may run beside each other. */
  totals = $derived.by(() => {
    const totals: Record<Phase, Totals> = { setup: none(), offline: none(), online: none() };
    for (const phase of ['setup', 'offline', 'online'] as const) totals[phase].elapsedMs = this.elapsedMs[phase];
    for (const row of this.rows) {
      const total = totals[row.phase];
      total.bytesClientToOwner += row.bytesClientToOwner;
      total.bytesOwnerToClient += row.bytesOwnerToClient;
      total.flights += row.flights;
    }
    return totals;
  });

  /** What the meters are about to count. */
  phase = $derived<Phase>(
    this.state === 'preparing' ? (this.progress?.phase ?? 'offline') : this.state === 'connected' ? 'setup' : 'online',
  );

  /** What one classification will cost online, by the plan. */
  predicted = $derived.by(() => {
    const total = none();
    for (const step of this.steps) {
      total.bytesClientToOwner += step.bytesClientToOwner;
      total.bytesOwnerToClient += step.bytesOwnerToClient;
      total.flights += step.flights;
    }
    return total;
  });

  /** How long the next image will take online; undefined until the line is measured. */
  prediction = $derived.by((): Prediction | undefined => {
    const capacity = this.statistics.capacity;
    if (!capacity || this.steps.length === 0) return undefined;
    return predict(this.predicted, lineOf(capacity, this.role), this.#lastOffline, this.#lastOnline);
  });

  constructor(
    private readonly role: Role,
    private readonly statistics: LinkStatistics,
  ) {}

  apply(event: SessionEvent): void {
    switch (event.type) {
      case 'manifest':
        this.manifest = event.manifest;
        this.steps = event.steps;
        this.correlations = event.correlations;
        this.answer = event.answer;
        this.#byKey.clear();
        this.rows = event.steps.map((step) => {
          const row = new MeterRow(step.name, step.protocol, 'online', step);
          this.#byKey.set(`online ${step.name}`, row);
          return row;
        });
        return;
      case 'state':
        if (event.state === 'ready') this.#lastOffline = this.totals.offline;
        if (event.state === 'done') this.#lastOnline = this.totals.online;
        if (event.state === 'ready' || event.state === 'done') this.#rest();
        if (event.state === 'preparing' || event.state === 'classifying') this.#lastSampleMs = performance.now();
        if (event.state === 'classifying') {
          const { travelMs = 0, computeMs } = this.prediction ?? {};
          this.predictedMs = computeMs === undefined ? undefined : travelMs + computeMs;
          this.#reset('online');
        }
        if (event.state === 'preparing') this.#reset('offline');
        if (event.state !== this.state) this.phaseStartedMs = performance.now();
        this.state = event.state;
        return;
      case 'progress':
        if (event.phase !== this.progress?.phase) this.phaseStartedMs = performance.now();
        this.progress = { phase: event.phase, fraction: event.fraction, label: event.label };
        return;
      case 'meters':
        this.framingBytes = event.framingBytes;
        this.elapsedMs[event.phase] = event.elapsedMs;
        this.#updateRows(event.steps);
        this.#sample();
    }
  }

  /** The connection is lost; the figures stay. */
  interrupt(): void {
    this.state = 'closed';
    this.progress = undefined;
    this.#rest();
  }

  #updateRows(meters: readonly StepMeter[]): void {
    const added: MeterRow[] = [];
    for (const meter of meters) {
      const key = `${meter.phase} ${meter.name}`;
      let row = this.#byKey.get(key);
      if (!row) {
        row = new MeterRow(meter.name, meter.protocol, meter.phase, undefined);
        this.#byKey.set(key, row);
        added.push(row);
      }
      row.update(meter);
    }
    if (added.length > 0) this.rows = [...this.rows, ...added];
  }

  #reset(phase: Phase): void {
    for (const row of this.rows) {
      if (row.phase !== phase) continue;
      this.earlier.clientToOwner += row.bytesClientToOwner;
      this.earlier.ownerToClient += row.bytesOwnerToClient;
      row.reset();
    }
    this.elapsedMs[phase] = 0;
    this.progress = undefined;
  }

  /** Nothing flows now. */
  #rest(): void {
    if ((this.throughput.at(-1) ?? 0) > 0) this.throughput = [...this.throughput, 0].slice(-sparklineSamples);
  }

  #sample(): void {
    const now = performance.now();
    const elapsed = now - this.#lastSampleMs;
    if (elapsed < sampleMs) return;
    const bytes = this.allBytes;
    const perSecond = ((bytes - this.#lastSampleBytes) / elapsed) * 1000;
    this.throughput = [...this.throughput, perSecond].slice(-sparklineSamples);
    this.#lastSampleMs = now;
    this.#lastSampleBytes = bytes;
  }
}

const none = (): Totals => ({ elapsedMs: 0, bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 });
