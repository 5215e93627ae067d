import type { BrowserContextOptions, Locator, Page, Route } from 'playwright-core';
import { expect } from 'vitest';
import type { App } from './app.ts';

/**
 * The owner's page with an open room, and its invite link.
 * @param onPage sees the page before it loads anything
 */
export async function openRoom(
  app: App,
  options?: BrowserContextOptions,
  onPage: (page: Page) => void = () => {},
): Promise<{ owner: Page; invite: string }> {
  const owner = await app.page(options);
  onPage(owner);
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').click();
  return { owner, invite: await owner.getByTestId('invite').inputValue() };
}

export const modelButton = (owner: Page, name: string): Locator => owner.locator(`button[data-model="${name}"]`);

/** Share a bundled model, wherever on its data set's slider it is. */
export async function shareBundled(owner: Page, name: string): Promise<void> {
  await owner.locator('button[data-model]').first().waitFor();
  const slider = owner.locator(`input[data-models~="${name}"]`);
  if (await slider.count()) {
    const names = (await slider.getAttribute('data-models'))!.split(' ');
    await slider.fill(String(names.indexOf(name)));
  }
  await modelButton(owner, name).click();
}

/** Both sides on one page, with the tiny model. */
export async function tryAlone(app: App): Promise<Page> {
  const page = await app.page();
  await page.route('**/models/index.json', async (route) => {
    const response = await route.fetch();
    const models = ((await response.json()) as { name: string }[]).filter(({ name }) => name === 'tiny');
    await route.fulfill({ response, json: models });
  });
  await page.goto(app.url);
  await page.getByRole('button', { name: 'Try it alone' }).click();
  await page.getByTestId('sample').first().waitFor();
  return page;
}

/** Both pages, connected, with the owner's manifest shown. */
export async function pair(
  app: App,
  options?: BrowserContextOptions,
): Promise<{ owner: Page; client: Page; invite: string }> {
  const { owner, invite } = await openRoom(app, options);
  const client = await app.page(options);
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  return { owner, client, invite };
}

export async function classifySample(client: Page, index = 0): Promise<void> {
  await client.getByTestId('sample').nth(index).click();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await client.getByTestId('result').waitFor({ timeout: 60_000 });
}

/** Of a client's page before it loads: its first Worker sends the first chunks of a classification, and no more. */
export async function stallClassification(client: Page): Promise<void> {
  const serve = async (route: Route) => {
    const response = await route.fetch();
    const stall = `{
      let left = Infinity;
      addEventListener('message', ({ data }) => { if (data.type === 'classify') left = 3; });
      const { send } = RTCDataChannel.prototype;
      RTCDataChannel.prototype.send = function (chunk) { if (left-- > 0) send.call(this, chunk); };
    }`;
    await route.fulfill({ response, body: stall + (await response.text()) });
  };
  await client.route('**/protocol.worker-*.js', serve, { times: 1 });
}

/** Classifies up to the middle, in a page that stalls there: both tabs are computing on shares. */
export async function classifyHalf(owner: Page, client: Page): Promise<void> {
  await client.getByTestId('sample').first().click();
  await client.getByText('Prepared, waiting for an image').waitFor();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  for (const page of [client, owner]) await page.getByText('Computing on shares').waitFor();
  expect(await client.getByTestId('result').count()).toBe(0);
}

/** The second picture and every later one: one click. Waits for its own answer, not for the one before, which stays meanwhile. */
export async function classifyNext(client: Page, index: number): Promise<void> {
  await client.getByTestId('result').evaluate((before) => {
    before.dataset.testid = 'result before';
  });
  await client.getByTestId('sample').nth(index).click();
  await client.getByTestId('result').waitFor({ timeout: 60_000 });
}

export const alert = (page: Page, text: string | RegExp): Locator => page.getByRole('alert').filter({ hasText: text });

/** What is said without alarm. */
export const said = (page: Page, text: string | RegExp): Locator => page.getByRole('status').filter({ hasText: text });

/** What a page asks of the server and tells it, from its first request on. */
export function sentToServer(page: Page): string[] {
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url()));
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
  return sent;
}
