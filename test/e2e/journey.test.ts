import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { evaluateReference, inputOf, loadOwnerModel } from '../../protocols/index.ts';
import { type App, longTasks, screenshotsDir, startApp } from './support/app.ts';
import { classifySample, modelButton, openRoom, pair } from './support/pair.ts';

async function readModel(folder: string) {
  const weights = await readFile(path.join(folder, 'weights.bin'));
  return loadOwnerModel({
    manifest: await readFile(path.join(folder, 'manifest.json'), 'utf8'),
    weightsIndex: await readFile(path.join(folder, 'weights.json'), 'utf8'),
    weights: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength) as ArrayBuffer,
  });
}

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterEach(async () => {
  const errors = [...app.consoleErrors()];
  await app.reset();
  expect(errors).toEqual([]);
});
afterAll(() => app.stop());

test('two tabs pair by the invite link and classify a sample', async () => {
  const { owner, client } = await pair(app);
  expect(await owner.getByTestId('peer-state').getAttribute('data-state')).toBe('connected');
  const words = await client.getByTestId('short-code').innerText();
  expect(words.split(' · ')).toHaveLength(4);
  expect(await owner.getByTestId('short-code').innerText()).toBe(words);

  await classifySample(client);
  await expect.poll(() => owner.getByTestId('served').innerText()).toBe('1');

  // The next image needs one gesture and no new pairing.
  await client.getByTestId('sample').nth(1).click();
  await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('2');
  await client.getByTestId('result').waitFor();
});

test('a photograph, a trained model: the answer of plaintext, and the reference’s logits', async (context) => {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').waitFor();
  const trained = modelButton(owner, 'cifar10');
  if ((await trained.count()) === 0) return context.skip('no trained model in model-artifacts/zoo');
  await trained.click();
  const client = await app.page();
  await client.goto(await owner.getByTestId('invite').inputValue());
  await client.getByTestId('sample').nth(16).click();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  const result = client.getByTestId('result');
  await result.waitFor({ timeout: 80_000 });
  const logits = JSON.parse((await result.getAttribute('data-logits'))!) as number[];

  // What the model saw, read from the page, through the integer reference in this process.
  const pixels = Uint8Array.from(
    await client.getByLabel('The crop that the model classifies').evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return [...data].filter((_, i) => i % 4 !== 3);
    }),
  );
  const model = await readModel(path.join(import.meta.dirname, '../../model-artifacts/zoo/cifar10'));
  const reference = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
  const expected = Array.from(reference.logits, (logit) => logit * 2 ** -model.plan.logitFracBits);
  for (const [i, logit] of logits.entries()) expect(Math.abs(logit - expected[i]!)).toBeLessThan(0.1);

  await client.getByRole('button', { name: 'Check against plaintext' }).click();
  await client.getByText('Same answer in plaintext').waitFor();
  await client.waitForTimeout(1200); // the bars grow
  await client.screenshot({ path: path.join(screenshotsDir, 'trained-client.png'), fullPage: true });
  await owner.screenshot({ path: path.join(screenshotsDir, 'trained-owner.png'), fullPage: true });
}, 150_000);

test('the secret is in no request to the server', async () => {
  const { owner, invite } = await openRoom(app);
  const secret = invite.split('.').at(-1)!;
  const client = await app.page();
  const sent: string[] = [];
  for (const page of [owner, client]) {
    page.on('request', (request) => sent.push(request.url()));
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
  }
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.filter((text) => text.includes(secret))).toEqual([]);
});

test('one person plays both sides', async () => {
  const owner = await app.page();
  await owner.goto(app.url);
  const opened = owner.context().waitForEvent('page');
  await owner.getByRole('button', { name: 'Try it alone' }).click();
  const client = await opened;
  await client.getByTestId('sample').first().waitFor();
  expect(await owner.getByTestId('short-code').innerText()).toBe(await client.getByTestId('short-code').innerText());
});

test('a browser that cannot move data channels into Workers relays them through the page', async () => {
  const { owner, invite } = await openRoom(app);
  const client = await app.page();
  await client.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message: unknown, transfer?: Transferable[] | StructuredSerializeOptions) {
      if (Array.isArray(transfer) && transfer.some((object) => (object as unknown) instanceof RTCDataChannel)) {
        throw new DOMException('not transferable', 'DataCloneError');
      }
      return (post as (message: unknown, transfer?: unknown) => void).call(this, message, transfer);
    };
  });
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  await classifySample(client);
  expect(await owner.getByTestId('served').innerText()).toBe('1');
});

/**
 * Long tasks are counted by the wall clock, and on a machine that is busy otherwise they hold other programs' time too.
 * So their time on the processor is measured as well, and that is what must stay below 50 ms.
 */
test('the page stays responsive while the protocol runs', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await owner.waitForTimeout(500);
  await Promise.all([longTasks(owner), longTasks(client)]); // loading is not part of a run
  await app.browser.startTracing(client, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await client.getByTestId('sample').nth(2).click();
  await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('2');
  await client.getByTestId('result').waitFor();
  const trace = JSON.parse((await app.browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const [ofOwner, ofClient] = await Promise.all([longTasks(owner), longTasks(client)]);
  console.info(`long tasks by the wall clock: owner ${ofOwner.map(Math.round)}, client ${ofClient.map(Math.round)} ms`);

  const mainThreads = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = trace.traceEvents.filter(
    ({ name, pid, tid }) => name === 'RunTask' && mainThreads.has(`${pid} ${tid}`),
  );
  expect(tasks.length).toBeGreaterThan(50);
  const longestMs = Math.max(...tasks.map(({ tdur }) => (tdur ?? 0) / 1000));
  expect(longestMs).toBeGreaterThan(0);
  expect(longestMs).toBeLessThanOrEqual(50);
});

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Microseconds on the processor. */
  tdur?: number;
  args?: { name?: string };
}

test('screenshots at 1280 and 390 pixels, light and dark; nothing scrolls sideways', async () => {
  const shoot = async (page: Page, name: string) => {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(300); // transitions of colours
        await page.screenshot({
          path: path.join(screenshotsDir, `${name}-${colorScheme}-${width}.png`),
          fullPage: true,
        });
      }
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, `${name}, ${width} pixels`).toBeLessThanOrEqual(0);
    }
  };
  const { owner, invite } = await openRoom(app);
  const start = await app.page();
  await start.goto(app.url);
  await start.waitForTimeout(2000); // the picture appears
  await shoot(start, '1-start');
  await shoot(owner, '2-owner-invite');
  const client = await app.page();
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  await shoot(client, '3-client-paired');
  await classifySample(client);
  await client.waitForTimeout(1200); // the bars grow
  await shoot(client, '4-client-result');
  await shoot(owner, '5-owner-served');
});
