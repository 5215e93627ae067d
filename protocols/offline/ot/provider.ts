/**
 * The correlations that come from oblivious transfer. Both parties create their side over a channel, `setup` once, and `provide` stage
 * after stage; what each kind does stands in its file (offline/kinds.ts lists them), how a stage is cut into segments in segments.ts.
 *
 * A segment's messages:
 *   1. client → owner: the trees of its COTs, and the pieces' *open* messages,
 *   2. owner → client: *choose*, 3. client → owner: *answer* (kind.ts).
 * The client sends the next segment's first message before it waits for this one's choices, so that neither party idles and
 * only the first segment's round trip shows: its messages are the first opening, the second, and then each an answer with the opening after next.
 *
 * With consistency checks (ot/cot.ts) the trees' check begins messages 2 and 3, and the check of COTs in the other direction is around the
 * pieces' *open* messages. Every segment is verified before a stage ends. What the owner sends before is masked by its choices, and
 * these are its own: no message of the client's changes them.
 */
import type { Channel } from '../../channel/channel.ts';
import { ProtocolError } from '../../channel/errors.ts';
import { blockBytes } from '../../kernels/cot.ts';
import { CotClient, CotOwner } from '../../ot/cot.ts';
import { checkCost } from '../../ot/cotCosts.ts';
import type { CheckedPiece } from '../../ot/cotParty.ts';
import { parityCount, parityProofBytes } from '../../ot/parityCheck.ts';
import { softSpokenBytes } from '../../ot/softSpoken.ts';
import type { Prg } from '../../sharing/prg.ts';
import type {
  ClientCorrelation,
  ClientProvider,
  ClientRequest,
  ClientRequestOf,
  CorrelationKey,
  OtBasedSpec,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  OwnerRequestOf,
  ProgressListener,
} from '../correlations.ts';
import { isOtBased, otKind } from '../kinds.ts';
import type { ClientHalf, OwnerHalf, OwnerPiece, PieceCost } from './kind.ts';
import {
  cotsOf,
  hasReverse,
  type OtParameters,
  otParameters,
  requireOtBased,
  type Segment,
  segmentsAhead,
  segmentsOf,
} from './segments.ts';

export interface OtOptions {
  /** Both sides need the same. Tests take insecure sets of LPN parameters, and short segments. */
  readonly parameters?: OtParameters;
  /** Whether the parties check each other's consistency; both sides need the same. */
  readonly checks?: boolean;
  /** Checked before and after every segment. */
  readonly signal?: AbortSignal;
}

export class OtClient implements ClientProvider {
  readonly source = 'two-party';

