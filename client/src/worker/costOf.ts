import { compilePlan, parseManifest } from '../../../protocols/index.ts';
import type { PlanCost } from './messages.ts';

/** Of one answer, by the plan of a manifest. @throws ProtocolError when it has none */
export function costOf(manifestJson: string): PlanCost {
  const cost: PlanCost = { onlineBytes: 0, offlineBytes: 0, flights: 0, offlineWorkMs: 0 };
  for (const step of compilePlan(parseManifest(manifestJson)).steps) {
    cost.onlineBytes += step.bytesClientToOwner + step.bytesOwnerToClient;
    cost.offlineBytes += step.offlineBytesClientToOwner + step.offlineBytesOwnerToClient;
    cost.flights += step.flights;
    cost.offlineWorkMs += step.offlineClientMs + step.offlineOwnerMs;
  }
  return cost;
}
