import * as v from 'valibot';
import { type Manifest, parseManifest } from '../../../protocols/inference/manifest.ts';
import { publicPartFile } from '../../../protocols/inference/publicPart.ts';
import type { ListedModel } from '../../../signaling-server/staticFiles.ts';
import { Confidence } from '../client/confidenceLevels.ts';
import type { OwnerFiles } from '../worker/messages.ts';
import { readBundle, readSamples } from './bundle.ts';
import type { OwnSample } from './ownSamples.ts';

export type BundledModel = ListedModel;

/** An owner's choice: the files, and what to call them. */
export interface ChosenModel {
  /** Empty for an owner's own. */
  title: string;
  files: OwnerFiles;
  /** The bundled model's name, if it is one. */
  bundled?: string;
  /** That came with an owner's own model. */
  samples: readonly OwnSample[];
}

/** What a first visitor should meet first: photographs, thumbnails, a thousand things; everything else after them by name. */
const preferred = ['imagenette', 'cifar10', 'imagenet1k-small'];

export async function listBundledModels(): Promise<BundledModel[]> {
  const models: BundledModel[] = await (await fetchOk('models/index.json')).json();
  const rank = ({ name }: BundledModel) => (preferred.includes(name) ? preferred.indexOf(name) : preferred.length);
  return models.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** A title's part before the first comma or colon names the data set: `Imagenette, everything exact: …`. */
export const setName = (title: string): string => title.split(/[,:]/)[0].trim();

/** The models, those of one data set together; sets in the order of their first ones. */
export function ofOneSet(models: readonly BundledModel[]): BundledModel[][] {
  const sets = [...new Set(models.map(({ title }) => setName(title)))];
  return sets.map((set) => models.filter(({ title }) => setName(title) === set));
}

/** Those of one set, less often right to more often; where that is not known of all, fewer tokens to more, which is what they cost. */
export function cheapestFirst(models: readonly BundledModel[]): BundledModel[] {
  const rights = models.map(({ accuracy }) => accuracy?.top1);
  const order = rights.includes(undefined) ? models.map(({ tokens }) => tokens) : (rights as number[]);
  return models.toSorted((a, b) => order[models.indexOf(a)] - order[models.indexOf(b)]);
}

export async function fetchBundledModel({ name, title }: BundledModel): Promise<ChosenModel> {
  const file = async (path: string) => (await fetchOk(`models/${encodeURIComponent(name)}/${path}`)).blob();
  const [manifest, weightsIndex, weights] = await Promise.all([
    file('manifest.json'),
    file('weights.json'),
    file('weights.bin'),
  ]);
  return { title, files: { manifest, weightsIndex, weights }, bundled: name, samples: [] };
}

/** The exporter's one-file artifact. */
const bundleSuffix = '.blindsight';

/**
 * Picks an artifact's files out of what was dropped, or out of one `.blindsight` file; undefined when one is missing.
 * @throws BundleError when a `.blindsight` file is none.
 */
export async function modelFromFiles(dropped: readonly File[]): Promise<ChosenModel | undefined> {
  const bundle = dropped.find((file) => file.name.endsWith(bundleSuffix));
  const files = bundle ? await readBundle(bundle) : dropped;
  const named = (name: string) => files.find((file) => file.name === name);
  const [manifest, weightsIndex, weights] = [named('manifest.json'), named('weights.json'), named('weights.bin')];
  if (!manifest || !weightsIndex || !weights) return undefined;
  const samples = bundle ? await readSamples(bundle) : [];
  return { title: '', files: { manifest, weightsIndex, weights, publicPart: named(publicPartFile) }, samples };
}

export interface Sample {
  /** Of its picture on the page; of a bundled model's, the file itself. */
  url: string;
  label: string;
  source: string;
  /** The model's own label is another one. */
  hard?: boolean;
  /** The owner's, who sent it. */
  file?: Blob;
}

/** The images that come with a bundled model; none for an owner's own, whose come from its tab (ownSamples.ts). */
export async function listSamples(modelName: string): Promise<Sample[]> {
  const models = await listBundledModels();
  if (!models.some((model) => model.name === modelName)) return [];
  const folder = `models/${encodeURIComponent(modelName)}/samples`;
  const samples: { file: string; label: string; source: string; hard?: boolean }[] = await (
    await fetchOk(`${folder}/samples.json`)
  ).json();
  return samples.map(({ file, ...said }) => ({ url: `${folder}/${encodeURIComponent(file)}`, ...said }));
}

/**
 * What was measured of a bundled model's answers; undefined for others, and for a model that is only called like it. An
 * owner tells no digest of its files, so it is the whole description that has to be the same.
 */
export async function fetchConfidence(manifest: Manifest): Promise<Confidence | undefined> {
  const models = await listBundledModels();
  if (!models.some(({ name, isMeasured }) => name === manifest.name && isMeasured)) return undefined;
  const file = async (path: string) => (await fetchOk(`models/${encodeURIComponent(manifest.name)}/${path}`)).text();
  const [bundled, figures] = await Promise.all([
    file('manifest.json').then(parseManifest),
    file('confidence.json').then((json) => v.parse(Confidence, JSON.parse(json))),
  ]);
  const described = (model: Manifest) => JSON.stringify({ ...model, files: undefined });
  const isSame = described(bundled) === described(manifest) && bundled.files?.onnxSha256 === figures.onnxSha256;
  return isSame ? figures : undefined;
}

async function fetchOk(url: string): Promise<Response> {
  // Asked of the server each time: a manifest and weights of two versions are no model.
  const response = await fetch(url, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}
