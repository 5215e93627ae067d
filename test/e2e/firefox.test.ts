/** The main journey in Firefox: both roles, by link and by typed code, and mixed with Chromium. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { firefoxPath, launchFirefox, poll, resize } from '../support/firefox.ts';
import { type App, nameWithoutHttps, screenshotsDir, startApp } from './support/app.ts';
import { classifySample, openRoom } from './support/pair.ts';

const widths = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

let app: App;
let firefox: Browser;
let pages: Page[] = [];
let errors: string[] = [];

const byTestId = (id: string) => `[data-testid="${id}"]`;

/** A page of its own browser profile; what goes wrong in it is checked at the end of the test. */
async function openPage(url: string, browser = firefox): Promise<Page> {
  const page = await (await browser.createBrowserContext()).newPage();
  pages.push(page);
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => errors.push(String(error)));
  await resize(page, widths[0]);
  // So owners have two Workers for their answers, whatever cores there are.
  await page.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'hardwareConcurrency', { value: 3 }));
  await page.goto(url);
  return page;
}

/** "Try it alone" takes the first model; here the tiny one. */
const onlyTiny = () => {
  const { fetch } = window;
  window.fetch = async (...request) => {
    const response = await fetch(...request);
    if (!response.url.endsWith('/models/index.json')) return response;
    const models: { name: string }[] = await response.json();
    return Response.json(models.filter(({ name }) => name === 'tiny'));
  };
};

const textOf = (page: Page, id: string) => page.$eval(byTestId(id), (element) => (element as HTMLElement).innerText);

/** An element by a CSS selector, or the first button or link with a text. */
const locate = (target: string): Element | undefined =>
  /^[a-z]*[[#.]/.test(target)
    ? (document.querySelector(target) ?? undefined)
    : [...document.querySelectorAll('button, a')].find((element) => element.textContent?.includes(target));
const find = `(${locate})`;
const evaluate = <T>(page: Page, expression: string) => page.evaluate(expression) as Promise<T>;

const appears = (page: Page, target: string) =>
  poll(() => evaluate(page, `${find}(${JSON.stringify(target)}) !== undefined`), target);

/** By the mouse, in the middle of the element. */
async function click(page: Page, target: string): Promise<void> {
  await appears(page, target);
  const { x, y } = await evaluate<{ x: number; y: number }>(
    page,
    `(() => {
      const element = ${find}(${JSON.stringify(target)});
      element.scrollIntoView({ block: 'center' });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    })()`,
  );
  await page.mouse.click(x, y);
}

async function shootFirefox(page: Page, name: string): Promise<void> {
  await mkdir(screenshotsDir, { recursive: true });
  for (const size of widths) {
    await resize(page, size);
    const file = path.join(screenshotsDir, `firefox-${name}-${size.width}.png`) as `${string}.png`;
    await page.screenshot({ path: file, fullPage: true });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${name}, ${size.width} pixels: sideways`).toBeLessThanOrEqual(0);
  }
  await resize(page, widths[0]);
}

async function openFirefoxRoom(): Promise<{ owner: Page; invite: string }> {
  const owner = await openPage(app.url);
  await click(owner, 'Share a model');
  await click(owner, 'button[data-model="tiny"]');
  await appears(owner, byTestId('invite'));
  return { owner, invite: await owner.$eval(byTestId('invite'), (field) => (field as HTMLInputElement).value) };
}

async function classifyInFirefox(client: Page): Promise<void> {
  await click(client, byTestId('sample'));
  await click(client, 'Classify privately');
  await appears(client, byTestId('result'));
}

describe.skipIf(!firefoxPath)('in Firefox', () => {
  beforeAll(async () => {
    app = await startApp();
    firefox = await launchFirefox({ nameOfThisMachine: nameWithoutHttps });
  });
  afterEach(async () => {
    const seen = [...errors, ...app.consoleErrors()];
    for (const page of pages) await page.browserContext().close();
    await app.reset();
    [pages, errors] = [[], []];
    expect(seen).toEqual([]);
  });
  afterAll(async () => {
    await firefox.close();
    await app.stop();
  });

  test('both roles, by the link', async () => {
    const { owner, invite } = await openFirefoxRoom();
    const client = await openPage(invite);
    await appears(client, byTestId('sample'));
    expect(await textOf(client, 'short-code')).toBe(await textOf(owner, 'short-code'));
    await classifyInFirefox(client);
    await expect.poll(() => textOf(owner, 'served'), { timeout: 20_000 }).toBe('1');
    await shootFirefox(client, 'client');
    await shootFirefox(owner, 'owner');
  });

  test('both roles, by the typed code', async () => {
    const { owner } = await openFirefoxRoom();
    await appears(owner, byTestId('code'));
    const code = await textOf(owner, 'code');
    const client = await openPage(app.url);
    await shootFirefox(client, 'start');
    await click(client, '#invite');
    await client.keyboard.type(code);
    await client.keyboard.press('Enter');
    await classifyInFirefox(client);
  });

  test('a page over plain HTTP says what that means, and works', async () => {
    const { invite } = await openFirefoxRoom();
    const client = await openPage(invite.replace('//localhost', `//${nameWithoutHttps}`));
    await appears(client, byTestId('sample'));
    expect(await evaluate(client, 'isSecureContext')).toBe(false);
    expect(await textOf(client, 'plain-http')).toContain('plain HTTP');
    await classifyInFirefox(client);
  });

  test('both sides on one page, in the dark', async () => {
    const dark = await launchFirefox({ dark: true });
    try {
      const page = await openPage(app.url, dark);
      await page.evaluateOnNewDocument(onlyTiny);
      await page.reload();
      await click(page, 'Try it alone');
      await click(page, byTestId('sample'));
      await appears(page, byTestId('result'));
      await expect.poll(() => textOf(page, 'served'), { timeout: 20_000 }).toBe('1');
      const lightness = await page.evaluate(() => {
        const [r, g, b] = getComputedStyle(document.body)
          .backgroundColor.match(/[\d.]+/g)!
          .map(Number);
        return (r + g + b) / 3 / 255;
      });
      expect(lightness).toBeLessThan(0.25);
      await shootFirefox(page, 'alone-dark');
      await page.browserContext().close();
      pages = pages.filter((each) => each !== page);
    } finally {
      await dark.close();
    }
  });

  test('the owner in Firefox, the client in Chromium', async () => {
    const { owner, invite } = await openFirefoxRoom();
    const client = await app.page();
    await client.goto(invite);
    await classifySample(client);
    await expect.poll(() => textOf(owner, 'served'), { timeout: 20_000 }).toBe('1');
  });

  test('the client in Firefox, the owner in Chromium', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await openPage(invite);
    await classifyInFirefox(client);
    await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('1');
  });
});
