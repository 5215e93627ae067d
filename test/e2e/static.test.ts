/** The folder that `npm run build:static` makes, behind a server that knows nothing of this program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer as createHost } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { buildStatic } from '../../scripts/build-static.ts';
import { type App, startApp } from './support/app.ts';
import { classifySample, modelButton } from './support/pair.ts';
import { shoot } from './support/shoot.ts';

let app: App;
let folder: string;
let server: ChildProcess;
let url: string;

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });

beforeAll(async () => {
  app = await startApp(); // for its browser; its server is not asked
  folder = await mkdtemp(path.join(tmpdir(), 'blindsight-static-'));
  const out = path.join(folder, 'some/path');
  const modelsDir = app.modelsDir;
  const modelFiles = new Set(
    (await readdir(path.join(modelsDir, 'tiny'), { recursive: true }))
      .filter((file) => file.includes('.'))
      .map((file) => `tiny/${file}`),
  );
  await buildStatic({ out, modelsDir, modelFiles, signaling: null });
  const port = await freePort();
  server = spawn('python3', ['-m', 'http.server', String(port), '--bind', '127.0.0.1'], {
    cwd: folder,
    stdio: 'ignore',
  });
  url = `http://localhost:${port}/some/path/`;
  await vi.waitFor(() => fetch(url), { timeout: 20_000, interval: 200 });
}, 240_000);
afterEach(async () => {
  const errors = [...app.consoleErrors()];
  await app.reset();
  expect(errors).toEqual([]);
});
afterAll(async () => {
  server.kill();
  await app.stop();
  await rm(folder, { recursive: true });
});

test('two tabs pair by two texts, without any server of ours', async () => {
  const owner = await app.page();
  const asked: string[] = [];
  owner.on('websocket', (socket) => asked.push(socket.url()));
  await owner.goto(url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').click();
  const invite = await owner.getByTestId('invite').inputValue();
  expect(invite.split('.').at(-1)!.length).toBeGreaterThan(200);
  await shoot(owner, '17-static-owner');

  const client = await app.page();
  client.on('websocket', (socket) => asked.push(socket.url()));
  await client.goto(invite);
  const answer = await client.getByTestId('answer').inputValue();
  await shoot(client, '17-static-client');
  await owner.getByTestId('answer-field').fill('not an answer');
  await owner.getByRole('button', { name: 'Connect' }).click();
  await owner.getByText('This is not a whole answer').waitFor();
  await owner.getByTestId('answer-field').fill(answer);
  await owner.getByRole('button', { name: 'Connect' }).click();
  await client.getByTestId('sample').first().waitFor();
  expect(await client.getByTestId('short-code').innerText()).toBe(await owner.getByTestId('short-code').innerText());
  await classifySample(client);
  expect(asked).toEqual([]);
});

test('after an end both say that it takes a new link, and an answer to the one before changes nothing', async () => {
  const owner = await app.page();
  await owner.goto(url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').click();
  const invite = await owner.getByTestId('invite').inputValue();
  const client = await app.page();
  await client.goto(invite);
  const answer = await client.getByTestId('answer').inputValue();
  await owner.getByTestId('answer-field').fill(answer);
  await owner.getByRole('button', { name: 'Connect' }).click();
  await client.getByTestId('sample').first().waitFor();
  await owner.getByRole('button', { name: 'Disconnect the client' }).click();

  await client.getByText('ask the owner for a new link').waitFor();
  expect(await client.getByRole('button', { name: 'Connect again' }).count()).toBe(0);
  await shoot(client, '17-static-client-ended');
  await client.reload();
  await client.getByText('This link was used before').waitFor();

  await expect.poll(() => owner.getByTestId('invite').inputValue()).not.toBe(invite);
  const next = await owner.getByTestId('invite').inputValue();
  await owner.getByTestId('answer-field').fill(answer);
  await owner.getByRole('button', { name: 'Connect' }).click();
  await owner.getByText('belongs to an earlier link').waitFor();
  await shoot(owner, '17-static-owner-earlier');
  const scanned = await owner.context().newPage();
  await scanned.goto(answer);
  await scanned.getByText('belongs to an earlier link').waitFor();

  const other = await app.page();
  await other.goto(next);
  await owner.getByTestId('answer-field').fill(await other.getByTestId('answer').inputValue());
  await owner.getByRole('button', { name: 'Connect' }).click();
  await classifySample(other);
});

test('an answer that is scanned on the owner’s device finds the tab that waits for it', async () => {
  const owner = await app.page();
  await owner.goto(url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').click();
  const client = await app.page();
  await client.goto(await owner.getByTestId('invite').inputValue());
  const answer = await client.getByTestId('answer').inputValue();
  const scanned = await owner.context().newPage();
  await scanned.goto(answer);
  await scanned.getByText('The answer has arrived').waitFor();
  await client.getByTestId('sample').first().waitFor();
});

test('two builds on one host, which lets browsers keep files for minutes: each is kept, and is of one version', async () => {
  let version = 1;
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
  const host = createHost((request, response) => {
    const [, build, name] = /^\/(a|b)\/([^?]*)/.exec(request.url!) ?? [];
    void readFile(path.join(folder, 'some/path', name || 'index.html'))
      .then((bytes) => {
        // Each build, and each version of the first, has a worker, a page and a model of its own.
        const text = bytes.toString();
        const is = build === 'b' ? '0' : `${version}`;
        const body: Record<string, string | Buffer> = {
          '': text.replace('<html', `<html data-version="${is}"`),
          'offline.js': text.replace(/\b[0-9a-f]{16}\b/, is.repeat(16)),
          'models/tiny/manifest.json': is,
          'models/tiny/weights.bin': is,
        };
        const type = types[(name || '.html').split('.').at(-1)!] ?? 'application/octet-stream';
        response.writeHead(200, { 'Cache-Control': 'max-age=600', 'Content-Type': type }).end(body[name] ?? bytes);
      })
      .catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  try {
    const at = (build: string) => `http://localhost:${(host.address() as AddressInfo).port}/${build}/`;
    const page = await app.page();
    const visit = async (build: string) => {
      await page.goto('about:blank');
      await page.goto(`${at(build)}#secret`);
      await page.evaluate(async () => {
        await navigator.serviceWorker.ready;
        if (!navigator.serviceWorker.controller)
          await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve));
      });
    };
    const model = async () => {
      const files = ['manifest.json', 'weights.bin'];
      const text = (file: string) => page.evaluate(async (url) => (await fetch(url)).text(), `models/tiny/${file}`);
      return [await page.locator('html').getAttribute('data-version'), ...(await Promise.all(files.map(text)))];
    };
    /** Of each build's caches: what is in them of its page and its model. */
    const kept = () =>
      page.evaluate(async () => {
        const found: Record<string, string[]> = {};
        for (const name of await caches.keys()) {
          const cache = await caches.open(name);
          const text = async (url: string) => (await (await cache.match(url))?.text()) ?? '';
          if ((await cache.keys()).some(({ url }) => url.includes('secret'))) found.secret = [name];
          const [, build] = /\/(a|b)\//.exec((await cache.keys())[0].url)!;
          const ofPage = /data-version="(.)"/.exec(await text(`/${build}/`))?.[1] ?? '';
          const ofModel = await Promise.all(
            ['manifest.json', 'weights.bin'].map((file) => text(`/${build}/models/tiny/${file}`)),
          );
          found[name.replace(/^.*\/(a|b)\/ /, '$1 ')] = [ofPage, ...ofModel];
        }
        return found;
      });
    await visit('a');
    expect(await model()).toEqual(['1', '1', '1']);
    version = 2;
    await visit('b');
    expect(await model()).toEqual(['0', '0', '0']);
    await visit('a');
    expect(await model()).toEqual(['2', '2', '2']);
    // The next worker waits until no page of the one before is open.
    await visit('b');
    const first = '0'.repeat(16);
    const second = '2'.repeat(16);
    await expect.poll(async () => Object.keys(await kept()).sort()).toEqual([`a ${second}`, `b ${first}`]);
    await visit('a');
    expect(await model()).toEqual(['2', '2', '2']);
    await expect.poll(kept).toEqual({ [`b ${first}`]: ['0', '0', '0'], [`a ${second}`]: ['2', '2', '2'] });
  } finally {
    host.closeAllConnections();
    host.close();
  }
});

// The last one: it ends the server.
test('after the first visit it works without the host', async () => {
  const page = await app.page();
  const tryIt = async () => {
    await page.goto(url);
    await page.getByRole('button', { name: 'Try it alone' }).click();
    await page.getByTestId('sample').first().click();
    await page.getByTestId('result').waitFor({ timeout: 60_000 });
  };
  await page.goto(url);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  await tryIt();
  await page.goto('about:blank');
  // Not Playwright's `setOffline`: it takes WebRTC between two frames of one page away too.
  server.kill();
  await vi.waitFor(() => expect(fetch(url)).rejects.toThrow(), { timeout: 10_000, interval: 200 });
  await tryIt();
});
