import type { FromCostWorker, PlanCost } from './messages.ts';

/** What one answer costs by the plan of a manifest; undefined when it has none. */
export function planCost(manifestJson: string): Promise<PlanCost | undefined> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./cost.worker.ts', import.meta.url), { type: 'module', name: 'cost' });
    const finish = (cost: PlanCost | undefined) => {
      worker.terminate();
      resolve(cost);
    };
    worker.onmessage = ({ data }: MessageEvent<FromCostWorker>) => finish('cost' in data ? data.cost : undefined);
    worker.onerror = (event) => {
      event.preventDefault();
      finish(undefined);
    };
    worker.postMessage(manifestJson);
  });
}
