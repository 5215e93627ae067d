/**
 * npm run build:static [-- --out FOLDER] [--signaling ADDRESS] [--site ADDRESS]: a folder for any static host, whatever path
 * it is served at. Without `--signaling` two people introduce their tabs by two texts; `settings.json` in the folder can say
 * otherwise later. `--site`: where the folder will be, for the picture that links to it show.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { signalingFault } from '../client/src/session/settings.ts';
import { bundledFiles } from '../signaling-server/bundledModels.ts';
import { listModels } from '../signaling-server/staticFiles.ts';
import { readOptions } from './lib/options.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A static host sets no headers; what a page can say of itself is said in the page. */
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; font-src 'self'; " +
  "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' https: ws: wss: blob:; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'";

export interface StaticBuild {
  out: string;
  modelsDir: string;
  /** Of the models' folder, to be copied. */
  modelFiles: ReadonlySet<string>;
  /** A signaling server's address; null for none. */
  signaling: string | null;
  /** Where the folder will be served; undefined when that is not known. */
  site?: string | undefined;
}

/**
 * Puts a build in the place of the one before once everything has been built; until then, and where that fails, all stays as
 * it was. What no build wrote stays anyway, and so do the settings that were changed there.
 * @returns what was kept, in words
 * @throws Error where something would be lost, or `out` is something else than a folder for this, or an empty one
 */
export async function buildStatic({ out, ...rest }: StaticBuild): Promise<string[]> {
  const before = await builtBefore(out);
  const isNew = (await mkdir(out, { recursive: true })) !== undefined;
  // In there, and not beside it: from one file system to another nothing can be moved at once.
  const work = await mkdtemp(path.join(out, '.build-'));
  let isSafe = true;
  try {
    const next = path.join(work, 'next');
    await buildInto({ out: next, ...rest });
    const { replaced, said } = await compare(out, next, before, rest.signaling !== null);
    await exchange(out, next, path.join(work, 'before'), replaced).catch((error: Error) => {
      isSafe = !(error instanceof StrandedError);
      throw error;
    });
    const others = await othersIn(out, new Set([path.basename(work), ...replaced.put, ...editable]));
    if (others.length > 0) said.push(`kept, as no build is known to have written it: ${some(others)}`);
    return said;
  } finally {
    if (isSafe) await rm(work, { recursive: true, force: true });
    if (isNew) await rmdir(out).catch(() => {}); // it has the build in it, unless that failed
  }
}

/** In each build: its other files, and a digest of each. */
const listName = '.built.json';
type Built = ReadonlyMap<string, string>;

/** What docs/app.md says can be changed in the folder. */
const editable: readonly string[] = ['settings.json', 'ice.json'];

/** Of what such a folder has, and hardly another; builds had no list once. */
const signs = ['index.html', 'offline.js', 'settings.json', 'models/index.json'];

/** The list of the build that is there; undefined where there is none. */
async function builtBefore(out: string): Promise<Built | undefined> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new Error(`--out: expected a folder, got ${out} (${error.code})`);
  });
  if (entries.length === 0) return undefined;
  const before = await readFile(path.join(out, listName), 'utf8').then(parseList, () => undefined);
  const have = await Promise.all(signs.map((name) => stat(path.join(out, name)).catch(() => undefined)));
  if (!before && have.some((found) => !found))
    throw new Error(`--out: ${out} has other files in it, which would be lost: expected a new folder`);
  const changed: string[] = [];
  for (const [name, digest] of before ?? [])
    if (!editable.includes(name) && ![digest, undefined].includes(await digestOf(path.join(out, name))))
      changed.push(name);
  refuseLoss(out, changed, 'were changed since they were built');
  return before;
}

function parseList(json: string): Built | undefined {
  try {
    const list = Object.entries(JSON.parse(json) as Record<string, string>);
    // Whatever it says, nothing elsewhere is removed.
    return new Map(list.filter(([name]) => path.posix.join('/', name) === `/${name}`));
  } catch {
    return undefined;
  }
}

