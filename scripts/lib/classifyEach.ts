/** The pictures of `npm run classify`: a file, or every file of a folder, one after the other in one session. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Classification, type ClientSession, prepareImage, type SessionReport } from '../../protocols/index.ts';
import { readImage } from './images.ts';

export interface Classified {
  readonly file: string;
  readonly classification: Classification;
  /** Of this picture; `setup` was once for all. */
  readonly phases: SessionReport['phases'];
}

export interface Unreadable {
  readonly file: string;
  readonly unreadable: string;
}

/**
 * @returns the file; or a folder's files by name, without those that begin with a dot.
 * @throws Error where there is no such file, or a folder has none.
 */
export async function pictureFiles(place: string): Promise<string[]> {
  const entry = await stat(place).catch(() => undefined);
  if (!entry) throw new Error(`${place}: no such file`);
  if (!entry.isDirectory()) return [place];
  const entries = await readdir(place, { withFileTypes: true });
  const files = entries.filter((file) => file.isFile() && !file.name.startsWith('.')).map(({ name }) => name);
  if (files.length === 0) throw new Error(`${place}: a folder without files`);
  return files.sort().map((name) => path.join(place, name));
}

/**
 * Classifies each. Of several, one that is no picture is passed by; the owner is asked for nothing for it.
 * @param from after a session that broke: how many are done
 * @throws Error for a single file that cannot be read; ProtocolError.
 */
export async function* classifyEach(
  session: ClientSession,
  files: readonly string[],
  from = 0,
): AsyncGenerator<(Classified & { readonly pixels: Uint8Array }) | Unreadable> {
  for (const file of files.slice(from)) {
    let pixels: Uint8Array;
    try {
      pixels = prepareImage(await readImage(file), session.manifest.preprocessing);
    } catch (error) {
      if (files.length === 1) throw error;
      yield { file, unreadable: (error as Error).message };
      continue;
    }
    await session.prepare();
    const classification = await session.classify(pixels);
    yield { file, classification, phases: session.report().phases, pixels };
  }
}
