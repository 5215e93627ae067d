/**
 * npm run build:static [-- --out FOLDER] [--signaling ADDRESS] [--site ADDRESS]: a folder for any static host, whatever path
 * it is served at. Without `--signaling` two people introduce their tabs by two texts; `settings.json` in the folder can say
 * otherwise later. `--site`: where the folder will be, for the picture that links to it show.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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

export async function buildStatic({ out, modelsDir, modelFiles, signaling, site }: StaticBuild): Promise<void> {
  await rm(out, { recursive: true, force: true });
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

/** After everything else is there: it lists what it keeps. */
async function writeServiceWorker(out: string): Promise<void> {
  const names = (await readdir(out, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.(gz|br)$/.test(entry.name))
    .map((entry) => path.relative(out, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((name) => !name.startsWith('models/'))
    .sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(name).update(await readFile(path.join(out, name)));
  const files = ['./', ...names.filter((name) => name !== 'index.html').map((name) => `./${name}`)];
  await build({
    configFile: false,
    logLevel: 'warn',
    define: { version: JSON.stringify(hash.digest('hex').slice(0, 16)), files: JSON.stringify(files) },
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
