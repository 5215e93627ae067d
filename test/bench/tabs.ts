/**
 * npx tsx test/bench/tabs.ts [MODEL|FOLDER|FILE.blindsight] [PICTURE …] [--cores N]: private classifications between two Chromium tabs of this machine, over
 * WebRTC; what the client's page says they cost, where the first one's processor time goes online, and the memory of the two tabs. A bundled model's samples are classified where no picture is given.
 * The client must have been built (npm run build). --cores: how many the pages believe that there are, for the owner's Workers.
 */
import { readdir, readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { publicPartFile } from '../../protocols/index.ts';
import { defaultModel, modelNames } from '../../scripts/lib/models.ts';
import { type App, startApp } from '../e2e/support/app.ts';
import { shareBundled } from '../e2e/support/pair.ts';

/** A full-size model is prepared in minutes on a busy machine. */
const patienceMs = 20 * 60_000;
const samplesTaken = 3;

/** By the clock: looking at every frame, as Playwright does, makes the page draw every frame. */
const untilText = (page: Page, testId: string, text: string) =>
  page.waitForFunction(
    ([id, wanted]) => document.querySelector(`[data-testid=${id}]`)?.textContent?.includes(wanted),
    [testId, text] as const,
    { timeout: patienceMs, polling: 100 },
  );

/** What the page says when the first image can be classified. */
async function readPrediction(client: Page): Promise<string> {
  await untilText(client, 'prediction', 'The answer will take about');
  return client.getByTestId('prediction').innerText();
}

/**
 * Watches the resident memory of a browser's largest page process, of Linux only: the page and its Workers are one process.
 * Sampled, since the kernel's own high-water mark is not kept everywhere.
 */
class MemoryWatch {
  peakMiB = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly browser: Browser) {
    this.#timer = setInterval(() => void this.#look().catch(() => {}), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const session = await this.browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    for (const { type, id } of processInfo) {
      if (type !== 'renderer') continue;
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
      for (const [, kib] of status.matchAll(/^Vm(?:RSS|HWM):\s+(\d+) kB/gm))
        this.peakMiB = Math.max(this.peakMiB, Number(kib) / 1024);
    }
  }
}

/** What a thread is for, by its name (at most 15 letters on Linux) and its process. */
function purpose(process: string, thread: string): string {
  if (thread.startsWith('DedicatedWorker')) return 'protocol';
  if (/WebRTC|Network|rtc|IOT|IO_?[Tt]hread/i.test(thread)) return 'travelling';
  if (process === 'GPU' || /Compositor/.test(thread)) return 'drawing';
  if (process === 'renderer' && thread === 'chromium') return 'pages: events, layout, paint';
  if (/ThreadPool/.test(thread)) return 'helpers: compilation, collection, raster';
  return 'rest';
}

/** Processor seconds of two browsers so far, by purpose; of Linux only. */
async function processorSeconds(browsers: readonly Browser[]): Promise<Map<string, number>> {
  const ticksPerSecond = 100;
  const seconds = new Map<string, number>();
  for (const browser of browsers) {
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    for (const { type, id } of processInfo) {
      for (const thread of await readdir(`/proc/${id}/task`).catch(() => [])) {
        const stat = await readFile(`/proc/${id}/task/${thread}/stat`, 'utf8').catch(() => '');
        const [, name, rest] = /\((.*)\) (.*)/.exec(stat) ?? [];
        if (name === undefined) continue;
        const fields = rest.split(' ');
        const key = purpose(type, name);
        seconds.set(key, (seconds.get(key) ?? 0) + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond);
      }
    }
  }
  return seconds;
}

function saySeconds(phase: string, before: Map<string, number>, after: Map<string, number>): void {
  const shares = [...after].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const);
  for (const [key, value] of shares.toSorted((a, b) => b[1] - a[1]))
    say(`processor of both browsers ${phase}, ${key}: ${value.toFixed(2)} s`);
}

async function pageOf(app: App): Promise<Page> {
  const page = await app.page();
  if (cores !== undefined)
    await page.addInitScript(
      (value) => Object.defineProperty(navigator, 'hardwareConcurrency', { value }),
      Number(cores),
    );
  return page;
}

