/** Where the static build may write: what is somebody's own is neither removed nor written over. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildStatic } from '../../scripts/build-static.ts';

/** What the app's build writes; the real one is in test/e2e/static.test.ts. */
let app: Record<string, string>;
vi.mock('vite', () => ({
  build: async ({ mode, build }: { mode?: string; build: { outDir: string } }) =>
    write(build.outDir, mode === 'static' ? app : { 'offline.js': `worker of ${app['index.html']}` }),
}));

async function write(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
}

/** All that is there, but the list of what was built. */
async function read(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file).replaceAll(path.sep, '/');
    if (entry.isFile() && name !== '.built.json') files[name] = await readFile(file, 'utf8');
    else if (entry.isDirectory() && (await readdir(file)).length === 0) files[`${name}/`] = '';
  }
  return files;
}

let base: string;
let out: string;
let modelsDir: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'static-'));
  out = path.join(base, 'site');
  modelsDir = await mkdtemp(path.join(tmpdir(), 'models-'));
  await write(modelsDir, { 'm/weights.bin': 'weights' });
  version(1);
  modelsDir = await mkdtemp(path.join(tmpdir(), 'models-'));
  await write(modelsDir, { 'm/weights.bin': 'weights' });
  app = { 'index.html': 'page 1', 'ice.json': '[]', 'assets/app-1.js': 'app 1', 'assets/app-1.js.gz': 'zipped' };
});
afterEach(async () => {
  for (const folder of [base, modelsDir]) await rm(folder, { recursive: true });
});

const build = (options: Partial<Parameters<typeof buildStatic>[0]> = {}) =>
  buildStatic({ out, modelsDir, modelFiles: new Set(['m/weights.bin']), signaling: null, ...options });
const version = (n: number) => {
  const script = `assets/app-${n}.js`;
  app = { 'index.html': `page ${n}`, 'ice.json': '[]', [script]: `app ${n}`, [`${script}.gz`]: 'zipped' };
};
/** An own host's, and those of the user's own. */
const own = {
  ...{ '.git/config': 'a repository', '.git/refs/': '', '.nojekyll': '', CNAME: 'example.org' },
  ...{ 'assets/mine.css': 'mine', 'models/mine/weights.bin': 'mine' },
};
async function writeOwn(): Promise<void> {
  const { '.git/refs/': _, ...files } = own;
  await write(out, files);
  await mkdir(path.join(out, '.git/refs'));
}

/** As builds were before they had a list. */
const unlisted = () => rm(path.join(out, '.built.json'));

test('a folder with other files is refused, and stays', async () => {
  await write(out, { 'index.html': 'mine' });
  await expect(build()).rejects.toThrow('which would be lost');
  expect(await read(out)).toEqual({ 'index.html': 'mine' });
});

test('so is a file', async () => {
  await write(base, { site: 'mine' });
  await expect(build()).rejects.toThrow('expected a folder');
  expect(await read(base)).toEqual({ site: 'mine' });
});

test('the repository is refused', async () => {
  await expect(build({ out: path.join(import.meta.dirname, '../..') })).rejects.toThrow('which would be lost');
});

test('a build that fails leaves the one before, and what is beside it', async () => {
  await write(base, { 'site.next/mine': 'mine', 'new.next/mine': 'mine' });
  await build();
  await writeOwn();
  const before = await read(base);
  version(2);
  for (const place of ['site', 'new'])
    await expect(build({ out: path.join(base, place), modelFiles: new Set(['none.bin']) })).rejects.toThrow('ENOENT');
  expect(await read(base)).toEqual(before);
});

test('the next build replaces the one before, and leaves what no build wrote', async () => {
  await write(base, { 'site.next/mine': 'mine' });
  expect(await build()).toEqual([]);
  expect(await read(out)).toMatchObject({ 'index.html': 'page 1', 'offline.js': 'worker of page 1' });
  await writeOwn();
  version(2);
  expect(await build()).toEqual([
    'kept, as no build is known to have written it: .git/, .nojekyll, CNAME, assets/mine.css, models/mine/',
  ]);
  expect(await read(out)).toEqual({
    ...{ ...app, ...own, 'offline.js': 'worker of page 2', 'models/index.json': '[]' },
    'models/m/weights.bin': 'weights',
    'settings.json': '{"signaling":null}\n',
  });
  expect(await read(path.join(base, 'site.next'))).toEqual({ mine: 'mine' });
  expect((await stat(out)).mode & 0o055).toBe(0o055 & ~process.umask());
});

