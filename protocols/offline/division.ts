/**
 * Which of the two protocols makes a correlation, and what all of them cost: public, so that both sides agree. What both can do, whichever
 * takes less does, bytes and both parties' work together.
 */
import { drawCost, setupCost as otSetupCost } from '../ot/cotCosts.ts';
import type { CorrelationSpec, LinearSpec, OtBasedSpec, RlweSpec } from './correlations.ts';
import { isOtBased, isRlweSpec, otKind, takesCarries } from './kinds.ts';
import { otParameters, specCost, stageCost } from './ot/segments.ts';
import { otMs, referenceTimes } from './ot/times.ts';
import { carryCost, carryOts } from './rlwe/carry.ts';
import { rlweCost, rlweMs, rlwePrice, rlweResults, rlweSetupCost } from './rlwe/costs.ts';
import { millisecondsPerByte } from './rlwe/layout.ts';

/** COTs that one call of `drawCost` averages over: amortised, bytes per COT do not depend on when they are drawn. */
const manyCots = 2 ** 24;
const bytesPerCot = drawCost(0, manyCots) / manyCots;

/** Milliseconds that a correlation counts for in the comparison. */
const priceOf = ({ bytesClientToOwner, bytesOwnerToClient, clientMs, ownerMs }: OfflineCost): number =>
  (bytesClientToOwner + bytesOwnerToClient) * millisecondsPerByte + clientMs + ownerMs;

/** Whether ring-LWE serves a correlation: public, so both sides agree. */
export const isServedByRlwe = (spec: CorrelationSpec): spec is RlweSpec =>
  isRlweSpec(spec) && (!isOtBased(spec) || priceOf(costByRlwe(spec)) < priceOf(costByOt(spec)));

/** Whether a product whose operand is drawn costs less than the same with uploads: it has more key switches where it is small. */
export function isWorthDrawing(drawn: LinearSpec): boolean {
  const { drawnInputs: _, ...uploaded } = drawn;
  return rlwePrice(drawn) < rlwePrice(uploaded);
}

/** The oblivious transfers of a stage: what they provide, and then what inner products over a field take of them (rlwe/carry.ts). */
export const otSpecsOf = (specs: readonly CorrelationSpec[]): OtBasedSpec[] => [
  ...specs.filter(isOtBased).filter((spec) => !isServedByRlwe(spec)),
  ...specs.filter(takesCarries).map(carryOts),
];

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
  if (takesCarries(spec)) {
    const [slots, messages, ots] = [rlweCost(spec), carryCost(spec), offlineCost(carryOts(spec))];
    const { client, owner } = rlweMs(spec);
    return {
      cots: ots.cots,
      bytesClientToOwner: slots.bytesClientToOwner + messages.bytesClientToOwner + ots.bytesClientToOwner,
      bytesOwnerToClient: slots.bytesOwnerToClient + messages.bytesOwnerToClient + ots.bytesOwnerToClient,
      clientMs: client + ots.clientMs,
      ownerMs: owner + ots.ownerMs,
    };
  }
  return isServedByRlwe(spec) || !isOtBased(spec) ? costByRlwe(spec) : costByOt(spec);
}

function costByRlwe(spec: RlweSpec): OfflineCost {
  const { bytesClientToOwner, bytesOwnerToClient } = rlweCost(spec);
  const { client, owner } = rlweMs(spec);
  return { cots: 0, bytesClientToOwner, bytesOwnerToClient, clientMs: client, ownerMs: owner };
}

function costByOt(spec: OtBasedSpec): OfflineCost {
  const { cots, bytesClientToOwner, bytesOwnerToClient } = specCost(spec);
  const { client, owner } = otKind(spec).work(spec);
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
  // Carries are the client's to send last, and what the next stage begins with travels along.
  let isClientSpeaking = false;
  for (const specs of stages) {
    const ot = stageCost(otSpecsOf(specs), drawn + total.cots, parameters);
    const ole = specs.filter(takesCarries);
    const rlwe = specs.filter(isServedByRlwe).map(rlweCost);
    const all = [...rlwe, ...ole.map(carryCost)];
    total.cots += ot.cots;
    total.flights.ot += ot.flights;
    if (rlwe.length > 0) {
      // Ciphertexts, unless none travels or they travel along; answers; choices of carries.
      const hasUploads = rlwe.some(({ bytesClientToOwner }) => bytesClientToOwner > 0);
      total.flights.rlwe += (hasUploads && !isClientSpeaking ? 1 : 0) + 1 + (ole.length > 0 ? 1 : 0);
      isClientSpeaking = ole.length > 0;
    }
    total.bytesClientToOwner += ot.bytesClientToOwner + all.reduce((sum, cost) => sum + cost.bytesClientToOwner, 0);
    total.bytesOwnerToClient += ot.bytesOwnerToClient + all.reduce((sum, cost) => sum + cost.bytesOwnerToClient, 0);
  }
  return total;
}
