/** Starts the signaling server and Chromium for the journeys. */
import { access, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { createSignalingServer, type SignalingServer } from '../../../signaling-server/server.ts';
import { launchChromium } from '../../support/chromium.ts';
import { TINY_SAMPLES, tinySample } from '../../support/tinySamples.ts';

const repository = path.join(import.meta.dirname, '../../..');
export const screenshotsDir = process.env.SCREENSHOTS_DIR ?? path.join(repository, 'test-results/screenshots');

/** Leads to this machine too. Unlike localhost it is no secure context to the browser: as an address in a network is. */
export const nameWithoutHttps = 'other-device.test';

export interface App {
  readonly url: string;
  readonly browser: Browser;
  /** The models that its server has. */
  readonly modelsDir: string;
  /** A page of its own browser profile; its console errors are collected and checked at the end of the test. */
  page(options?: BrowserContextOptions): Promise<Page>;
  consoleErrors(): string[];
  /** Stops the server; the function starts it again on the same port, with nothing remembered. */
  stopServer(): Promise<() => Promise<void>>;
  restartServer(): Promise<void>;
  /** Closes the pages of a test. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Error when the client has not been built, or when there is no browser. */
export async function startApp(): Promise<App> {
  const distDir = path.join(repository, 'client/dist');
  await access(path.join(distDir, 'index.html')).catch(() => {
    throw new Error('client/dist is missing: run `npm run build` first.');
  });
  const browser = await launchChromium([
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Without a network but the loopback, WebRTC finds no candidates unless it may use that one …
    '--allow-loopback-in-peer-connection',
    // … by its address: names by mDNS need multicast.
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    `--host-resolver-rules=MAP ${nameWithoutHttps} 127.0.0.1`,
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
  ]);
  const modelsDir = await prepareModels();
  const modelFiles = new Set(await readdir(modelsDir, { recursive: true }));
  await mkdir(screenshotsDir, { recursive: true });
  const start = (port: number) => createSignalingServer({ port, distDir, modelsDir, modelFiles });
  let server: SignalingServer = await start(0);
  const stopServer = async () => {
    const { port } = server;
    await server.stop();
    return async () => {
      server = await start(port);
    };
  };
  let contexts: BrowserContext[] = [];
  let errors: string[] = [];
  return {
    url: `http://localhost:${server.port}/`,
    browser,
    modelsDir,
    async page(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      contexts.push(context);
      context.setDefaultTimeout(20_000);
      context.on('page', (page) => {
        // The browser itself reports a server that is gone; the app shows it in its own words.
        const isExpected = (text: string, url: string) =>
          /WebSocket connection to .* failed|WebSocket is already in CLOSING|net::ERR_CONNECTION_REFUSED/.test(text) ||
          // What isolates a page from others is for HTTPS only.
          (/Cross-Origin-Opener-Policy header has been ignored/.test(text) && url.includes(nameWithoutHttps));
        page.on('console', (message) => {
          if (message.type() === 'error' && !isExpected(message.text(), message.location().url))
            errors.push(message.text());
        });
        page.on('pageerror', (error) => errors.push(String(error)));
      });
      return context.newPage();
    },
    consoleErrors: () => errors,
    stopServer,
    async restartServer() {
      const startServer = await stopServer();
      await startServer();
    },
    async reset() {
      for (const context of contexts) await context.close();
      contexts = [];
      errors = [];
    },
    async stop() {
      await browser.close();
      await server.stop();
      await rm(modelsDir, { recursive: true });
    },
  };
}

/** The bundled models and, for journeys that need no real one, the tiny artifact with samples of its own. */
async function prepareModels(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-models-'));
  const zoo = path.join(repository, 'model-artifacts/zoo');
  for (const entry of await readdir(zoo, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await cp(path.join(zoo, entry.name), path.join(folder, entry.name), { recursive: true });
  }
  const tiny = path.join(folder, 'tiny');
  await cp(path.join(repository, 'test/vectors/tiny'), tiny, { recursive: true });
  await mkdir(path.join(tiny, 'samples'));
  const samples = [];
  for (const [i, background] of TINY_SAMPLES.entries()) {
    const file = `sample${i}.png`;
    await writeFile(path.join(tiny, 'samples', file), await tinySample(background));
    samples.push({ file, label: `plain ${background}`, source: 'made by the test' });
  }
  await writeFile(path.join(tiny, 'samples/samples.json'), JSON.stringify(samples));
  return folder;
}
