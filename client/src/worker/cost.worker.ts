/** What one answer of a model costs, by its plan: compiling takes a moment, so not on the page's thread. */
import { compilePlan, parseManifest } from '../../../protocols/index.ts';
import type { FromCostWorker, PlanCost } from './messages.ts';

self.onmessage = ({ data }: MessageEvent<string>) => {
  let answer: FromCostWorker;
  try {
    const cost: PlanCost = { onlineBytes: 0, offlineBytes: 0, flights: 0 };
    for (const step of compilePlan(parseManifest(data)).steps) {
      cost.onlineBytes += step.bytesClientToOwner + step.bytesOwnerToClient;
      cost.offlineBytes += step.offlineBytesClientToOwner + step.offlineBytesOwnerToClient;
      cost.flights += step.flights;
    }
    answer = { cost };
  } catch (error) {
    answer = { problem: (error as Error).message };
  }
  self.postMessage(answer);
};