test('no compressed page says something else than the page', async () => {
  app['index.html'] = '<meta charset="utf-8" />';
  app['index.html.gz'] = 'zipped';
  await build();
  const files = await read(out);
  expect(files['index.html']).toContain('Content-Security-Policy');
  expect(files['index.html.gz']).toBeUndefined();
});

test('a folder whose files are all of one build before is left without those', async () => {
  await build();
  app = { 'index.html': 'page 2', 'ice.json': '[]' };
  expect(await build()).toEqual([]);
  expect(Object.keys(await read(out)).sort()).toEqual([
    'ice.json',
    'index.html',
    'models/index.json',
    'models/m/weights.bin',
    'offline.js',
    'settings.json',
  ]);
});

test.each([true, false])(
  'settings that were changed stay, whether the build before has a list: %s',
  async (hasList) => {
    await build();
    const settings = '{"signaling":"https://s.example"}';
    await write(out, { 'settings.json': settings, 'ice.json': '["mine"]' });
    if (!hasList) await unlisted();
    for (const n of [2, 3]) {
      version(n);
      expect(await build()).toEqual(
        expect.arrayContaining([
          `settings.json: kept as it is there: ${settings}`,
          'ice.json: kept as it is there: ["mine"]',
        ]),
      );
      expect(await read(out)).toMatchObject({ 'settings.json': settings, 'ice.json': '["mine"]' });
    }
    // Named now.
    const [said] = (await build({ signaling: 'https://t.example' })).filter((text) => text.startsWith('settings'));
    expect(said).toBe(`settings.json: as --signaling says; it was: ${settings}`);
    const named = '{"signaling":"https://t.example"}\n';
    expect(await read(out)).toMatchObject({ 'index.html': 'page 3', 'settings.json': named, 'ice.json': '["mine"]' });
    // Nobody has changed that one.
    await build();
    expect(await read(out)).toMatchObject({ 'settings.json': '{"signaling":null}\n' });
  },
);

test('other files that were changed, or are somebody’s own, are not written over', async () => {
  await build();
  await write(out, { 'index.html': 'mine' });
  await expect(build()).rejects.toThrow('were changed since they were built, which would be lost: index.html.');
  await write(out, { 'index.html': 'page 1', 'robots.txt': 'mine' });
  app['robots.txt'] = 'the app’s';
  await expect(build()).rejects.toThrow('no build is known to have written, which would be lost: robots.txt.');
  expect(await read(out)).toMatchObject({ 'index.html': 'page 1', 'robots.txt': 'mine' });
  await write(out, { 'robots.txt': 'the app’s' });
  await build();
  await unlisted();
  app['card.png'] = 'a picture';
  await write(out, { 'card.png/mine': 'mine' });
  await expect(build()).rejects.toThrow('no build is known to have written, which would be lost: card.png.');
  expect(await read(out)).toMatchObject({ 'card.png/mine': 'mine' });
});

test('where files cannot be put in place, all is as before', async () => {
  await build();
  version(2);
  app['licenses/all.txt'] = 'licenses';
  await write(out, { licenses: 'mine' }); // where a folder has to be
  const before = await read(out);
  await expect(build()).rejects.toThrow(/EEXIST|ENOTDIR/);
  expect(await read(out)).toEqual(before);
});

test('a list that says other things removes nothing elsewhere', async () => {
  await build();
  await write(base, { other: 'app 1' });
  const list = JSON.parse(await readFile(path.join(out, '.built.json'), 'utf8'));
  list['../other'] = list['assets/app-1.js'];
  await write(out, { '.built.json': JSON.stringify(list) });
  version(2);
  await build();
  expect(await read(base)).toMatchObject({ other: 'app 1', 'site/index.html': 'page 2' });
  await write(out, { '.built.json': 'no list' });
  version(3);
  await build();
  expect(await read(out)).toMatchObject({ 'index.html': 'page 3' });
});
