/** How long a classification will take online, read off the plan, the line and what computing has cost so far. */
import type { LinkCapacity } from './linkStatistics.svelte.ts';
import type { Role } from './notices.ts';
import type { Totals } from './sessionView.svelte.ts';

export interface Line {
  readonly roundTripMs: number;
  readonly clientToOwnerPerSecond: number;
  readonly ownerToClientPerSecond: number;
}

export interface Prediction {
  /** What the plan's flights and bytes take on this line. */
  readonly travelMs: number;
  /** Undefined until there is something to judge it by. */
  readonly computeMs: number | undefined;
}

/**
 * Online computation as a fraction of the preparation's, for the first image; from then on the image before says it.
 * Measured: 0.41 to 0.55 with `imagenette` between two tabs of Chromium 156 on one machine (2 vCPUs, AMD EPYC with AVX2,
 * 2026-11-28, `npx tsx test/bench/tabs.ts`); other machines and models differ.
 */
export const onlinePerOffline = 0.45;

export const lineOf = ({ roundTripMs, sentPerSecond, receivedPerSecond }: LinkCapacity, role: Role): Line => ({
  roundTripMs,
  clientToOwnerPerSecond: role === 'client' ? sentPerSecond : receivedPerSecond,
  ownerToClientPerSecond: role === 'client' ? receivedPerSecond : sentPerSecond,
});

/** The parties take turns, so each flight costs half a round trip, and the two directions' bytes add up. */
export function travelMs(cost: Omit<Totals, 'elapsedMs'>, line: Line): number {
  return (
    (cost.flights * line.roundTripMs) / 2 +
    (cost.bytesClientToOwner / line.clientToOwnerPerSecond) * 1000 +
    (cost.bytesOwnerToClient / line.ownerToClientPerSecond) * 1000
  );
}

/**
 * @param plan the online cost of one image
 * @param offline the last preparation that is complete, if any
 * @param online the last classification that is complete, if any
 */
export function predict(
  plan: Omit<Totals, 'elapsedMs'>,
  line: Line,
  offline: Totals | undefined,
  online: Totals | undefined,
): Prediction {
  const computing = (done: Totals) => Math.max(0, done.elapsedMs - travelMs(done, line));
  const computeMs = online ? computing(online) : offline && onlinePerOffline * computing(offline);
  return { travelMs: travelMs(plan, line), computeMs };
}