/** The owner's page with the model in it. */
async function shareModel(app: App, model: string): Promise<Page> {
  const owner = await pageOf(app);
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  if ((await modelNames()).includes(model)) {
    await shareBundled(owner, model);
    return owner;
  }
  const names = ['manifest.json', 'weights.json', 'weights.bin', publicPartFile];
  const present = model.endsWith('.blindsight') ? [] : await readdir(model);
  const files = names.filter((name) => present.includes(name)).map((name) => path.join(model, name));
  await owner.locator('input[type=file]').setInputFiles(files.length > 0 ? files : [model]);
  return owner;
}

const {
  positionals: [model = defaultModel, ...pictures],
  values: { cores },
} = parseArgs({ allowPositionals: true, options: { cores: { type: 'string' } } });
// A browser for each party: a page process then belongs to one of them for certain.
const app = await startApp();
const elsewhere = await startApp();
const memory = [new MemoryWatch(elsewhere.browser), new MemoryWatch(app.browser)];
const say = (line: string) => process.stdout.write(`${line}\n`);
try {
  const owner = await shareModel(app, model);
  const startedMs = performance.now();
  const browsers = [app.browser, elsewhere.browser];
  const client = await pageOf(elsewhere);
  const atStart = await processorSeconds(browsers);
  await client.goto(await owner.getByTestId('invite').inputValue({ timeout: patienceMs }));
  await client.getByTestId('file').waitFor({ state: 'attached', timeout: patienceMs });
  const samples = pictures.length > 0 ? 0 : samplesTaken;
  const choose = async (i: number) => {
    if (samples > 0) return client.getByTestId('sample').nth(i).click();
    const name = path.basename(pictures[i]);
    const mimeType = name.endsWith('.png') ? 'image/png' : 'image/jpeg';
    return client.getByTestId('file').setInputFiles({ name, mimeType, buffer: await readFile(pictures[i]) });
  };
  if (samples > 0) await client.getByTestId('sample').first().waitFor({ timeout: patienceMs });
  for (let i = 0; i < (samples || pictures.length); i++) {
    await choose(i);
    let before: Map<string, number> | undefined;
    if (i === 0) {
      say(await readPrediction(client));
      say(`ready ${((performance.now() - startedMs) / 1000).toFixed(1)} s after the link was opened`);
      before = await processorSeconds(browsers);
      saySeconds('until ready', atStart, before);
      await client.getByRole('button', { name: 'Classify privately' }).click({ timeout: patienceMs });
    }
    await untilText(owner, 'served', String(i + 1));
    await client.getByTestId('result').waitFor({ timeout: patienceMs });
    if (before) {
      saySeconds('online', before, await processorSeconds(browsers));
    }
    await client.waitForTimeout(1500);
    const cost = async (phase: string) =>
      (await client.getByTestId(`cost-${phase}`).innerText()).replaceAll(/\s+/g, ' ');
    const { predictedMs, measuredMs } = await client
      .getByTestId('prediction')
      .evaluate((element) => ({ ...(element as HTMLElement).dataset }));
    const line = await client.locator('dl').first().innerText();
    say((await client.getByTestId('result').innerText()).split('\n').slice(0, 3).join(' '));
    say(
      `online predicted ${Math.round(Number(predictedMs))} ms, took ${Math.round(Number(measuredMs))} ms on ${line.replaceAll(/\s+/g, ' ')}`,
    );
    say(`load ${loadavg()[0].toFixed(1)}: online ${await cost('online')}, offline ${await cost('offline')}`);
    const [ofClient, ofOwner] = memory.map(({ peakMiB }) => peakMiB.toFixed(0));
    say(`peak resident memory: client's tab ${ofClient} MiB, owner's tab ${ofOwner} MiB`);
  }
  // What was measured is a page that works.
  const errors = [...app.consoleErrors(), ...elsewhere.consoleErrors()];
  if (errors.length > 0) throw new Error(`the pages reported ${errors.length} errors, the first: ${errors[0]}`);
} finally {
  for (const watch of memory) watch.stop();
  await Promise.all([app.stop(), elsewhere.stop()]);
}
