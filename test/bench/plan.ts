// Where a model's bytes and flights go, by step and operation, blocks summed: read off the plan, which is exact.
import { readFile } from 'node:fs/promises';
import { compilePlan, type Manifest, parseManifest } from '../../protocols/index.ts';
import { withSwitches } from '../../protocols/inference/manifest.ts';
import { tokensBehind } from '../../protocols/inference/tokens.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { isServedByRlwe, offlineCost } from '../../protocols/offline/division.ts';
import { modelFolder, modelNames } from '../../scripts/lib/models.ts';
import type { BenchOptions, BenchResult } from './measure.ts';

/** @param options a model by name or folder (all bundled ones by default); how many exact softmax rows and GELU tokens it has instead of its own. */
export async function run({ model, softmax, gelu }: BenchOptions): Promise<BenchResult[]> {
  const names = model === undefined ? await modelNames() : [model];
  const manifests = names.map(async (name) =>
    parseManifest(await readFile(`${await modelFolder(name)}manifest.json`, 'utf8')),
  );
  return (await Promise.all(manifests)).flatMap((manifest) => causesOf(withBudget(manifest, softmax, gelu)));
}

function causesOf(manifest: Manifest): BenchResult[] {
  const plan = compilePlan(manifest);
  const results = new Map<string, BenchResult>();
  const add = (name: string, unit: string, amount: number) => {
    const key = `plan/${manifest.name}/${name}`;
    const value = (results.get(key)?.value ?? 0) + amount;
    results.set(key, { name: key, unit, value, min: value, max: value });
  };
  const ofAnyBlock = (step: string) => step.replace(/^blocks\.\d+/, 'blocks');
  for (const step of plan.steps) {
    add('online', 'bytes', step.bytesClientToOwner + step.bytesOwnerToClient);
    add('offline', 'bytes', step.offlineBytesClientToOwner + step.offlineBytesOwnerToClient);
    add('flights', 'flights', step.flights);
  }
  for (const step of plan.steps) add(`flights/${ofAnyBlock(step.name)}`, 'flights', step.flights);
  for (const op of plan.operations) {
    const { cost, correlations } = protocolOf(op);
    const { clientToOwner, ownerToClient } = cost(op);
    const cause = `${ofAnyBlock(op.step)}.${op.kind}`;
    if (clientToOwner + ownerToClient > 0) add(`online/${cause}`, 'bytes', clientToOwner + ownerToClient);
    for (const spec of correlations(op)) {
      const { bytesClientToOwner, bytesOwnerToClient, cots, clientMs, ownerMs } = offlineCost(spec);
      add(`offline/${cause}.${spec.kind}`, 'bytes', bytesClientToOwner + bytesOwnerToClient);
      add(`work/${cause}.${spec.kind}`, 'ms', clientMs + ownerMs);
      if (cots > 0) add(`cots/${cause}.${spec.kind}`, 'COTs', cots);
      const thread = isServedByRlwe(spec) ? 'ring-LWE' : 'OT';
      add(`thread/client.${thread}`, 'ms', clientMs);
      add(`thread/owner.${thread}`, 'ms', ownerMs);
    }
  }
  return [...results.values()];
}

/** The same network with so many exact rows and tokens, spread evenly. */
export function withBudget(manifest: Manifest, softmax?: number, gelu?: number): Manifest {
  const { depth, heads } = manifest.architecture;
  const layers = Array.from({ length: depth }, (_, layer) => tokensBehind(manifest.architecture, layer));
  /** The places of each group, of which `wanted` in all are taken. */
  const spread = (groups: readonly (readonly number[])[], wanted: number): number[][] => {
    const total = groups.reduce((sum, places) => sum + places.length, 0);
    const isTaken = (at: number) => Math.floor(((at + 1) * wanted) / total) > Math.floor((at * wanted) / total);
    let first = 0;
    return groups.map((places) => {
      const from = first;
      first += places.length;
      return places.filter((_, i) => isTaken(from + i));
    });
  };
  const rows = spread(
    layers.flatMap((places) => Array<readonly number[]>(heads).fill(places)),
    softmax ?? 0,
  );
  const { switches } = manifest;
  return withSwitches(manifest, {
    softmaxRows:
      softmax === undefined
        ? switches.softmaxRows
        : layers.map((_, layer) => rows.slice(layer * heads, (layer + 1) * heads)),
    geluTokens: gelu === undefined ? switches.geluTokens : spread(layers, gelu),
  });
}
