// An exported model (docs/artifact.md), read from its folder.
import { readFile } from 'node:fs/promises';
import { loadOwnerModel } from '@blindsight/protocols';

export async function readModel(folder) {
  const [manifest, weightsIndex, weights] = await Promise.all([
    readFile(`${folder}/manifest.json`, 'utf8'),
    readFile(`${folder}/weights.json`, 'utf8'),
    readFile(`${folder}/weights.bin`),
  ]);
  return loadOwnerModel({ manifest, weightsIndex, weights: new Uint8Array(weights).buffer });
}