function refuseLoss(out: string, names: readonly string[], how: string): void {
  if (names.length === 0) return;
  throw new Error(
    `--out: ${out} has files that ${how}, which would be lost: ${some(names)}. Move them, or name a new folder`,
  );
}

const some = (names: readonly string[]): string =>
  names.length > 12 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ');

const aFolder = 'a folder';

/** Undefined where nothing is. */
async function digestOf(file: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
      .slice(0, 16);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR') return aFolder;
    throw error;
  }
}

/** Names of files: those of the next build to put in place, and those to take away. */
interface Replaced {
  put: string[];
  drop: string[];
}

/** What of the next build replaces what, and in words what stays; writes its list. @throws Error where something would be lost */
async function compare(out: string, next: string, before: Built | undefined, isNamed: boolean) {
  const built = new Map<string, string>();
  for (const name of await filesIn(next)) built.set(name, (await digestOf(path.join(next, name)))!);
  const put = [listName];
  const others: string[] = [];
  const said: string[] = [];
  for (const [name, digest] of built) {
    const there = await digestOf(path.join(out, name));
    const isBuilt = there === digest || (before ? before.get(name) === there : there !== aFolder);
    const isSetting = editable.includes(name) && there !== aFolder;
    if (there === undefined || (isBuilt && !isSetting)) put.push(name);
    else if (!isSetting) others.push(name);
    else if (there === digest || before?.get(name) === there) put.push(name);
    else {
      const isOverruled = isNamed && name === 'settings.json';
      if (isOverruled) put.push(name);
      const text = (await readFile(path.join(out, name), 'utf8')).trim();
      said.push(`${name}: ${isOverruled ? 'as --signaling says; it was' : 'kept as it is there'}: ${text}`);
    }
  }
  refuseLoss(out, others, 'no build is known to have written');
  await writeFile(path.join(next, listName), JSON.stringify(Object.fromEntries(built)));
  const drop: string[] = [];
  for (const name of before?.keys() ?? [])
    if (!built.has(name) && (await digestOf(path.join(out, name))) === before!.get(name)) drop.push(name);
  return { replaced: { put, drop }, said };
}

/** Files could be put back no more. */
class StrandedError extends Error {}

/** What is in folders comes first, and last what names it: a visitor meanwhile gets the page of before, with its files. */
const places = ['index.html', 'offline.js', listName];
const inOrder = (names: readonly string[]) =>
  names.toSorted((a, b) => places.indexOf(a) - places.indexOf(b) || b.split('/').length - a.split('/').length);

/** All, or nothing. @throws StrandedError, Error */
async function exchange(out: string, next: string, aside: string, { put, drop }: Replaced): Promise<void> {
  const moved: [string, string][] = [];
  const move = async (from: string, to: string) => {
    await mkdir(path.dirname(to), { recursive: true });
    await rename(from, to);
    moved.push([from, to]);
  };
  const moveAside = async (name: string) => {
    if ((await digestOf(path.join(out, name))) !== undefined) await move(path.join(out, name), path.join(aside, name));
  };
  try {
    for (const name of inOrder(put)) {
      await moveAside(name);
      await move(path.join(next, name), path.join(out, name));
    }
    for (const name of drop) await moveAside(name);
    await dropEmptyFolders(out, drop);
  } catch (error) {
    try {
      for (const [from, to] of moved.reverse()) await rename(to, from);
    } catch {
      throw new StrandedError(`${(error as Error).message}; files of ${out} lie in ${aside} now`);
    }
    await dropEmptyFolders(out, put);
    throw error;
  }
}

async function dropEmptyFolders(out: string, names: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  for (const name of names)
    for (let folder = path.posix.dirname(name); folder !== '.'; folder = path.posix.dirname(folder))
      folders.add(folder);
  for (const folder of [...folders].sort().reverse()) await rmdir(path.join(out, folder)).catch(() => {});
}

