/** Where the static build may write: what is somebody's own is not removed. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { buildStatic } from '../../scripts/build-static.ts';

let folder: string | undefined;
afterEach(async () => {
  if (folder) await rm(folder, { recursive: true });
  folder = undefined;
});

const build = (out: string) => buildStatic({ out, modelsDir: '/nowhere', modelFiles: new Set(), signaling: null });

test('a folder with other files is refused, and stays', async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'static-'));
  const mine = path.join(folder, 'index.html');
  await writeFile(mine, 'mine');
  await expect(build(folder)).rejects.toThrow('which would be lost');
  expect(await readFile(mine, 'utf8')).toBe('mine');
});

test('so is a file', async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'static-'));
  const mine = path.join(folder, 'mine');
  await writeFile(mine, 'mine');
  await expect(build(mine)).rejects.toThrow('expected a folder');
});

test('the repository is refused', async () => {
  await expect(build(path.join(import.meta.dirname, '../..'))).rejects.toThrow('which would be lost');
});

test('a build that fails leaves the one before', async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'static-'));
  for (const name of ['index.html', 'offline.js', 'settings.json', 'models/index.json']) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), 'before');
  }
  const failing = { out: folder, modelsDir: '/nowhere', modelFiles: new Set(['none.bin']), signaling: null };
  await expect(buildStatic(failing)).rejects.toThrow('ENOENT');
  expect(await readFile(path.join(folder, 'index.html'), 'utf8')).toBe('before');
}, 120_000);
