/**
 * The offline phase between the two parties alone: ring-LWE for linear layers and matrix products, silent OT for the rest, and for what
 * both can do, whichever costs less. Set up once per pairing, then stage after stage.
 *
 * A stage's messages: on the session's stream the client's ciphertexts, then the owner's answers; at the same time, on a stream of its
 * own, the OT stage (ot.ts). Without such a stream the OT stage comes between the two. Where there are inner products over a field, the owner's
 * choices of carries follow its answers, and the client's corrections those (rlwe/carry.ts). Each party learns its own shares, and nothing of the
 * other's operands (ot.ts, rlwe.ts).
 */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { CircleNumbers } from '../sharing/circle.ts';
import type { Prg } from '../sharing/prg.ts';
import type {
  ClientCorrelation,
  ClientProvider,
  ClientRequest,
  ClientRequestOf,
  CorrelationSpec,
  DrawingProvider,
  LinearSpec,
  OtReceiverShare,
  OtSenderShare,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  OwnerRequestOf,
  ProductShare,
  ProgressListener,
  RlweSpec,
} from './correlations.ts';
import { isServedByRlwe, offlineCost } from './division.ts';
import { takesCarries } from './kinds.ts';
import { OtClient, type OtOptions, OtOwner } from './ot/provider.ts';
import type { OtMeter, OtStream } from './ot/stream.ts';
import { answerCarries, carryCost, carryOts, chooseCarries, finishCarries, readSlots } from './rlwe/carry.ts';
import type { WeightSource } from './rlwe/kind.ts';
import type { AnswerPool } from './rlwe/pool.ts';
import { RlweClient, RlweOwner } from './rlwe/provider.ts';

/** Says whose step the channel's bytes belong to: `otStep` or `rlweStep`. */
export type StepListener = (step: string) => void;

export interface TwoPartyOptions extends OtOptions {
  readonly onStep?: StepListener;
  /** Where the oblivious transfers run at the same time; both sides need one, or neither. */
  readonly ot?: OtStream;
  /** How far the peer may be ahead on that stream. */
  readonly otAheadBytes?: number;
  /** What that stream carried so far. */
  readonly onOtMeter?: (meter: OtMeter) => void;
  /** The owner's: what makes its answers of ring-LWE. */
  readonly pool?: AnswerPool;
}

/** Names of the steps. */
export const otStep = 'silent OT';
export const rlweStep = 'ring-LWE';

/** Shares a stage's progress between the two protocols by their work. */
function splitProgress(specs: readonly CorrelationSpec[], party: 'client' | 'owner', progress: ProgressListener) {
  let [rlwe, ot] = [0, 0];
  for (const spec of specs) {
    const ms = offlineCost(spec)[`${party}Ms`];
    if (isServedByRlwe(spec)) rlwe += ms;
    else ot += ms;
  }
  const total = rlwe + ot || 1;
  const scaled =
    (share: number): ProgressListener =>
    (key, fraction) =>
      progress(key, fraction * share);
  return { rlwe: scaled(rlwe / total), ot: scaled(ot / total) };
}

/** Puts the two protocols' results back into the requests' order. */
function merge<T>(requests: readonly { spec: CorrelationSpec }[], rlwe: readonly T[], ot: readonly T[]): T[] {
  let [r, o] = [0, 0];
  return requests.map(({ spec }) => (isServedByRlwe(spec) ? rlwe[r++]! : ot[o++]!));
}

/**
 * Runs both at the same time. When one fails, ends the other by closing the channel, and throws what says most: a party whose
 * peer gave up for a reason finds one of its streams merely closed.
 */
async function together<A, B>(channel: Channel, first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  try {
    return await Promise.all([first, second]);
  } catch (error) {
    await channel.close(error as Error);
    const ends = await Promise.allSettled([first, second, channel.flush()]);
    const errors = [error, ...ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))];
    throw errors.find((each) => !(each instanceof ProtocolError && each.code === 'closed')) ?? error;
  }
}

