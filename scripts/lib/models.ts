/** Exported models on disk (docs/artifact.md). */
import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Answer,
  type ArtifactFiles,
  loadOwnerModel,
  type OwnerModel,
  publicPartFile,
} from '../../protocols/index.ts';

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

/**
 * The folder of a model: of that name in the folder of models, or any folder with an artifact by its path.
 * @throws Error naming the models there when it is neither.
 */
export async function modelFolder(nameOrPath: string): Promise<string> {
  const names = await modelNames();
  if (names.includes(nameOrPath)) return `${zoo}${nameOrPath}/`;
  const folder = path.resolve(nameOrPath);
  const isArtifact = await access(path.join(folder, 'manifest.json')).then(
    () => true,
    () => false,
  );
  if (isArtifact) return `${folder}/`;
  const expected = names.join(', ') || '(none is bundled)';
  throw new Error(`model: expected one of ${expected}, or a folder with manifest.json in it, got ${nameOrPath}`);
}

/** Reads an artifact's folder as the owner does. */
export const readModel = async (folder: string, answer?: Answer): Promise<OwnerModel> =>
  loadOwnerModel(await readArtifact(folder), answer);

/** An artifact's files, none of them looked into. */
export async function readArtifact(folder: string): Promise<ArtifactFiles> {
  const [manifest, weightsIndex, weights, publicPart] = await Promise.all([
    readFile(`${folder}/manifest.json`, 'utf8'),
    readFile(`${folder}/weights.json`, 'utf8'),
    readFile(`${folder}/weights.bin`),
    readFile(`${folder}/${publicPartFile}`).catch(() => undefined), // few models have it, and loading says so where it is missing
  ]);
  const bytes = (file: Uint8Array) => new Uint8Array(file).buffer;
  return { manifest, weightsIndex, weights: bytes(weights), publicPart: publicPart && bytes(publicPart) };
}
