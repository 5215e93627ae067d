/**
 * The correlations that come from oblivious transfer: random OTs (`ot`), correlated OTs over a ring
 * (`ringCot`), and by products in OTs `square`, `sumOfSquares` and `scale`. Both parties create their side over a channel, `setup` once, and `provide` stage after stage.
 *
 * A stage is cut into segments of at most `segmentCots` COTs, so that memory does not grow with it. A segment's messages:
 *   1. client → owner: the trees of its COTs, and the pieces' *open* messages,
 *   2. owner → client: *choose*, 3. client → owner: *answer* (otPart.ts).
 * The client sends the next segment's first message before it waits for this one's choices, so that neither party idles and
 * only the first segment's round trip shows: its messages are the first opening, the second, and then each an answer with the opening after next. Costs are exact: `specCost` (additive), `drawCost` (COTs), `setupCost`, `stageCost`.
 */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { CotClient, CotOwner, type CotParameters, cotParameters, drawCost, setupCost } from '../ot/cot.ts';
import type { Prg } from '../sharing/prg.ts';
import {
  type ClientCorrelation,
  type ClientProvider,
  type ClientRequest,
  type CorrelationKey,
  type CorrelationSpec,
  keyText,
  type OtSpec,
  type OwnerCorrelation,
  type OwnerProvider,
  type OwnerRequest,
  type ProgressListener,
  type RingCotSpec,
  type ScaleSpec,
  type SquareSpec,
  type SumOfSquaresSpec,
} from './correlations.ts';
import { GilboaClient, GilboaOwner, gilboaPartCost, productShape } from './gilboa.ts';
import { OtMessagesClient, OtMessagesOwner, otPartCost } from './otMessages.ts';
import type { ClientPart, OwnerPart, PartCost } from './otPart.ts';
import { ScaleClient, ScaleOwner, scalePartCost } from './otVector.ts';
import { RingCotClient, RingCotOwner, ringCotPartCost } from './ringCot.ts';

export { cotParameters, drawCost, setupCost };

export type OtBasedSpec = OtSpec | SquareSpec | SumOfSquaresSpec | ScaleSpec | RingCotSpec;

/** Whether OtClient and OtOwner provide a spec's kind. */
export const isOtBased = (spec: CorrelationSpec): spec is OtBasedSpec =>
  spec.kind !== 'linear' && spec.kind !== 'matmul';

export interface OtParameters extends CotParameters {
  /** COTs of a segment, of 16 bytes each; the client holds those of two segments. At least 8 units of any spec: 256. */
  readonly segmentCots: number;
}

/** Segments of 8 MiB. */
export const otParameters: OtParameters = Object.freeze({ ...cotParameters, segmentCots: 2 ** 19 });

/** Pieces of a spec are multiples of this, so that cutting it moves no byte boundary. */
const pieceUnit = 8;

export interface OtCost {
  /** Correlated OTs consumed; what these cost on the wire is not in the bytes but in `drawCost`. */
  readonly cots: number;
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  /** Direction changes if the spec is alone in its stage; specs of one stage share them. */
  readonly flights: number;
}

/** What one spec costs beside its COTs. Exact, and additive over the specs of a stage. */
export function specCost(spec: OtBasedSpec): OtCost {
  const { size } = unitsOf(spec);
  const cost = partCost(spec, size);
  return {
    cots: cost.cots,
    bytesClientToOwner: cost.openBytes + cost.answerBytes,
    bytesOwnerToClient: cost.chooseBytes,
    flights: cost.chooseBytes > 0 ? 3 : 1,
  };
}

/** `specCost` of random OTs: COTs only. */
export const otCost = (spec: OtSpec): OtCost => specCost(spec);
/** `specCost` of products. */
export const gilboaCost = (spec: Exclude<OtBasedSpec, OtSpec | RingCotSpec>): OtCost => specCost(spec);

/**
 * What a stage costs, COTs included, when `drawn` COTs were drawn before it. Flights are those that the client counts; the owner counts two
 * fewer where a segment takes no bytes of the client's first, so that two of its messages leave in a row.
 */