const isForRlweClient = (request: ClientRequest): request is ClientRequestOf<RlweSpec> => isServedByRlwe(request.spec);
const isForRlweOwner = (request: OwnerRequest): request is OwnerRequestOf<RlweSpec> => isServedByRlwe(request.spec);

/** What a stage asks OTs for: requests of its own, then those of carries. */
const requestsForOt = <R extends ClientRequest | OwnerRequest>(requests: readonly R[]) => [
  ...requests.filter(({ spec }) => !isServedByRlwe(spec)),
  ...requests.flatMap(({ spec }) => (takesCarries(spec) ? [{ spec: carryOts(spec) }] : [])),
];

/** What of a stage is an inner product over a field: its spec, its result so far, and the carries' OTs, which are the last ones. */
const olesOf = <T>(requests: readonly { spec: RlweSpec }[], rlwe: ProductShare[], ot: T[]) => {
  const at = requests.flatMap(({ spec }, i) => (takesCarries(spec) ? [{ spec, i }] : []));
  const ots = ot.splice(ot.length - at.length);
  return at.map(({ spec, i }, j) => ({ spec, i, cut: rlwe[i].share, ots: ots[j] }));
};

export class TwoPartyClient implements DrawingProvider {
  readonly source = 'two-party';

  private constructor(
    private readonly channel: Channel,
    private readonly ot: ClientProvider,
    private readonly rlwe: RlweClient,
    private readonly onStep: StepListener,
    private readonly isParallel: boolean,
  ) {}

  /** @param specs everything that will be asked for, as the owner has it too. */
  static async setup(
    channel: Channel,
    random: Prg,
    specs: readonly CorrelationSpec[],
    { onStep = () => {}, ot: stream, otAheadBytes, onOtMeter = () => {}, ...options }: TwoPartyOptions = {},
  ): Promise<TwoPartyClient> {
    const forRlwe = specs.filter(isServedByRlwe);
    onStep(stream ? rlweStep : otStep);
    const started = stream
      ? stream.client(random.seed(), onOtMeter, { aheadBytes: otAheadBytes, checks: options.checks })
      : OtClient.setup(channel, random, options);
    if (!stream) {
      await started;
      onStep(rlweStep);
    }
    const rlwe = new RlweClient(channel, random, options);
    try {
      const [ot] = await together(channel, started, rlwe.setup(forRlwe));
      return new TwoPartyClient(channel, ot, rlwe, onStep, stream !== undefined);
    } catch (error) {
      rlwe.destroy();
      // It has ended too, and may have keys.
      await started.then(
        (ot) => ot.destroy(),
        () => {},
      );
      throw error;
    }
  }

  destroy(): void {
    this.ot.destroy();
    this.rlwe.destroy();
  }

  draw(specs: readonly LinearSpec[]): Promise<CircleNumbers[]> {
    this.onStep(rlweStep);
    return this.rlwe.draw(specs);
  }

  async provide(requests: readonly ClientRequest[], progress: ProgressListener): Promise<ClientCorrelation[]> {
    const split = splitProgress(
      requests.map(({ spec }) => spec),
      'client',
      progress,
    );
    const forRlwe = requests.filter(isForRlweClient);
    const forOt = requestsForOt(requests);
    if (this.isParallel) {
      this.onStep(rlweStep);
      const [ot, rlwe] = await together(
        this.channel,
        this.ot.provide(forOt, split.ot),
        this.rlwe.provide(forRlwe, split.rlwe),
      );
      await this.#carry(forRlwe, rlwe, ot);
      return merge<ClientCorrelation>(requests, rlwe, ot);
    }
    this.onStep(rlweStep);
    await this.rlwe.send(forRlwe);
    this.onStep(otStep);
    const ot = await this.ot.provide(forOt, split.ot);
    this.onStep(rlweStep);
    const rlwe = await this.rlwe.receive(forRlwe, split.rlwe);
    await this.#carry(forRlwe, rlwe, ot);
    return merge<ClientCorrelation>(requests, rlwe, ot);
  }