  private constructor(
    private readonly channel: Channel,
    private readonly cots: CotClient,
    private readonly parameters: OtParameters,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Base OTs and the first COTs: four flights, see `setupCost`. Meets `OtOwner.setup` on the other side. */
  static async setup(
    channel: Channel,
    random: Prg,
    { parameters: given = otParameters, checks = given.checks, signal }: OtOptions = {},
  ): Promise<OtClient> {
    throwIfCancelled(signal);
    const parameters = { ...given, checks };
    return new OtClient(channel, await CotClient.setup(channel, random, parameters), parameters, signal);
  }

  /** COTs drawn so far, which `stageCost` takes. */
  get drawn(): number {
    return this.cots.drawn;
  }

  /** Bytes of kernel memory. */
  get memoryBytes(): number {
    return this.cots.kernel.arena.memory.buffer.byteLength;
  }

  /**
   * @throws RangeError when a request's arrays do not fit its spec; ProtocolError when the owner's messages do not, or `cancelled`.
   */
  async provide(
    requests: readonly ClientRequest[],
    progress: ProgressListener = () => {},
  ): Promise<ClientCorrelation[]> {
    for (const { spec } of requests) requireOtBased(spec);
    const halves = requests.filter(isOtClientRequest).map((request) => otKind(request.spec).client(request));
    const segments = segmentsOf(
      requests.map(({ spec }) => requireOtBased(spec)),
      this.parameters,
    );
    const report = new Progress(
      segments,
      requests.map(({ spec }) => spec.key),
      progress,
    );
    const opened: ReturnType<OtClient['open']>[] = [];
    // Every opening ends a message, whatever the segments are made of: the owner reads one, and no further, before it sends its choices.
    const openNext = () => {
      const segment = segments[opened.length];
      if (segment) opened.push(this.open(segment, halves));
      return this.channel.flush();
    };
    throwIfCancelled(this.signal);
    for (let ahead = 0; ahead < segmentsAhead; ahead++) await openNext();
    for (const [at, segment] of segments.entries()) {
      throwIfCancelled(this.signal);
      const { pieces, prove, release } = opened[at];
      if (prove) this.channel.send(prove(await this.channel.receive(checkCost.bytesOwnerToClient)));
      for (const { piece, cost, context } of pieces) {
        if (piece.answer) this.channel.send(piece.answer(context, await this.channel.receive(cost.chooseBytes)));
      }
      release();
      report.finish(segment);
      await openNext();
    }
    throwIfCancelled(this.signal);
    return halves.map(({ correlation }) => correlation);
  }

  destroy(): void {
    this.cots.destroy();
  }

  /** Message 1 of a segment. */
  private open(segment: Segment, halves: readonly ClientHalf[]) {
    const { kernel, delta } = this.cots;
    const { piece: drawn, message, prove } = this.cots.draw(cotsOf(segment));
    this.channel.send(message);
    const isReverseChecked = prove !== undefined && hasReverse(segment);
    if (isReverseChecked) this.channel.send(this.cots.openReverse());
    const tweaks = this.cots.tweaks.forward.segment();
    const reverseTweaks = this.cots.tweaks.reverse.segment();
    let cots = drawn.address;
    const pieces = segment.map(({ request, from, count, cost }) => {
      const piece = halves[request].piece(from, count);
      const context = {
        kernel,
        cots,
        tweaks: tweaks.piece(cost.cots),
        reverseTweaks: reverseTweaks.piece(cost.cots),
        delta,
        drawReverse: (count: number) => this.cots.drawReverse(count),
      };
      cots += blockBytes * cost.cots;
      if (piece.open) this.channel.send(piece.open(context));
      return { piece, cost, context };
    });
    if (isReverseChecked) this.channel.send(this.cots.closeReverse());
    return { pieces, prove, release: () => kernel.arena.release(drawn.address) };
  }
}

export class OtOwner implements OwnerProvider {
  readonly source = 'two-party';