export function stageCost(specs: readonly OtBasedSpec[], drawn: number, parameters = otParameters): OtCost {
  const total = { cots: 0, bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
  let last: 'sent' | 'received' | undefined;
  const sent = (bytes: number) => {
    total.bytesClientToOwner += bytes;
    if (bytes > 0 && last !== 'sent') total.flights++;
    if (bytes > 0) last = 'sent';
  };
  const received = (bytes: number) => {
    total.bytesOwnerToClient += bytes;
    if (bytes > 0 && last !== 'received') total.flights++;
    if (bytes > 0) last = 'received';
  };
  const messages = segmentsOf(specs, parameters).map((segment) => {
    const sum = (of: (cost: PartCost) => number) => segment.reduce((bytes, { cost }) => bytes + of(cost), 0);
    const before = drawn + total.cots;
    total.cots += segmentCotsOf(segment);
    return {
      open: drawCost(before, drawn + total.cots, parameters) + sum((cost) => cost.openBytes),
      choose: sum((cost) => cost.chooseBytes),
      answer: sum((cost) => cost.answerBytes),
    };
  });
  for (const { open } of messages.slice(0, segmentsAhead)) sent(open);
  for (const [at, { choose, answer }] of messages.entries()) {
    received(choose);
    sent(answer + (messages[at + segmentsAhead]?.open ?? 0));
  }
  return total;
}

/** Openings that the client sends before it waits for the first one's choices. */
const segmentsAhead = 2;

export interface OtOptions {
  /** Both sides need the same. Tests take insecure sets of LPN parameters, and short segments. */
  readonly parameters?: OtParameters;
  /** Checked before and after every segment. */
  readonly signal?: AbortSignal;
}

export class OtClient implements ClientProvider {
  readonly source = 'two-party';
  #segment = 0;

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
    { parameters = otParameters, signal }: OtOptions = {},
  ): Promise<OtClient> {
    throwIfCancelled(signal);
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
    const results = requests.map(clientResult);
    const segments = segmentsOf(
      requests.map(({ spec }) => otBased(spec)),
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
      if (segment) opened.push(this.open(segment, requests, results));
      return this.channel.flush();
    };
    throwIfCancelled(this.signal);
    for (let ahead = 0; ahead < segmentsAhead; ahead++) await openNext();
    for (const [at, segment] of segments.entries()) {
      throwIfCancelled(this.signal);
      const { parts, release } = opened[at]!;
      for (const { part, context } of parts) {
        const { chooseBytes } = part.cost;
        if (chooseBytes > 0) this.channel.send(part.answer!(context, await this.channel.receive(chooseBytes)));
      }
      release();
      report.finish(segment);
      await openNext();
    }
    throwIfCancelled(this.signal);
    return results;
  }

  /** Message 1 of a segment. */
  private open(segment: Segment, requests: readonly ClientRequest[], results: readonly ClientCorrelation[]) {
    const { kernel, delta } = this.cots;
    const { piece, message } = this.cots.draw(segmentCotsOf(segment));
    this.channel.send(message);
    const high = this.#segment++;
    let low = 0;
    const parts = segment.map((slice, column) => {
      const part = clientPart(requests[slice.request]!, results[slice.request]!, slice);
      const context = {
        kernel,
        cots: piece.address + 16 * low,
        low,
        high,
        column,
        delta,
        drawReverse: (count: number) => this.cots.drawReverse(count),
      };
      low += part.cost.cots;
      if (part.open) this.channel.send(part.open(context));
      return { part, context };
    });
    return { parts, release: () => kernel.arena.release(piece.address) };
  }
}

export class OtOwner implements OwnerProvider {
  readonly source = 'two-party';
  #segment = 0;

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
    { parameters = otParameters, signal }: OtOptions = {},
  ): Promise<OtOwner> {
    throwIfCancelled(signal);
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
    const results = requests.map(ownerResult);
    const segments = segmentsOf(
      requests.map(({ spec }) => otBased(spec)),
      this.parameters,
    );
    const report = new Progress(
      segments,
      requests.map(({ spec }) => spec.key),
      progress,
    );
    let waiting: OwnerPart[] = [];
    for (let at = 0; at <= segments.length; at++) {
      throwIfCancelled(this.signal);
      // The client's messages are the first two segments' openings, then each an answer and the opening after next.
      const segment = segments[at];
      const chosen = segment ? await this.choose(segment, requests, results) : [];
      await this.finish(waiting);
      if (at > 0) report.finish(segments[at - 1]!);
      waiting = chosen;
    }
    return results;
  }

  /** Messages 1 and 2 of a segment. */
  private async choose(
    segment: Segment,
    requests: readonly OwnerRequest[],
    results: readonly OwnerCorrelation[],
  ): Promise<OwnerPart[]> {
    const { kernel, reverseDelta } = this.cots;
    const count = segmentCotsOf(segment);
    const piece = this.cots.draw(count, await this.channel.receive(this.cots.messageBytes(count)));
    const high = this.#segment++;
    let low = 0;
    const choices: Uint8Array[] = [];
    const parts: OwnerPart[] = [];
    for (const [column, slice] of segment.entries()) {
      const part = ownerPart(requests[slice.request]!, results[slice.request]!, slice);
      const context = {
        kernel,
        cots: piece.address + 16 * low,
        low,
        high,
        column,
        reverseDelta,
        drawReverse: (n: number, message: Uint8Array) => this.cots.drawReverse(n, message),
      };
      low += part.cost.cots;
      const choose = part.choose(context, await this.channel.receive(part.cost.openBytes));
      if (choose) choices.push(choose);
      parts.push(part);
    }
    kernel.arena.release(piece.address);
    for (const choose of choices) this.channel.send(choose);
    await this.channel.flush();
    return parts;
  }

  /** Message 3 of a segment. */
  private async finish(parts: readonly OwnerPart[]): Promise<void> {
    for (const part of parts) {
      if (part.finish) part.finish(this.cots.kernel, await this.channel.receive(part.cost.answerBytes));
    }
  }
}

