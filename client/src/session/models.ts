import type { ListedModel } from '../../../signaling-server/staticFiles.ts';
import type { OwnerFiles } from '../worker/messages.ts';

export type BundledModel = ListedModel;

/** An owner's choice: the files, and what to call them. */
export interface ChosenModel {
  /** Empty for an owner's own. */
  title: string;
  files: OwnerFiles;
  /** The bundled model's name, if it is one. */
  bundled?: string;
}

/** What a first visitor should meet first: photographs, then thumbnails; everything else after them by name. */
const preferred = ['imagenette', 'cifar10'];

export async function listBundledModels(): Promise<BundledModel[]> {
  const models: BundledModel[] = await (await fetchOk('models/index.json')).json();
  const rank = ({ name }: BundledModel) => (preferred.includes(name) ? preferred.indexOf(name) : preferred.length);
  return models.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

export async function fetchBundledModel({ name, title }: BundledModel): Promise<ChosenModel> {
  const file = async (path: string) => (await fetchOk(`models/${encodeURIComponent(name)}/${path}`)).blob();
  const [manifest, weightsIndex, weights] = await Promise.all([
    file('manifest.json'),
    file('weights.json'),
    file('weights.bin'),
  ]);
  return { title, files: { manifest, weightsIndex, weights }, bundled: name };
}

/** Picks an artifact's three files out of what was dropped; undefined when one is missing. */
export function modelFromFiles(dropped: readonly File[]): ChosenModel | undefined {
  const named = (name: string) => dropped.find((file) => file.name === name);
  const [manifest, weightsIndex, weights] = [named('manifest.json'), named('weights.json'), named('weights.bin')];
  return manifest && weightsIndex && weights ? { title: '', files: { manifest, weightsIndex, weights } } : undefined;
}

export interface Sample {
  url: string;
  label: string;
  source: string;
}

/** The images that come with a bundled model; none for an owner's own. */
export async function listSamples(modelName: string): Promise<Sample[]> {
  const models = await listBundledModels();
  if (!models.some((model) => model.name === modelName)) return [];
  const folder = `models/${encodeURIComponent(modelName)}/samples`;
  const samples: { file: string; label: string; source: string }[] = await (
    await fetchOk(`${folder}/samples.json`)
  ).json();
  return samples.map(({ file, label, source }) => ({ url: `${folder}/${encodeURIComponent(file)}`, label, source }));
}

async function fetchOk(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}
