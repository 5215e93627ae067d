/** What a plan may cost. A client takes part in no more of what a stranger sends, and an owner learns it before a room is open. */
import { ProtocolError } from '../channel/errors.ts';
import { longestFlightBytes } from '../channel/framed.ts';
import { longestFlight } from './costs.ts';
import type { Plan } from './plan.ts';

/** For one classification and its preparation: some forty times what the shipped models take. */
const maxPlanBytes = 2 ** 31;

/** @throws ProtocolError `manifest` */
export function requireAffordable(plan: Plan): void {
  let bytes = 0;
  for (const step of plan.steps) {
    bytes += step.bytesClientToOwner + step.bytesOwnerToClient;
    bytes += step.offlineBytesClientToOwner + step.offlineBytesOwnerToClient;
  }
  requireAtMost('one classification', bytes, maxPlanBytes);
  requireAtMost('one flight', longestFlight(plan.sequence), longestFlightBytes);
}

function requireAtMost(what: string, bytes: number, most: number): void {
  if (bytes <= most) return;
  const mebibytes = (n: number) => `${Math.ceil(n / 2 ** 20)} MiB`;
  throw new ProtocolError(
    'manifest',
    'plan',
    `${what} would send ${mebibytes(bytes)}, at most ${mebibytes(most)} are accepted`,
  );
}