/** Units `from` … `from + count − 1` (OTs, products, or rows) of one request. */
interface Slice {
  readonly request: number;
  readonly from: number;
  readonly count: number;
  readonly cost: PartCost;
}
type Segment = readonly Slice[];

const segmentCotsOf = (segment: Segment) => segment.reduce((sum, { cost }) => sum + cost.cots, 0);

/** Cuts a stage into segments; deterministic, both sides get the same. */
function segmentsOf(specs: readonly OtBasedSpec[], { segmentCots }: OtParameters): Segment[] {
  const segments: Slice[][] = [];
  let room = 0;
  specs.forEach((spec, request) => {
    const { size, cotsPerUnit, sliceUnits } = unitsOf(spec);
    for (let from = 0; from < size; ) {
      let count = Math.min(size - from, sliceUnits, Math.floor(room / cotsPerUnit));
      if (count < size - from) count -= count % pieceUnit;
      if (count === 0) {
        segments.push([]);
        room = segmentCots;
        continue;
      }
      const cost = partCost(spec, count);
      segments.at(-1)!.push({ request, from, count, cost });
      room -= cost.cots;
      from += count;
    }
  });
  return segments;
}

/** How many OTs, products or rows a spec is made of, and how many of them (a multiple of pieceUnit) are done at once. */
function unitsOf(spec: OtBasedSpec): { size: number; cotsPerUnit: number; sliceUnits: number } {
  switch (spec.kind) {
    case 'ot': {
      // All keys of a slice, 16 bytes for every message, are in memory.
      return { size: spec.count, cotsPerUnit: spec.choiceBits, sliceUnits: 2 ** (18 - spec.choiceBits) };
    }
    case 'scale':
      return { size: spec.rows, cotsPerUnit: spec.ringBits, sliceUnits: 1024 };
    case 'ringCot':
      // Both hashes of a slice's COTs are in memory.
      return {
        size: spec.count,
        cotsPerUnit: spec.factorBits,
        sliceUnits: pieceUnit * Math.floor(2 ** 14 / spec.factorBits),
      };
    default: {
      const { count, ringBits } = productShape(spec);
      return { size: count, cotsPerUnit: ringBits, sliceUnits: Number.POSITIVE_INFINITY };
    }
  }
}

function partCost(spec: OtBasedSpec, count: number): PartCost {
  switch (spec.kind) {
    case 'ot':
      return otPartCost(spec, count);
    case 'scale':
      return scalePartCost(spec, count);
    case 'ringCot':
      return ringCotPartCost(spec, count);
    default:
      return gilboaPartCost(productShape(spec).ringBits, count);
  }
}

function clientPart(request: ClientRequest, result: ClientCorrelation, { from, count }: Slice): ClientPart {
  const { spec } = request;
  if (spec.kind === 'ot')
    return new OtMessagesClient(spec, (result as { messages: Uint32Array }).messages, from, count);
  if (spec.kind === 'ringCot')
    return new RingCotClient(
      spec,
      (request as { c: Uint32Array }).c,
      (result as { keys: Uint32Array }).keys,
      from,
      count,
    );
  const { share } = result as { share: Uint32Array };
  if (spec.kind === 'scale') {
    const { s, x } = request as { s: Uint32Array; x: Uint32Array };
    return new ScaleClient(spec, s, x, share, from, count);
  }
  const factors = (request as { x: Uint32Array }).x;
  return new GilboaClient(productShape(otBased(spec) as SquareSpec), factors, share, from, count);
}