/** All but these files, by their names; a folder with none of these is one. */
async function othersIn(out: string, names: ReadonlySet<string>, folder = ''): Promise<string[]> {
  const others: string[] = [];
  for (const entry of await readdir(path.join(out, folder), { withFileTypes: true })) {
    const name = folder + entry.name;
    if (names.has(name)) continue;
    const hasOurs = entry.isDirectory() && [...names].some((each) => each.startsWith(`${name}/`));
    if (hasOurs) others.push(...(await othersIn(out, names, `${name}/`)));
    else others.push(entry.isDirectory() ? `${name}/` : name);
  }
  return others.sort();
}

async function buildInto({ out, modelsDir, modelFiles, signaling, site }: StaticBuild): Promise<void> {
  await build({
    configFile: path.join(root, 'client/vite.config.ts'),
    mode: 'static',
    base: './',
    logLevel: 'warn',
    build: { outDir: out, emptyOutDir: true },
  });
  await writeFile(path.join(out, 'settings.json'), `${JSON.stringify({ signaling })}\n`);

  for (const file of modelFiles) {
    const to = path.join(out, 'models', file);
    await mkdir(path.dirname(to), { recursive: true });
    await copyFile(path.join(modelsDir, file), to);
  }
  await writeFile(path.join(out, 'models/index.json'), JSON.stringify(await listModels(modelsDir, modelFiles)));

  const page = path.join(out, 'index.html');
  const html = (await readFile(page, 'utf8'))
    .replace('<meta charset="utf-8" />', `$&\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`)
    .replace(/(<meta property="og:image" content=")[^"]*/, `$1${site ? new URL('card.png', site).href : 'card.png'}`);
  await writeFile(page, html);
  await rm(`${page}.gz`, { force: true }); // without all that: some hosts send it instead
  await writeServiceWorker(out);
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'));
}

/** All files in a folder but the compressed ones, in order, and a name for what is in them: 16 hex digits. */
export async function versionOf(folder: string): Promise<{ version: string; names: string[] }> {
  const names = (await filesIn(folder)).filter((name) => !/\.(gz|br)$/.test(name)).sort();
  const hash = createHash('sha256');
  for (const name of names) {
    const digest = createHash('sha256').update(await readFile(path.join(folder, name)));
    hash.update(`${digest.digest('hex')} ${name}\n`);
  }
  return { version: hash.digest('hex').slice(0, 16), names };
}

/** After everything else is there: it lists what it keeps. */
async function writeServiceWorker(out: string): Promise<void> {
  const { version, names } = await versionOf(out);
  const first = names.filter((name) => name !== 'index.html' && !name.startsWith('models/'));
  const files = ['./', ...first.map((name) => `./${name}`)];
  await build({
    configFile: false,
    logLevel: 'warn',
    define: { version: JSON.stringify(version), files: JSON.stringify(files) },
    publicDir: false,
    build: {
      outDir: out,
      emptyOutDir: false,
      target: 'es2022',
      rollupOptions: { input: path.join(root, 'client/offline.ts'), output: { entryFileNames: 'offline.js' } },
    },
  });
}

async function main(): Promise<void> {
  const usage = 'npm run build:static [-- --out FOLDER] [--signaling ADDRESS] [--site ADDRESS]';
  const values = readOptions(usage, {
    out: { type: 'string', default: 'client/static' },
    signaling: { type: 'string' },
    site: { type: 'string' },
  });
  const fault = values.signaling === undefined ? undefined : signalingFault(values.signaling);
  if (fault) throw new Error(`--signaling: ${fault}`);
  if (values.site !== undefined && !/^https?:$/.test(URL.canParse(values.site) ? new URL(values.site).protocol : ''))
    throw new Error(`--site: expected an address such as https://example.org, got ${values.site}`);
  if (!values.out) throw new Error('--out: expected the name of a folder');
  const modelsDir = path.join(root, 'model-artifacts/zoo');
  const out = path.resolve(values.out);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const modelFiles = await bundledFiles(modelsDir, say);
  const kept = await buildStatic({
    out,
    modelsDir,
    modelFiles,
    signaling: values.signaling ?? null,
    site: values.site,
  });
  for (const text of kept) say(`${out}: ${text}`);
  say(`${out}: for any static host`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}
