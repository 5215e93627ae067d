/**
 * npx tsx test/bench/newcomer.ts [FOLDER]: `npm run demo` there (a fresh clone; here by default), then what a newcomer does with
 * only the README: open the page, "Try it alone", a sample. Prints the seconds from the demo having started to the first private
 * result with both sides in view, three seconds of reading before each click included; fails above half a minute.
 */
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import path from 'node:path';
import { observeUpdates, updatesOf } from '../e2e/support/observe.ts';
import { launchChromium } from '../support/chromium.ts';

const readingMs = 3000;
const port = 3100 + Math.floor(Math.random() * 800);
const demo = spawn('npm', ['run', 'demo'], {
  cwd: path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '../..')),
  env: { ...process.env, PORT: String(port) },
  stdio: ['ignore', 'pipe', 'inherit'],
  detached: true,
});

/** With all that npm started; after an interruption too, since a group of its own gets no Ctrl-C. */
function endDemo(): void {
  try {
    process.kill(-demo.pid!, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    endDemo();
    process.exit(code);
  });
}

try {
  const url = await new Promise<string>((resolve, reject) => {
    let printed = '';
    demo.stdout.on('data', (chunk) => {
      printed += chunk;
      const address = /Blindsight: (http:\S+)/.exec(printed)?.[1];
      if (address) resolve(address);
    });
    demo.on('close', (code) => reject(new Error(`npm run demo ended with ${code}`)));
  });
  const browser = await launchChromium([
    '--disable-gpu',
    // Without a network but the loopback, WebRTC finds no candidates unless it may use that one, by its address.
    '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
  ]);
  try {
    const startedMs = Date.now();
    const since = () => (Date.now() - startedMs) / 1000;
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const client = await context.newPage();
    await client.goto(url);
    await client.waitForTimeout(readingMs);
    await client.getByRole('button', { name: 'Try it alone' }).click();
    await client.getByTestId('sample').first().waitFor({ timeout: 60_000 });
    const paired = since();
    await observeUpdates(client, 'time-offline');
    await client.waitForTimeout(readingMs);
    await observeUpdates(client, 'time-online');
    await client.getByTestId('sample').nth(16).click();
    await client.getByTestId('result').waitFor({ timeout: 300_000 });
    const seconds = since();
    for (const side of ['top-label', 'served'])
      if (!(await client.getByTestId(side).isVisible())) throw new Error(`${side} is not in view`);
    const perSecond = async (id: string) => {
      const updates = await updatesOf(client, id);
      return ((1000 * updates.length) / (updates.at(-1)! - updates[0])).toFixed(1);
    };
    const [online, offline] = [await perSecond('time-online'), await perSecond('time-offline')];
    const text = async (id: string) => (await client.getByTestId(id).innerText()).replaceAll(/\s+/g, ' ');
    process.stdout.write(
      `${seconds.toFixed(1)} s from the demo to the first private result (${(2 * readingMs) / 1000} s of it reading; paired after ${paired.toFixed(1)} s)\n` +
        `answer ${await text('top-label')}; with the image ${await text('cost-online')}, before it ${await text('cost-offline')}\n` +
        `meters drawn ${online} times a second online, ${offline} in the preparation (pauses while waiting included); load ${loadavg()[0].toFixed(1)}\n`,
    );
    if (seconds > 30) process.exitCode = 1;
  } finally {
    await browser.close();
  }
} finally {
  endDemo();
}
