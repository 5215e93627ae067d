/**
 * npx tsx test/bench/demo.ts [MODEL] [SAMPLE]: docs/demo.webp, the moving picture of “Try it alone” from the first click to the
 * answer, both sides in view. Taken from the app as it runs, in its own time; a pause in which nothing changes is one frame.
 * The client must have been built (npm run build).
 */
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { defaultModel } from '../../scripts/lib/models.ts';
import { startApp } from '../e2e/support/app.ts';

const [model = defaultModel, sample = '16'] = process.argv.slice(2);
const width = 960;
const maxBytes = 3e6;
/** Between two pictures, at least; taking one takes some of it. */
const frameMs = 250;
const endMs = 4000;

interface Frame {
  picture: Buffer;
  atMs: number;
}

const app = await startApp();
try {
  const page = await app.page({ viewport: { width: 1280, height: 860 } });
  // The model to show is the first that the page is told of.
  await page.route('**/models/index.json', async (route) => {
    const response = await route.fetch();
    const models = ((await response.json()) as { name: string }[]).filter(({ name }) => name === model);
    await route.fulfill({ response, json: models });
  });
  await page.goto(app.url);
  await page.waitForTimeout(1500);

  const frames: Frame[] = [];
  const startedMs = performance.now();
  let isRunning = true;
  const filming = (async () => {
    while (isRunning) {
      const atMs = performance.now() - startedMs;
      // On a busy machine a page may draw no frame for a while; then the one before stands longer.
      const picture = await page.screenshot({ timeout: 5000 }).catch(() => undefined);
      if (picture && !frames.at(-1)?.picture.equals(picture)) frames.push({ picture, atMs });
      await page.waitForTimeout(Math.max(0, frameMs - (performance.now() - startedMs - atMs)));
    }
  })();
  await page.waitForTimeout(1500);
  await page.getByRole('button', { name: 'Try it alone' }).click();
  await page.getByTestId('sample').first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(1000);
  const clickedMs = performance.now() - startedMs;
  await page.getByTestId('sample').nth(Number(sample)).click();
  await page.getByTestId('result').waitFor({ timeout: 300_000 });
  const answeredMs = performance.now() - startedMs;
  await page.waitForTimeout(1200);
  isRunning = false;
  await filming;

  const delay = frames.map(({ atMs }, i) => Math.round((frames[i + 1]?.atMs ?? atMs + endMs) - atMs));
  const height = Math.round((width * 860) / 1280);
  const scaled = await Promise.all(frames.map(({ picture }) => sharp(picture).resize(width, height).png().toBuffer()));
  const file = fileURLToPath(new URL('../../docs/demo.webp', import.meta.url));
  for (const quality of [75, 60, 45, 30]) {
    const { size } = await sharp(scaled, { join: { animated: true } })
      .webp({ quality, delay, loop: 0, effort: 4 })
      .toFile(file);
    process.stdout.write(
      `docs/demo.webp: ${frames.length} pictures, ${(size / 1e6).toFixed(2)} MB at quality ${quality}; ` +
        `sample chosen after ${(clickedMs / 1000).toFixed(1)} s, answer after ${(answeredMs / 1000).toFixed(1)} s\n`,
    );
    if (size < maxBytes) break;
    if (quality === 30) throw new Error(`docs/demo.webp: expected fewer than ${maxBytes} bytes, got ${size}`);
  }
} finally {
  await app.stop();
}
