/**
 * How a stage of correlations from oblivious transfer is cut, and so what it costs: both sides find the same.
 *
 * A segment takes at most `segmentCots` COTs, so that memory does not grow with the stage. Costs are exact.
 */
import { type CotParameters, checkCost, cotParameters, cotsOfDraw, drawCost } from '../../ot/cotCosts.ts';
import { type CorrelationSpec, keyText, type OtBasedSpec } from '../correlations.ts';
import { isOtBased, otKind } from '../kinds.ts';
import { type PieceCost, pieceUnit } from './kind.ts';

export interface OtParameters extends CotParameters {
  /** COTs of a segment, of 16 bytes each; the client holds those of two segments. At least 8 units of any spec: 256. */
  readonly segmentCots: number;
}

/** Segments of 8 MiB. */
export const otParameters: OtParameters = Object.freeze({ ...cotParameters, segmentCots: 2 ** 19 });

/** Openings that the client sends before it waits for the first one's choices. */
export const segmentsAhead = 2;

/** Units `from` … `from + count − 1` of one request. */
export interface Slice {
  readonly request: number;
  readonly from: number;
  readonly count: number;
  readonly cost: PieceCost;
}
export type Segment = readonly Slice[];

/** Whether a segment takes COTs with the owner as sender. */
export const hasReverse = (segment: Segment) => segment.some(({ cost }) => cost.reverseCots > 0);

export const cotsOf = (segment: Segment) => segment.reduce((sum, { cost }) => sum + cost.cots, 0);

/** @throws RangeError when OTs do not provide a spec, or one of its sizes is out of range. */
export function requireOtBased(spec: CorrelationSpec): OtBasedSpec {
  if (!isOtBased(spec))
    throw new RangeError(`${keyText(spec.key)}: expected a kind that OTs provide, got ${spec.kind}`);
  const { mostRingBits = 32 } = otKind(spec);
  if (!(spec.ringBits >= 1 && spec.ringBits <= mostRingBits))
    throw new RangeError(`${keyText(spec.key)}: ringBits: expected 1 to ${mostRingBits}, got ${spec.ringBits}`);
  otKind(spec).check(spec);
  return spec;
}

/** Cuts a stage into segments. */
export function segmentsOf(specs: readonly OtBasedSpec[], { segmentCots }: OtParameters): Segment[] {
  const segments: Slice[][] = [];
  let room = 0;
  specs.forEach((spec, request) => {
    const kind = otKind(spec);
    const { size, cotsPerUnit, pieceUnits } = kind.units(spec);
    for (let from = 0; from < size; ) {
      let count = Math.min(size - from, pieceUnits, Math.floor(room / cotsPerUnit));
      if (count < size - from) count -= count % pieceUnit;
      if (count === 0) {
        segments.push([]);
        room = segmentCots;
        continue;
      }
      const cost = kind.cost(spec, count);
      segments.at(-1)!.push({ request, from, count, cost });
      room -= cost.cots;
      from += count;
    }
  });
  return segments;
}

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
  const kind = otKind(spec);
  const cost = kind.cost(spec, kind.units(spec).size);
  return {
    cots: cost.cots,
    bytesClientToOwner: cost.openBytes + cost.answerBytes,
    bytesOwnerToClient: cost.chooseBytes,
    flights: cost.chooseBytes > 0 ? 3 : 1,
  };
}

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
  const { checks } = parameters;
  const messages = segmentsOf(specs, parameters).map((segment) => {
    const sum = (of: (cost: PieceCost) => number) => segment.reduce((bytes, { cost }) => bytes + of(cost), 0);
    const before = drawn + total.cots;
    total.cots += cotsOfDraw(cotsOf(segment), checks);
    const reverseCheck = checks && hasReverse(segment) ? checkCost.reverseBytesClientToOwner : 0;
    return {
      open: drawCost(before, drawn + total.cots, parameters) + sum((cost) => cost.openBytes) + reverseCheck,
      choose: sum((cost) => cost.chooseBytes) + (checks ? checkCost.bytesOwnerToClient : 0),
      answer: sum((cost) => cost.answerBytes) + (checks ? checkCost.bytesClientToOwner : 0),
    };
  });
  for (const { open } of messages.slice(0, segmentsAhead)) sent(open);
  for (const [at, { choose, answer }] of messages.entries()) {
    received(choose);
    sent(answer + (messages[at + segmentsAhead]?.open ?? 0));
  }
  return total;
}
