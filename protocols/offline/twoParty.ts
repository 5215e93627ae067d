/**
 * The offline phase between the two parties alone: ring-LWE for linear layers and matrix products, silent OT for the rest, and for what
 * both can do, whichever sends fewer bytes. Set up once per pairing, then stage after stage.
 *
 * A stage's messages: on the session's stream the client's ciphertexts, then the owner's answers; at the same time, on a stream of its
 * own, the OT stage (ot.ts). Without such a stream the OT stage comes between the two. Each party learns its own shares, and nothing
 * of the other's operands (ot.ts, rlwe.ts).
 */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { Prg } from '../sharing/prg.ts';
import type {
  ClientCorrelation,
  ClientProvider,
  ClientRequest,
  CorrelationSpec,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  ProgressListener,
} from './correlations.ts';
import {
  drawCost,
  isOtBased,
  OtClient,
  type OtOptions,
  OtOwner,
  otParameters,
  setupCost as otSetupCost,
  specCost,
  stageCost,
} from './ot.ts';
import type { OtMeter, OtStream } from './otStream.ts';
import { otMs, otWork, referenceTimes } from './otWork.ts';
import {
  isRlweSpec,
  RlweClient,
  type RlweClientRequest,
  RlweOwner,
  type RlweOwnerRequest,
  type RlweSpec,
  rlweCost,
  rlweMs,
  rlweResults,
  rlweSetupCost,
  type WeightSource,
} from './rlwe.ts';

/** Says whose step the channel's bytes belong to: `otStep` or `rlweStep`. */
export type StepListener = (step: string) => void;

export interface TwoPartyOptions extends OtOptions {
  readonly onStep?: StepListener;
  /** Where the oblivious transfers run at the same time; both sides need one, or neither. */
  readonly ot?: OtStream;
  /** What that stream carried so far. */
  readonly onOtMeter?: (meter: OtMeter) => void;
}

/** Names of the steps. */
export const otStep = 'silent OT';
export const rlweStep = 'ring-LWE';

/** COTs that one call of `drawCost` averages over: amortised, bytes per COT do not depend on when they are drawn. */
const manyCots = 2 ** 24;
const bytesPerCot = drawCost(0, manyCots) / manyCots;

/** Bytes of a correlation in both directions, its COTs included. */
function otBytes(spec: CorrelationSpec): number {
  if (!isOtBased(spec)) return Number.POSITIVE_INFINITY;
  const { cots, bytesClientToOwner, bytesOwnerToClient } = specCost(spec);
  return cots * bytesPerCot + bytesClientToOwner + bytesOwnerToClient;
}

/** Whether ring-LWE serves a correlation: public, so both sides agree. */
export function isServedByRlwe(spec: CorrelationSpec): spec is RlweSpec {
  if (!isRlweSpec(spec)) return false;
  const { bytesClientToOwner, bytesOwnerToClient } = rlweCost(spec);
  return bytesClientToOwner + bytesOwnerToClient < otBytes(spec);
}

/** How many numbers ring-LWE makes. */
export const rlweResultCount = (specs: readonly CorrelationSpec[]): number =>
  specs.filter(isServedByRlwe).reduce((sum, spec) => sum + rlweResults(spec), 0);

/** What a correlation costs, beside what others of its stage share with it. */
export interface OfflineCost {
  /** Correlated OTs that it draws, exactly. */
  readonly cots: number;
  /** Exact but for the COTs, whose bytes are amortised over many. */
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  /** Predicted working time of one thread of the reference machine, in milliseconds. */
  readonly clientMs: number;
  readonly ownerMs: number;
}

export function offlineCost(spec: CorrelationSpec): OfflineCost {
  if (isServedByRlwe(spec) || !isOtBased(spec)) {
    const { bytesClientToOwner, bytesOwnerToClient } = rlweCost(spec);
    const { client, owner } = rlweMs(spec);
    return { cots: 0, bytesClientToOwner, bytesOwnerToClient, clientMs: client, ownerMs: owner };
  }
  const { cots, bytesClientToOwner, bytesOwnerToClient } = specCost(spec);
  const { client, owner } = otWork(spec);
  return {
    cots,
    bytesClientToOwner: bytesClientToOwner + cots * bytesPerCot,
    bytesOwnerToClient,
    clientMs: otMs(client, referenceTimes.client),
    ownerMs: otMs(owner, referenceTimes.owner),
  };
}

/** Bytes of the setup, exactly. @param specs everything that will be asked for. */
export function setupCost(
  specs: readonly CorrelationSpec[],
  parameters = otParameters,
): { bytesClientToOwner: number; bytesOwnerToClient: number } {
  const ot = otSetupCost(parameters);
  const rlwe = rlweSetupCost(specs.filter(isServedByRlwe));
  return {
    bytesClientToOwner: ot.bytesClientToOwner + rlwe.bytesClientToOwner,
    bytesOwnerToClient: ot.bytesOwnerToClient + rlwe.bytesOwnerToClient,
  };
}

/**
 * Bytes of the preparation of one inference, exactly.
 * @param drawn COTs drawn before it: how many trees it needs depends on what is left of the last.
 * @returns also `cots`, the COTs that it draws, and `flights`: those of the two streams, of which each waits for its own only.
 */
