/** The owner's side of a session. */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { OwnerState } from '../layers/op.ts';
import type { OwnerProvider } from '../offline/correlations.ts';
import type { AnswerPool } from '../offline/rlwe/pool.ts';
import { systemPrg } from '../sharing/prg.ts';
import { executeOwner } from './execute.ts';
import { defaultLimit } from './extraction.ts';
import { greetClient } from './handshake.ts';
import { OtStreamMeter } from './meters.ts';
import type { OwnerModel } from './model.ts';
import { answerBits } from './plan.ts';
import { prepareOwner } from './prepare.ts';
import { publicPartStep, sendPublicPart } from './publicPart.ts';
import { command, guarded, Session, type SessionOptions } from './session.ts';

export interface OwnerOptions extends SessionOptions {
  /** Answers, `answersBefore` included, after which the owner refuses more: `defaultLimit`, unless said otherwise. */
  readonly limit?: number;
  /** Answers that this model's clients got before this session. */
  readonly answersBefore?: number;
  /** What makes the answers of ring-LWE: this thread, where it is left out. It ends with the session. */
  readonly pool?: AnswerPool;
}

/** The owner: holds the model, learns that a classification took place. */
export class OwnerSession extends Session {
  readonly #model: OwnerModel;
  readonly #pool: AnswerPool | undefined;
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
    this.#pool = options.pool;
    this.limit = options.limit ?? defaultLimit;
    this.#answers = options.answersBefore ?? 0;
  }

  /** @throws ProtocolError `version` when the client runs another version. */
  static open(channel: Channel, model: OwnerModel, options: OwnerOptions): Promise<OwnerSession> {
    return guarded(channel, options, async () => {
      const session = new OwnerSession(channel, model, options);
      const measurement = session.measure('setup');
      measurement.enter('handshake');
      ({ otChecks: session.otChecks } = await greetClient(measurement.channel, model, options.otChecks));
      if (model.publicPart) {
        measurement.enter(publicPartStep);
        await sendPublicPart(measurement.channel, model.publicPart);
      }
      measurement.end();
      session.connected();
      return session;
    }).catch((error: unknown) => {
      options.pool?.close();
      throw error;
    });
  }

  protected override destroyKeys(): void {
    super.destroyKeys();
    this.#pool?.close();
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
      this.offline.owner(offlineChannel, plan, weights, systemPrg('owner offline'), {
        ...options,
        ...(this.#pool && { pool: this.#pool }),
      }),
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
