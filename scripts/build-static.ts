/**
 * npm run build:static [-- --out FOLDER] [--signaling ADDRESS] [--site ADDRESS]: a folder for any static host, whatever path
 * it is served at. Without `--signaling` two people introduce their tabs by two texts; `settings.json` in the folder can say
 * otherwise later. `--site`: where the folder will be, for the picture that links to it show.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
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
 * Replaces `out` once everything has been built; until then what is there stays.
 * @throws Error where `out` is something else than a folder for this, or an empty one
 */
export async function buildStatic({ out, ...rest }: StaticBuild): Promise<void> {
  await expectOurs(out);
  const next = `${out}.next`;
  await rm(next, { recursive: true, force: true });
  try {
    await buildInto({ out: next, ...rest });
    await rm(out, { recursive: true, force: true });
    await mkdir(path.dirname(out), { recursive: true });
    await rename(next, out);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

/** Of what such a folder has, and hardly another. */
const signs = ['index.html', 'offline.js', 'settings.json', 'models/index.json'];

async function expectOurs(out: string): Promise<void> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new Error(`--out: expected a folder, got ${out} (${error.code})`);
  });
  if (entries.length === 0) return;
  const have = await Promise.all(signs.map((name) => stat(path.join(out, name)).catch(() => undefined)));
  if (have.some((found) => !found))
    throw new Error(`--out: ${out} has other files in it, which would be lost: expected a new folder`);
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
  await writeServiceWorker(out);
}

/** All files in a folder but the compressed ones, in order, and a name for what is in them: 16 hex digits. */
export async function versionOf(folder: string): Promise<{ version: string; names: string[] }> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.(gz|br)$/.test(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .sort();
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
  for (const [name, address] of Object.entries({ signaling: values.signaling, site: values.site }))
    if (address !== undefined && !/^(https?|wss?):$/.test(URL.canParse(address) ? new URL(address).protocol : ''))
      throw new Error(`--${name}: expected an address such as https://example.org, got ${address}`);
  if (!values.out) throw new Error('--out: expected the name of a folder');
  const modelsDir = path.join(root, 'model-artifacts/zoo');
  const out = path.resolve(values.out);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const modelFiles = await bundledFiles(modelsDir, say);
  await buildStatic({ out, modelsDir, modelFiles, signaling: values.signaling ?? null, site: values.site });
  say(`${out}: for any static host`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}