export function preparationCost(
  stages: readonly (readonly CorrelationSpec[])[],
  drawn: number,
  parameters = otParameters,
): { bytesClientToOwner: number; bytesOwnerToClient: number; cots: number; flights: { ot: number; rlwe: number } } {
  const total = { bytesClientToOwner: 0, bytesOwnerToClient: 0, cots: 0, flights: { ot: 0, rlwe: 0 } };
  for (const specs of stages) {
    const ot = stageCost(
      specs.filter(isOtBased).filter((spec) => !isServedByRlwe(spec)),
      drawn + total.cots,
      parameters,
    );
    const rlwe = specs.filter(isServedByRlwe).map(rlweCost);
    total.cots += ot.cots;
    total.flights.ot += ot.flights;
    total.flights.rlwe += rlwe.length > 0 ? 2 : 0;
    total.bytesClientToOwner += ot.bytesClientToOwner + rlwe.reduce((sum, cost) => sum + cost.bytesClientToOwner, 0);
    total.bytesOwnerToClient += ot.bytesOwnerToClient + rlwe.reduce((sum, cost) => sum + cost.bytesOwnerToClient, 0);
  }
  return total;
}

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

export class TwoPartyClient implements ClientProvider {
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
    { onStep = () => {}, ot: stream, onOtMeter = () => {}, ...options }: TwoPartyOptions = {},
  ): Promise<TwoPartyClient> {
    const forRlwe = specs.filter(isServedByRlwe);
    if (stream) {
      const started = stream.client(random.seed(), onOtMeter);
      onStep(rlweStep);
      const rlwe = new RlweClient(channel, random, options);
      const [ot] = await together(channel, started, rlwe.setup(forRlwe));
      return new TwoPartyClient(channel, ot, rlwe, onStep, true);
    }
    onStep(otStep);
    const ot = await OtClient.setup(channel, random, options);
    onStep(rlweStep);
    const rlwe = new RlweClient(channel, random, options);
    await rlwe.setup(forRlwe);
    return new TwoPartyClient(channel, ot, rlwe, onStep, false);
  }

  async provide(requests: readonly ClientRequest[], progress: ProgressListener): Promise<ClientCorrelation[]> {
    const split = splitProgress(
      requests.map(({ spec }) => spec),
      'client',
      progress,
    );
    const forRlwe = requests.filter(({ spec }) => isServedByRlwe(spec)) as RlweClientRequest[];
    const forOt = requests.filter(({ spec }) => !isServedByRlwe(spec));
    if (this.isParallel) {
      this.onStep(rlweStep);
      const [ot, rlwe] = await together(
        this.channel,
        this.ot.provide(forOt, split.ot),
        this.rlwe.provide(forRlwe, split.rlwe),
      );
      return merge<ClientCorrelation>(requests, rlwe, ot);
    }
    this.onStep(rlweStep);
    await this.rlwe.send(forRlwe);
    this.onStep(otStep);
    const ot = await this.ot.provide(forOt, split.ot);
    this.onStep(rlweStep);
    return merge<ClientCorrelation>(requests, await this.rlwe.receive(forRlwe, split.rlwe), ot);
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
    { onStep = () => {}, ot: stream, onOtMeter = () => {}, ...options }: TwoPartyOptions = {},
  ): Promise<TwoPartyOwner> {
    const forRlwe = specs.filter(isServedByRlwe);
    if (stream) {
      const started = stream.owner(random.seed(), onOtMeter);
      onStep(rlweStep);
      const rlwe = new RlweOwner(channel, random, weights, options);
      const [ot] = await together(channel, started, rlwe.setup(forRlwe));
      return new TwoPartyOwner(channel, ot, rlwe, onStep, true);
    }
    onStep(otStep);
    const ot = await OtOwner.setup(channel, random, options);
    onStep(rlweStep);
    const rlwe = new RlweOwner(channel, random, weights, options);
    await rlwe.setup(forRlwe);
    return new TwoPartyOwner(channel, ot, rlwe, onStep, false);
  }

  async provide(requests: readonly OwnerRequest[], progress: ProgressListener): Promise<OwnerCorrelation[]> {
    const split = splitProgress(
      requests.map(({ spec }) => spec),
      'owner',
      progress,
    );
    const forRlwe = requests.filter(({ spec }) => isServedByRlwe(spec)) as RlweOwnerRequest[];
    const forOt = requests.filter(({ spec }) => !isServedByRlwe(spec));
    if (this.isParallel) {
      this.onStep(rlweStep);
      const [ot, rlwe] = await together(
        this.channel,
        this.ot.provide(forOt, split.ot),
        this.rlwe.provide(forRlwe, split.rlwe),
      );
      return merge<OwnerCorrelation>(requests, rlwe, ot);
    }
    this.onStep(rlweStep);
    const uploads = await this.rlwe.receive(forRlwe);
    this.onStep(otStep);
    const ot = await this.ot.provide(forOt, split.ot);
    this.onStep(rlweStep);
    return merge<OwnerCorrelation>(requests, await this.rlwe.send(forRlwe, uploads, split.rlwe), ot);
  }
}
