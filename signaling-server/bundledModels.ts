/**
 * Which models the repository ships. `bundled.json` in the folder of models lists their files with SHA-256
 * (`node scripts/bundle.mjs` writes it from what git tracks); a model is served if all of its files are as listed. So what
 * somebody exports into that folder, or over a bundled model, stays private.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as v from 'valibot';

const FileName = v.pipe(v.string(), v.regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/));
/** Model → file → SHA-256. */
const Bundle = v.record(FileName, v.record(FileName, v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))));

/** Their files, as paths below `modelsDir`. `say` is told of a model that differs from the one that is shipped. */
export async function bundledFiles(modelsDir: string, say: (text: string) => void = () => {}): Promise<Set<string>> {
  const bundle = v.parse(Bundle, JSON.parse(await readFile(path.join(modelsDir, 'bundled.json'), 'utf8')));
  const files = new Set<string>();
  for (const [model, digests] of Object.entries(bundle)) {
    const names = Object.keys(digests).map((name) => `${model}/${name}`);
    const found = await Promise.all(names.map((name) => sha256(path.join(modelsDir, name)).catch(() => undefined)));
    const differs = names.find((_, i) => found[i] !== Object.values(digests)[i]);
    if (differs === undefined) for (const name of names) files.add(name);
    else say(`${differs} is not the one that this version ships: the model ${model} is not served.`);
  }
  return files;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
