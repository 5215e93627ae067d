/**
 * A session between two parties over a channel: handshake, preparations, classifications.
 *
 * The client leads: after the handshake it sends one byte for what it wants next and the owner acknowledges it, so that neither ever
 * waits for the other without both knowing for what. Any failure ends the session on both sides.
 */
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { defaultIdleMs } from '../channel/framed.ts';
import { RedirectedChannel } from '../channel/redirected.ts';
import type { ClientState, OwnerState } from '../layers/op.ts';
import type { ClientProvider, CorrelationSource, OwnerProvider } from '../offline/correlations.ts';
import type { OtStream } from '../offline/ot/stream.ts';
import type { TwoPartyOptions } from '../offline/twoParty.ts';
import { systemPrg } from '../sharing/prg.ts';
import { executeClient, executeOwner } from './execute.ts';
import { defaultLimit } from './extraction.ts';
import { inputOf } from './image.ts';
import { type Budget, requireAffordable } from './limits.ts';
import { type Manifest, maxManifestBytes, parseManifest } from './manifest.ts';
import { OtStreamMeter, type Phase, PhaseMeasurement, type PhaseMeter, type StepMeter } from './meters.ts';
import type { OwnerModel } from './model.ts';
import { type OfflinePhase, twoParty } from './offline.ts';
import { type Answer, answerBits, compilePlan, type Plan, type StepPlan } from './plan.ts';
import { prepareClient, prepareOwner } from './prepare.ts';

/** Changes whenever the two sides' messages do. */
export const protocolVersion = 5;
const magic = 0x54474c42; // "BLGT" in little endian

/** On the wire, by position. */
const answers: readonly Answer[] = ['logits', 'label'];

const command = { close: 0, prepare: 1, classify: 2 } as const;

export type SessionEvent =
  | {
      readonly type: 'manifest';
      readonly manifest: Manifest;
      readonly steps: readonly StepPlan[];
      readonly correlations: CorrelationSource;
      readonly answer: Answer;
    }
  | { readonly type: 'state'; readonly state: 'connected' | 'preparing' | 'ready' | 'classifying' | 'done' | 'closed' }
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
  /** Who makes the correlations; both sides need the same. The two parties by default, an ideal dealer in tests. */
  readonly offline?: OfflinePhase;
  /** Where the oblivious transfers run beside everything else; both sides need one, or neither. */
  readonly ot?: OtStream;
}

export interface Classification {
  /** The logits as real numbers; empty where the owner reveals only the label. */
  readonly logits: number[];
  /** The same as integers with the plan's fraction bits, as the protocol computed them. */
  readonly integerLogits: number[];
  readonly label: string;
  readonly labelIndex: number;
  /** Softmax of the logits; empty where the owner reveals only the label. */
  readonly probabilities: number[];
}

/** Costs of the setup, the last preparation and the last classification. */
export interface SessionReport {
  readonly correlations: CorrelationSource;
  readonly phases: Readonly<Record<Phase, PhaseMeter>>;
  readonly layers: readonly StepMeter[];
}

export interface OwnerOptions extends SessionOptions {
  /** Answers, `answersBefore` included, after which the owner refuses more: `defaultLimit`, unless said otherwise. */
  readonly limit?: number;
  /** Answers that this model's clients got before this session. */
  readonly answersBefore?: number;
}

