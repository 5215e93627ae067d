import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type App, longTasks, screenshotsDir, startApp } from './support/app.ts';
import { classifySample, openRoom, pair } from './support/pair.ts';

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
  await classifySample(client);
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

test('the page stays responsive while the protocol runs', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await owner.waitForTimeout(500);
  await Promise.all([longTasks(owner), longTasks(client)]); // loading is not part of a run
  await client.getByTestId('sample').nth(2).click();
  await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('2');
  const [ofOwner, ofClient] = await Promise.all([longTasks(owner), longTasks(client)]);
  expect(Math.max(0, ...ofOwner)).toBeLessThanOrEqual(50);
  expect(Math.max(0, ...ofClient)).toBeLessThanOrEqual(50);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 390]) {
    test(`screenshots, ${colorScheme}, ${width} pixels`, async () => {
      const options = { colorScheme, viewport: { width, height: width === 390 ? 844 : 900 } };
      const shot = (name: string) => ({
        path: path.join(screenshotsDir, `${name}-${colorScheme}-${width}.png`),
        fullPage: true,
      });
      const start = await app.page(options);
      await start.goto(app.url);
      await start.waitForTimeout(2000);
      await start.screenshot(shot('1-start'));
      const { owner, invite } = await openRoom(app, options);
      await owner.screenshot(shot('2-owner-invite'));
      const client = await app.page(options);
      await client.goto(invite);
      await client.getByTestId('sample').first().waitFor();
      await client.screenshot(shot('3-client-paired'));
      await classifySample(client);
      await client.waitForTimeout(1200);
      await client.screenshot(shot('4-client-result'));
      await owner.screenshot(shot('5-owner-served'));
      for (const page of [start, owner, client]) {
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow, 'the page must not scroll sideways').toBeLessThanOrEqual(0);
      }
    });
  }
}
