/** The pages in examples/, with the library as it would be published. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinySample } from '../support/tinySamples.ts';
import { type App, startApp } from './support/app.ts';

const root = path.join(import.meta.dirname, '../..');
let app: App;
let server: ViteDevServer;
beforeAll(async () => {
  await promisify(execFile)('npm', ['run', 'library'], { cwd: root });
  app = await startApp();
  server = await createServer({ root: path.join(root, 'examples/page'), logLevel: 'warn' });
  await server.listen();
}, 120_000);
afterAll(async () => {
  await server.close();
  await app.stop();
});

test('two pages classify a picture over WebRTC, by a page of code for each', async () => {
  const url = server.resolvedUrls!.local[0];
  const owner = await app.page();
  const client = await owner.context().newPage();
  await owner.goto(`${url}owner.html`);
  await client.goto(`${url}client.html`);
  const tiny = (name: string) => path.join(root, 'test/vectors/tiny', name);
  await owner.setInputFiles('input', [tiny('manifest.json'), tiny('weights.json'), tiny('weights.bin')]);
  await expect.poll(() => owner.innerText('output')).toBe('Waiting for a client');
  await client.setInputFiles('input', { name: 'red.png', mimeType: 'image/png', buffer: await tinySample('#844') });
  await expect.poll(() => client.innerText('output'), { timeout: 60_000 }).toMatch(/^It is \w+$/);
  await expect.poll(() => owner.innerText('output')).toBe('Served 1, saw no picture');
  expect(app.consoleErrors()).toEqual([]);
});
