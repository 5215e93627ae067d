import { type Manifest, parseManifest } from '../../../protocols/inference/manifest.ts';
import { type ModelPrice, modelPrice } from '../session/price.ts';

/** What the picker tells of a bundled model. */
export interface ModelFacts {
  manifest: Manifest;
  price: ModelPrice | undefined;
}

/** @throws Error when the manifest cannot be fetched or read; the price may be missing. */
export async function modelFacts(name: string): Promise<ModelFacts> {
  const response = await fetch(`models/${encodeURIComponent(name)}/manifest.json`, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`manifest.json: ${response.status}`);
  const json = await response.text();
  return { manifest: parseManifest(json), price: await modelPrice(json) };
}
