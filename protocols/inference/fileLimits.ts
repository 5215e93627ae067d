/** An artifact's files that an owner needs (docs/artifact.md), and how long each may be: what is longer is not read at all. */
import { ProtocolError } from '../channel/errors.ts';
import { maxManifestBytes, maxPublicPartBytes } from './manifest.ts';
import { publicPartFile } from './publicPart.ts';

/** In bytes. The index twenty times those of the shipped models, the weights twice a ViT-Large's. */
export const fileLimits = {
  'manifest.json': maxManifestBytes,
  'weights.json': 2 ** 18,
  'weights.bin': 2 ** 30,
  [publicPartFile]: maxPublicPartBytes,
} as const;
export type OwnerFileName = keyof typeof fileLimits;

/** @throws ProtocolError `manifest` */
export function requireFileSize(name: OwnerFileName, bytes: number): void {
  if (bytes > fileLimits[name])
    throw new ProtocolError('manifest', 'model', `${name} has ${bytes} bytes, at most ${fileLimits[name]} are read`);
}