/** What both sides of a session have in common. */
abstract class Session {
  protected readonly measurements = new Map<Phase, PhaseMeasurement>();
  protected readonly offline: OfflinePhase;
  protected readonly offlineChannel: RedirectedChannel;
  protected readonly idle: IdleLimits;
  protected constructor(
    protected readonly channel: Channel,
    readonly plan: Plan,
    protected readonly options: SessionOptions,
    protected readonly party: 'client' | 'owner',
    private readonly otMeter: OtStreamMeter,
  ) {
    this.offline = options.offline ?? twoParty;
    this.offlineChannel = new RedirectedChannel(channel);
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

  protected state(state: Extract<SessionEvent, { type: 'state' }>['state']): void {
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
      ...(ot && { ot }),
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

function measurePhase(
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

async function guarded<T>(
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

function hello(): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, magic, true);
  new DataView(bytes.buffer).setUint32(4, protocolVersion, true);
  return bytes;
}

function checkHello(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  if (view.getUint32(0, true) !== magic)
    throw new ProtocolError('version', 'handshake', 'the other side does not speak this protocol');
  const theirs = view.getUint32(4, true);
  if (theirs !== protocolVersion) {
    throw new ProtocolError(
      'version',
      'handshake',
      `this side runs version ${protocolVersion} of the protocol, the other version ${theirs}; reload both tabs`,
    );
  }
}

/** The client: holds the image, learns the logits. */
export class ClientSession extends Session {
  #prepared: ClientState | undefined;
  #provider: ClientProvider | undefined;

  /**
   * Shakes hands and compiles the owner's manifest, which is untrusted.
   * @throws ProtocolError `version`, `manifest` or `plan` when the two sides do not fit together.
   */
  static open(channel: Channel, options: SessionOptions): Promise<ClientSession> {
    return guarded(channel, options, async () => {
      const otMeter = new OtStreamMeter();
      const measurement = measurePhase(channel, 'client', 'setup', undefined, options, otMeter);
      measurement.enter('handshake');
      const metered = measurement.channel;
      metered.send(hello());
      checkHello(await metered.receive(8));
      const length = new DataView((await metered.receive(4)).slice().buffer).getUint32(0, true);
      if (length > maxManifestBytes)
        throw new ProtocolError(
          'manifest',
          'handshake',
          `the manifest has ${length} bytes, at most ${maxManifestBytes} are read`,
        );
      const json = new TextDecoder().decode(await metered.receive(length));
      const answer = answers[(await metered.receive(1))[0]!];
      if (!answer) throw new ProtocolError('value', 'handshake', 'the owner offers an answer of an unknown kind');
      const theirHash = await metered.receive(32);
      const plan = compileUntrusted(parseManifest(json), answer, options.budget);
      const ourHash = hexToBytes(plan.hash);
      if (theirHash.some((byte, i) => byte !== ourHash[i])) {
        throw new ProtocolError(
          'plan',
          'handshake',
          'the two sides compile the manifest to different plans; reload both tabs',
        );
      }
      measurement.end();
      const session = new ClientSession(channel, plan, options, 'client', otMeter);
      session.measurements.set('setup', measurement);
      options.onEvent({
        type: 'manifest',
        manifest: plan.manifest,
        steps: plan.steps,
        correlations: session.offline.source,
        answer: session.plan.answer,
      });
      session.state('connected');
      return session;
    });
  }

  /** Whether the next classification can begin at once. */
  get isPrepared(): boolean {
    return this.#prepared !== undefined;
  }

  /** Makes the correlations for one classification, ahead of the image. Does nothing when they are there. */
  prepare(): Promise<void> {
    return this.guard(async () => {
      if (this.#prepared) return;
      await this.#ask(command.prepare);
      this.state('preparing');
      const { plan, offlineChannel } = this;
      this.#provider = await this.setUp(this.#provider, (options) =>
        this.offline.client(offlineChannel, plan, systemPrg('client offline'), options),
      );
      const measurement = this.measure('offline');
      offlineChannel.target = measurement.channel;
      this.#prepared = await prepareClient(plan, this.#provider, systemPrg('client'), (fraction, step) => {
        this.progress('offline', fraction, step);
      });
      measurement.end();
      this.state('ready');
    });
  }

  /**
   * Classifies an image; prepares first where that was not done.
   * @param pixels imageSize×imageWidth×3 RGB bytes, as prepareImage gives them.
   * @throws RangeError when there are more or fewer.
   */
  async classify(pixels: Uint8Array): Promise<Classification> {
    const input = inputOf(pixels, this.manifest.architecture);
    await this.prepare();
    return this.guard(async () => {
      const prepared = this.#prepared!;
      this.#prepared = undefined;
      await this.#ask(command.classify);
      this.state('classifying');
      const measurement = this.measure('online');
      const integers = await executeClient(
        this.plan,
        prepared,
        input,
        measurement.channel,
        this.onlineProgress(measurement),
        this.options.signal,
      );
      measurement.end();
      this.progress('online', 1, 'done');
      this.state('done');
      return classificationOf(integers, this.plan);
    });
  }

  /** Ends the session; the owner's `serve` returns. Does not throw: a peer that is gone already is gone. */
  async close(): Promise<void> {
    try {
      // The owner's acknowledgement shows that it has nothing left to send.
      await this.#ask(command.close);
    } catch {
      // Closed already.
    }
    await this.channel.close().catch(() => {});
    this.destroyKeys();
    this.state('closed');
  }

  async #ask(what: number): Promise<void> {
    this.channel.send(Uint8Array.of(what));
    const answer = (await this.channel.receive(1))[0];
    if (answer !== what) throw new ProtocolError('value', 'session', 'the owner acknowledged something else');
  }
}

/** The owner: holds the model, learns that a classification took place. */
export class OwnerSession extends Session {
  readonly #model: OwnerModel;
  /** Answers after which the owner refuses more; may be changed at any time. */
  limit: number;
  #answers: number;
  #prepared: OwnerState | undefined;
  #provider: OwnerProvider | undefined;
  /** Classifications served so far. */
  served = 0;

  private constructor(channel: Channel, model: OwnerModel, options: OwnerOptions) {
    super(channel, model.plan, options, 'owner', new OtStreamMeter());
    this.#model = model;
    this.limit = options.limit ?? defaultLimit;
    this.#answers = options.answersBefore ?? 0;
  }

