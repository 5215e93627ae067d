import { type Manifest, parseManifest } from '../../../protocols/inference/manifest.ts';
import type { PlanCost } from '../worker/messages.ts';
import { planCost } from '../worker/planCost.ts';

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
  return { manifest: parseManifest(json), cost: await planCost(json) };
}
