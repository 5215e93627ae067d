/** Exported models on disk (docs/artifact.md). */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Answer, loadOwnerModel, type OwnerModel } from '../../protocols/index.ts';

const zoo = fileURLToPath(new URL('../../model-artifacts/zoo/', import.meta.url));

/** The model for people's photographs; the app lists it first too (client/src/session/models.ts). */
export const defaultModel = 'imagenette';

/** Names of the bundled models. */
export async function modelNames(): Promise<string[]> {
  const entries = await readdir(zoo, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => entry.name)
    .sort();
}

/** @throws Error naming the bundled models when there is none of that name. */
export async function modelFolder(name: string): Promise<string> {
  const names = await modelNames();
  if (!names.includes(name))
    throw new Error(`model: expected one of ${names.join(', ') || '(none is bundled)'}, got ${name}`);
  return `${zoo}${name}/`;
}

/** Reads an artifact's folder as the owner does. */
export async function readModel(folder: string, answer: Answer = 'logits'): Promise<OwnerModel> {
  const [manifest, weightsIndex, weights] = await Promise.all([
    readFile(`${folder}/manifest.json`, 'utf8'),
    readFile(`${folder}/weights.json`, 'utf8'),
    readFile(`${folder}/weights.bin`),
  ]);
  return loadOwnerModel({ manifest, weightsIndex, weights: new Uint8Array(weights).buffer }, answer);
}
