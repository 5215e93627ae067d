/**
 * npx tsx test/bench/tabs.ts [MODEL]: private classifications between two Chromium tabs of this machine; what the client's page says they cost.
 * The client must have been built (npm run build).
 */
import { loadavg } from 'node:os';
import type { Page } from 'playwright-core';
import { defaultModel } from '../../scripts/lib/models.ts';
import { startApp } from '../e2e/support/app.ts';
import { modelButton } from '../e2e/support/pair.ts';

/** What the page says when the first image can be classified. */
async function readPrediction(client: Page): Promise<string> {
  await client.getByText(/The answer will take about/).waitFor({ timeout: 120_000 });
  return client.getByTestId('prediction').innerText();
}

const app = await startApp();
try {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, process.argv[2] ?? defaultModel).click();
  const client = await app.page();
  await client.goto(await owner.getByTestId('invite').inputValue());
  await client.getByTestId('sample').first().waitFor();
  for (let i = 0; i < 3; i++) {
    await client.getByTestId('sample').nth(i).click();
    if (i === 0) process.stdout.write(`${await readPrediction(client)}\n`);
    if (i === 0) await client.getByRole('button', { name: 'Classify privately' }).click();
    await owner.waitForFunction(
      (served) => document.querySelector('[data-testid=served]')?.textContent === String(served),
      i + 1,
      { timeout: 120_000 },
    );
    await client.waitForTimeout(1500);
    const cost = async (phase: string) =>
      (await client.getByTestId(`cost-${phase}`).innerText()).replaceAll(/\s+/g, ' ');
    const { predictedMs, measuredMs } = await client
      .getByTestId('prediction')
      .evaluate((element) => ({ ...(element as HTMLElement).dataset }));
    const line = await client.locator('dl').first().innerText();
    process.stdout.write(
      `online predicted ${Math.round(Number(predictedMs))} ms, took ${Math.round(Number(measuredMs))} ms on ${line.replaceAll(/\s+/g, ' ')}\n`,
    );
    process.stdout.write(
      `load ${loadavg()[0].toFixed(1)}: online ${await cost('online')}, offline ${await cost('offline')}\n`,
    );
  }
} finally {
  await app.stop();
}