  /** Puts the shares of inner products over a field into place, and takes their OTs out. */
  async #carry(requests: readonly { spec: RlweSpec }[], rlwe: ProductShare[], ot: ClientCorrelation[]): Promise<void> {
    const oles = olesOf(requests, rlwe, ot);
    const chosen: Uint8Array[] = [];
    for (const { spec } of oles) chosen.push(await this.channel.receive(carryCost(spec).bytesOwnerToClient));
    for (const [j, { spec, i, cut, ots }] of oles.entries()) {
      const { answer, coefficients } = answerCarries(spec, cut, ots as OtSenderShare, chosen[j]);
      this.channel.send(answer);
      rlwe[i] = { share: readSlots(spec, coefficients) };
    }
    if (oles.length > 0) await this.channel.flush();
  }
}

export class TwoPartyOwner implements OwnerProvider {
  readonly source = 'two-party';

  private constructor(
    private readonly channel: Channel,
    private readonly ot: OwnerProvider,
    private readonly rlwe: RlweOwner,
    private readonly onStep: StepListener,
    private readonly isParallel: boolean,
  ) {}

  /** @param weights the model's integers by name, (outputs, inputs). */
  static async setup(
    channel: Channel,
    random: Prg,
    specs: readonly CorrelationSpec[],
    weights: WeightSource,
    { onStep = () => {}, ot: stream, otAheadBytes, onOtMeter = () => {}, ...options }: TwoPartyOptions = {},
  ): Promise<TwoPartyOwner> {
    const forRlwe = specs.filter(isServedByRlwe);
    onStep(stream ? rlweStep : otStep);
    const started = stream
      ? stream.owner(random.seed(), onOtMeter, { aheadBytes: otAheadBytes, checks: options.checks })
      : OtOwner.setup(channel, random, options);
    if (!stream) {
      await started;
      onStep(rlweStep);
    }
    const rlwe = new RlweOwner(channel, random, weights, options);
    try {
      const [ot] = await together(channel, started, rlwe.setup(forRlwe));
      return new TwoPartyOwner(channel, ot, rlwe, onStep, stream !== undefined);
    } catch (error) {
      rlwe.destroy();
      // It has ended too, and may have keys.
      await started.then(
        (ot) => ot.destroy(),
        () => {},
      );
      throw error;
    }
  }

  destroy(): void {
    this.ot.destroy();
    this.rlwe.destroy();
  }

  async provide(requests: readonly OwnerRequest[], progress: ProgressListener): Promise<OwnerCorrelation[]> {
    const split = splitProgress(
      requests.map(({ spec }) => spec),
      'owner',
      progress,
    );
    const forRlwe = requests.filter(isForRlweOwner);
    const forOt = requestsForOt(requests);
    if (this.isParallel) {
      this.onStep(rlweStep);
      const [ot, rlwe] = await together(
        this.channel,
        this.ot.provide(forOt, split.ot),
        this.rlwe.provide(forRlwe, split.rlwe),
      );
      await this.#carry(forRlwe, rlwe, ot);
      return merge<OwnerCorrelation>(requests, rlwe, ot);
    }
    this.onStep(rlweStep);
    const uploads = await this.rlwe.receive(forRlwe);
    this.onStep(otStep);
    const ot = await this.ot.provide(forOt, split.ot);
    this.onStep(rlweStep);
    const rlwe = await this.rlwe.send(forRlwe, uploads, split.rlwe);
    await this.#carry(forRlwe, rlwe, ot);
    return merge<OwnerCorrelation>(requests, rlwe, ot);
  }

  /** See the client's. */
  async #carry(requests: readonly { spec: RlweSpec }[], rlwe: ProductShare[], ot: OwnerCorrelation[]): Promise<void> {
    const oles = olesOf(requests, rlwe, ot);
    for (const { cut, ots } of oles) this.channel.send(chooseCarries(cut, ots as OtReceiverShare));
    if (oles.length > 0) await this.channel.flush();
    for (const { spec, i, cut, ots } of oles) {
      const answer = await this.channel.receive(carryCost(spec).bytesClientToOwner);
      rlwe[i] = { share: readSlots(spec, finishCarries(spec, cut, ots as OtReceiverShare, answer)) };
    }
  }
}