function ownerPart(request: OwnerRequest, result: OwnerCorrelation, { from, count }: Slice): OwnerPart {
  const { spec } = request;
  if (spec.kind === 'ot') {
    const { choices, messages } = result as { choices: Uint32Array; messages: Uint32Array };
    return new OtMessagesOwner(spec, choices, messages, from, count);
  }
  if (spec.kind === 'ringCot') {
    const { choices, keys } = result as { choices: Uint32Array; keys: Uint32Array };
    return new RingCotOwner(spec, choices, keys, from, count);
  }
  const { share } = result as { share: Uint32Array };
  if (spec.kind === 'scale') {
    const { sMask, xMask } = request as { sMask: Uint32Array; xMask: Uint32Array };
    return new ScaleOwner(spec, sMask, xMask, share, from, count);
  }
  const factors = (request as { xMask: Uint32Array }).xMask;
  return new GilboaOwner(productShape(otBased(spec) as SquareSpec), factors, share, from, count);
}

/** Arrays of zeros for the shares, after a look at the operands. */
function clientResult(request: ClientRequest): ClientCorrelation {
  const spec = otBased(request.spec);
  switch (request.spec.kind) {
    case 'ot':
      return { messages: new Uint32Array(request.spec.count * 2 ** request.spec.choiceBits * request.spec.words) };
    case 'scale': {
      const { s, x } = request as { s: Uint32Array; x: Uint32Array };
      checkOperand(spec, 's', s, request.spec.rows);
      checkOperand(spec, 'x', x, request.spec.rows * request.spec.cols);
      break;
    }
    case 'ringCot':
      checkOperand(spec, 'c', (request as { c: Uint32Array }).c, request.spec.count);
      return { keys: new Uint32Array(request.spec.count * request.spec.factorBits) };
    default:
      checkOperand(spec, 'x', (request as { x: Uint32Array }).x, unitsOf(spec).size);
  }
  return { share: new Uint32Array(shareSize(spec)) };
}

function ownerResult(request: OwnerRequest): OwnerCorrelation {
  const spec = otBased(request.spec);
  switch (request.spec.kind) {
    case 'ot':
      return {
        choices: new Uint32Array(request.spec.count),
        messages: new Uint32Array(request.spec.count * request.spec.words),
      };
    case 'scale': {
      const { sMask, xMask } = request as { sMask: Uint32Array; xMask: Uint32Array };
      checkOperand(spec, 'sMask', sMask, request.spec.rows);
      checkOperand(spec, 'xMask', xMask, request.spec.rows * request.spec.cols);
      break;
    }
    case 'ringCot':
      return {
        choices: new Uint32Array(request.spec.count),
        keys: new Uint32Array(request.spec.count * request.spec.factorBits),
      };
    default:
      checkOperand(spec, 'xMask', (request as { xMask: Uint32Array }).xMask, unitsOf(spec).size);
  }
  return { share: new Uint32Array(shareSize(spec)) };
}

function shareSize(spec: OtBasedSpec): number {
  if (spec.kind === 'scale') return spec.rows * spec.cols;
  return spec.kind === 'sumOfSquares' ? spec.rows : spec.count;
}

function otBased(spec: CorrelationSpec): OtBasedSpec {
  if (!isOtBased(spec))
    throw new RangeError(`${keyText(spec.key)}: expected a kind that OTs provide, got ${spec.kind}`);
  // Twice something in a ring of one bit is 0, and no product.
  const least = spec.kind === 'square' || spec.kind === 'sumOfSquares' ? 2 : 1;
  if (!(spec.ringBits >= least && spec.ringBits <= 32))
    throw new RangeError(`${keyText(spec.key)}: ringBits: expected ${least} to 32, got ${spec.ringBits}`);
  if (spec.kind === 'ot' && !(spec.choiceBits >= 1 && spec.choiceBits <= 10)) {
    throw new RangeError(`${keyText(spec.key)}: choiceBits: expected 1 to 10, got ${spec.choiceBits}`);
  }
  if (spec.kind === 'ringCot' && !(spec.factorBits >= 1 && spec.factorBits <= spec.ringBits)) {
    throw new RangeError(`${keyText(spec.key)}: factorBits: expected 1 to ${spec.ringBits}, got ${spec.factorBits}`);
  }
  return spec;
}

function checkOperand(spec: OtBasedSpec, name: string, operand: Uint32Array, length: number): void {
  if (!(operand instanceof Uint32Array))
    throw new TypeError(`${keyText(spec.key)}: ${name}: expected a Uint32Array, got ${typeof operand}`);
  if (operand.length !== length)
    throw new RangeError(`${keyText(spec.key)}: ${name}: expected ${length} elements, got ${operand.length}`);
}

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
      this.#left[request]!++;
      this.#cots[request]! += cost.cots;
      this.#total += cost.cots;
    }
  }

  finish(segment: Segment): void {
    for (const { request } of segment) {
      if (--this.#left[request]! === 0) this.listener(this.keys[request]!, this.#cots[request]! / this.#total);
    }
  }
}