  private constructor(
    private readonly channel: Channel,
    private readonly cots: CotOwner,
    private readonly parameters: OtParameters,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Meets `OtClient.setup` on the other side. */
  static async setup(
    channel: Channel,
    random: Prg,
    { parameters: given = otParameters, checks = given.checks, signal }: OtOptions = {},
  ): Promise<OtOwner> {
    throwIfCancelled(signal);
    const parameters = { ...given, checks };
    return new OtOwner(channel, await CotOwner.setup(channel, random, parameters), parameters, signal);
  }

  get drawn(): number {
    return this.cots.drawn;
  }

  get memoryBytes(): number {
    return this.cots.kernel.arena.memory.buffer.byteLength;
  }

  /** @throws as OtClient.provide. */
  async provide(requests: readonly OwnerRequest[], progress: ProgressListener = () => {}): Promise<OwnerCorrelation[]> {
    for (const { spec } of requests) requireOtBased(spec);
    const halves = requests.filter(isOtOwnerRequest).map((request) => otKind(request.spec).owner(request));
    const segments = segmentsOf(
      requests.map(({ spec }) => requireOtBased(spec)),
      this.parameters,
    );
    const report = new Progress(
      segments,
      requests.map(({ spec }) => spec.key),
      progress,
    );
    let waiting: Waiting = { chosen: [], check: undefined };
    for (let at = 0; at <= segments.length; at++) {
      throwIfCancelled(this.signal);
      // The client's messages are the first two segments' openings, then each an answer and the opening after next.
      const segment = segments[at];
      const next: Waiting = segment ? await this.choose(segment, halves) : { chosen: [], check: undefined };
      await this.finish(waiting);
      if (at > 0) report.finish(segments[at - 1]);
      waiting = next;
    }
    return halves.map(({ correlation }) => correlation);
  }

  destroy(): void {
    this.cots.destroy();
  }

  /** Messages 1 and 2 of a segment. */
  private async choose(segment: Segment, halves: readonly OwnerHalf[]): Promise<Waiting> {
    const { kernel, reverseDelta } = this.cots;
    const count = cotsOf(segment);
    const drawn = this.cots.draw(count, await this.channel.receive(this.cots.messageBytes(count)));
    const isReverseChecked = drawn.check !== undefined && hasReverse(segment);
    if (isReverseChecked) this.cots.openReverse(await this.channel.receive(softSpokenBytes(parityCount)));
    const tweaks = this.cots.tweaks.forward.segment();
    const reverseTweaks = this.cots.tweaks.reverse.segment();
    let cots = drawn.address;
    const choices: Uint8Array[] = [];
    const chosen: { piece: OwnerPiece; cost: PieceCost }[] = [];
    for (const { request, from, count, cost } of segment) {
      const piece = halves[request].piece(from, count);
      const context = {
        kernel,
        cots,
        tweaks: tweaks.piece(cost.cots),
        reverseTweaks: reverseTweaks.piece(cost.cots),
        reverseDelta,
        drawReverse: (n: number, message: Uint8Array) => this.cots.drawReverse(n, message),
      };
      cots += blockBytes * cost.cots;
      const choose = piece.choose(context, await this.channel.receive(cost.openBytes));
      if (choose) choices.push(choose);
      chosen.push({ piece, cost });
    }
    kernel.arena.release(drawn.address);
    if (isReverseChecked) this.cots.closeReverse(await this.channel.receive(parityProofBytes));
    if (drawn.check) this.channel.send(drawn.check.choices);
    for (const choose of choices) this.channel.send(choose);
    await this.channel.flush();
    return { chosen, check: drawn.check };
  }

  /** Message 3 of a segment. */
  private async finish({ chosen, check }: Waiting): Promise<void> {
    check?.verify(await this.channel.receive(checkCost.bytesClientToOwner));
    for (const { piece, cost } of chosen) {
      if (piece.finish) piece.finish(this.cots.kernel, await this.channel.receive(cost.answerBytes));
    }
  }
}

/** A segment that waits for its answers. */
interface Waiting {
  readonly chosen: readonly { readonly piece: OwnerPiece; readonly cost: PieceCost }[];
  readonly check: CheckedPiece['check'];
}

const isOtClientRequest = (request: ClientRequest): request is ClientRequestOf<OtBasedSpec> => isOtBased(request.spec);
const isOtOwnerRequest = (request: OwnerRequest): request is OwnerRequestOf<OtBasedSpec> => isOtBased(request.spec);

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ProtocolError('cancelled', 'ot', 'cancelled by the user');
}

/** Tells when a request's last slice is done, and which share of the stage's COTs it was. */
class Progress {
  readonly #left: number[];
  readonly #cots: number[];
  #total = 0;

  constructor(
    segments: readonly Segment[],
    private readonly keys: readonly CorrelationKey[],
    private readonly listener: ProgressListener,
  ) {
    this.#left = keys.map(() => 0);
    this.#cots = keys.map(() => 0);
    for (const { request, cost } of segments.flat()) {
      this.#left[request]++;
      this.#cots[request] += cost.cots;
      this.#total += cost.cots;
    }
  }

  finish(segment: Segment): void {
    for (const { request } of segment) {
      if (--this.#left[request] === 0) this.listener(this.keys[request], this.#cots[request] / this.#total);
    }
  }
}
