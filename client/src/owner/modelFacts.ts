import { type Manifest, parseManifest } from '../../../protocols/inference/manifest.ts';
import type { FromCostWorker, PlanCost } from '../worker/messages.ts';

/** What the picker tells of a bundled model. */
export interface ModelFacts {
  manifest: Manifest;
  cost: PlanCost | undefined;
}

/** @throws Error when the manifest cannot be fetched or read; the cost may be missing. */
export async function modelFacts(name: string): Promise<ModelFacts> {
  const response = await fetch(`models/${encodeURIComponent(name)}/manifest.json`);
  if (!response.ok) throw new Error(`manifest.json: ${response.status}`);
  const json = await response.text();
  return { manifest: parseManifest(json), cost: await costOf(json) };
}

function costOf(manifestJson: string): Promise<PlanCost | undefined> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('../worker/cost.worker.ts', import.meta.url), { type: 'module', name: 'cost' });
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