  /** @throws ProtocolError `version` when the client runs another version. */
  static open(channel: Channel, model: OwnerModel, options: OwnerOptions): Promise<OwnerSession> {
    return guarded(channel, options, async () => {
      const session = new OwnerSession(channel, model, options);
      const measurement = session.measure('setup');
      measurement.enter('handshake');
      const metered = measurement.channel;
      const theirs = await metered.receive(8);
      metered.send(hello());
      checkHello(theirs);
      const manifest = utf8ToBytes(model.manifestJson);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, manifest.length, true);
      metered.send(length);
      metered.send(manifest);
      metered.send(Uint8Array.of(answers.indexOf(model.plan.answer)));
      metered.send(hexToBytes(model.plan.hash));
      await metered.flush();
      measurement.end();
      options.onEvent({
        type: 'manifest',
        manifest: model.manifest,
        steps: model.plan.steps,
        correlations: session.offline.source,
        answer: session.plan.answer,
      });
      session.state('connected');
      return session;
    });
  }

  /** Does what the client asks for, until it closes. */
  serve(): Promise<void> {
    return this.guard(async () => {
      for (;;) {
        this.channel.idleMs = this.idle.requestMs;
        const [asked] = await this.channel.receive(1);
        this.channel.idleMs = this.idle.protocolMs;
        if (asked === command.close) break;
        if (asked !== command.prepare && asked !== command.classify)
          throw new ProtocolError('value', 'session', 'the client asked for something unknown');
        if (this.#answers >= this.limit)
          throw new ProtocolError('refused', 'session', `the owner serves ${this.limit} classifications and no more`);
        if (asked === command.classify && !this.#prepared)
          throw new ProtocolError('value', 'session', 'the client asked to classify before preparing');
        // Each takes the owner seconds and megabytes, and a client could ask for ever.
        if (asked === command.prepare && this.#prepared)
          throw new ProtocolError('value', 'session', 'the client asked to prepare twice for one classification');
        this.channel.send(Uint8Array.of(asked));
        await this.channel.flush();
        await (asked === command.prepare ? this.#prepare() : this.#classify());
      }
      this.channel.send(Uint8Array.of(command.close));
      await this.channel.close();
      this.destroyKeys();
      this.state('closed');
    });
  }

  async #prepare(): Promise<void> {
    this.state('preparing');
    const { plan, offlineChannel } = this;
    const { weights } = this.#model;
    this.#provider = await this.setUp(this.#provider, (options) =>
      this.offline.owner(offlineChannel, plan, weights, systemPrg('owner offline'), options),
    );
    const measurement = this.measure('offline');
    offlineChannel.target = measurement.channel;
    this.#prepared = await prepareOwner(plan, weights, this.#provider, systemPrg('owner'), (fraction, step) => {
      this.progress('offline', fraction, step);
    });
    await measurement.channel.flush();
    measurement.end();
    this.state('ready');
  }

  async #classify(): Promise<void> {
    this.state('classifying');
    const prepared = this.#prepared!;
    this.#prepared = undefined;
    const measurement = this.measure('online');
    const enter = this.onlineProgress(measurement);
    let isAnswered = false;
    // All messages before the answer are uniform to the client. From the first of its step on it counts, whether or not it arrives.
    const onStep = (step: string) => {
      if (step === this.plan.reveal.step && !isAnswered) {
        isAnswered = true;
        this.options.onEvent({ type: 'answer', answers: ++this.#answers, bits: answerBits(this.plan) });
      }
      enter(step);
    };
    await executeOwner(this.plan, prepared, measurement.channel, onStep, this.options.signal);
    measurement.end();
    this.served++;
    this.progress('online', 1, 'done');
    this.state('done');
  }
}

/** @throws ProtocolError `manifest` when the scales do not make a plan, or one that costs too much. */
function compileUntrusted(manifest: Manifest, answer: Answer, budget?: Budget): Plan {
  let plan: Plan;
  try {
    plan = compilePlan(manifest, answer);
  } catch (error) {
    throw new ProtocolError('manifest', 'handshake', (error as Error).message);
  }
  requireAffordable(plan, budget);
  return plan;
}

/** Real logits, the best label and the softmax, from what the plan reveals. */
export function classificationOf(integers: Int32Array, plan: Plan): Classification {
  if (plan.answer === 'label') {
    const labelIndex = integers[0]!;
    return { logits: [], integerLogits: [], labelIndex, label: plan.manifest.labels[labelIndex]!, probabilities: [] };
  }
  const logits = Array.from(integers, (x) => x * 2 ** -plan.logitFracBits);
  const top = Math.max(...logits);
  const labelIndex = logits.indexOf(top);
  const exps = logits.map((logit) => Math.exp(logit - top));
  const sum = exps.reduce((total, x) => total + x, 0);
  return {
    logits,
    integerLogits: [...integers],
    labelIndex,
    label: plan.manifest.labels[labelIndex]!,
    probabilities: exps.map((x) => x / sum),
  };
}
