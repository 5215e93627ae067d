/** The folder that `npm run build:static` makes, behind a server that knows nothing of this program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
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
