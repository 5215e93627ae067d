/**
 * Images of a zip file or a folder, in folders named by their class where it is known: of a set that is divided what is under test/ or val/, else all.
 * Or a model's bundled samples.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { unzip } from 'fflate';
import { prepareImage } from '../../protocols/index.ts';
import type { Preprocessing } from '../../protocols/inference/image.ts';
import { readImage } from './images.ts';

export interface LabelledImage {
  readonly name: string;
  /** The class's name, as the folder spells it; '' of a picture in no folder. */
  readonly label: string;
  readonly bytes: Uint8Array;
}

const shared = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const knownSets: Readonly<Record<string, string>> = {
  cifar10: `${shared}cifar10-jpeg.zip`,
  imagenette: `${shared}imagenette-160.zip`,
  'imagenette-exact': `${shared}imagenette-160.zip`,
  'imagenette-small': `${shared}imagenette-160.zip`,
};

/** Where a model's held-out images are by default: its set where that is at hand, else its samples. */
export async function defaultData(model: string, folder: string): Promise<string> {
  const set = knownSets[model];
  return set && (await stat(set).catch(() => undefined)) ? set : `${folder}samples`;
}

const picture = /^(?:.*\/)?[^/.][^/]*\.(?:jpe?g|png|webp|gif)$/i;
const heldOut = /^(?:.*\/)?(?:test|val|validation)\/[^/]+\/[^/]+$/i;
const divided = /^(?:.*\/)?(?:train|test|val|validation)\//i;

/** Those of the files to take, at most `count`. */
function choose(names: readonly string[], count: number): string[] {
  const pictures = names.filter((name) => picture.test(name) && !name.includes('__MACOSX')).sort();
  const isDivided = pictures.some((name) => divided.test(name));
  return spread(isDivided ? pictures.filter((name) => heldOut.test(name)) : pictures, count);
}

/** The folder's name; '' of a picture that is in none. */
const labelOf = (name: string): string => name.split('/').at(-2) ?? '';

/**
 * At most `count` held-out images, evenly spread over the classes' files.
 * @throws Error when there are none.
 */
export async function readImages(source: string, count: number): Promise<LabelledImage[]> {
  const images = source.endsWith('.zip') ? await fromZip(source, count) : await fromFolder(source, count);
  if (images.length === 0)
    throw new Error(`${source}: no picture in it (of a divided set: under test/ or val/), and no samples.json`);
  return images;
}

/**
 * Each with its pixels, as the model sees them. One that is no picture is left out, and named on standard error.
 * @throws Error when none is left.
 */
export async function withPixels(
  images: readonly LabelledImage[],
  preprocessing: Preprocessing,
): Promise<(LabelledImage & { readonly pixels: Uint8Array })[]> {
  const read = [];
  for (const image of images) {
    try {
      const picture = await readImage(Buffer.from(image.bytes), image.name);
      read.push({ ...image, pixels: prepareImage(picture, preprocessing) });
    } catch (error) {
      process.stderr.write(`left out: ${(error as Error).message}\n`);
    }
  }
  if (read.length === 0) throw new Error('none of the files is a picture');
  return read;
}

/** Every n-th of a sorted list. */
export function spread<T>(list: readonly T[], count: number): T[] {
  if (count >= list.length) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);
}

async function fromZip(file: string, count: number): Promise<LabelledImage[]> {
  const bytes = new Uint8Array(await readFile(file));
  const names: string[] = [];
  await unzipSome(bytes, (name) => {
    names.push(name);
    return false;
  });
  const chosen = new Set(choose(names, count));
  const files = await unzipSome(bytes, (name) => chosen.has(name));
  return [...chosen].map((name) => ({ name, label: labelOf(name), bytes: files[name] }));
}

function unzipSome(bytes: Uint8Array, wanted: (name: string) => boolean): Promise<Record<string, Uint8Array>> {
  return new Promise((resolve, reject) => {
    unzip(bytes, { filter: ({ name }) => wanted(name) }, (error, files) => (error ? reject(error) : resolve(files)));
  });
}

async function fromFolder(folder: string, count: number): Promise<LabelledImage[]> {
  const samples = await readFile(`${folder}/samples.json`, 'utf8').catch(() => undefined);
  if (samples) {
    const list = spread(JSON.parse(samples) as { file: string; label: string }[], count);
    return Promise.all(
      list.map(async ({ file, label }) => ({
        name: file,
        label,
        bytes: new Uint8Array(await readFile(`${folder}/${file}`)),
      })),
    );
  }
  const files = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll('\\', '/'));
  return Promise.all(
    choose(files, count).map(async (name) => ({
      name,
      label: labelOf(name),
      bytes: new Uint8Array(await readFile(`${folder}/${name}`)),
    })),
  );
}
