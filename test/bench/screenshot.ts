/**
 * npx tsx test/bench/screenshot.ts [MODEL] [SAMPLE]: docs/screenshot.png, the client's tab after a private classification of a
 * bundled sample. The client must have been built (npm run build).
 */
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { defaultModel } from '../../scripts/lib/models.ts';
import { startApp } from '../e2e/support/app.ts';
import { shareBundled } from '../e2e/support/pair.ts';

const [model = defaultModel, sample = '16'] = process.argv.slice(2);
const app = await startApp();
try {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await shareBundled(owner, model);
  const client = await app.page({ viewport: { width: 1280, height: 1290 }, deviceScaleFactor: 1.25 });
  await client.goto(await owner.getByTestId('invite').inputValue());
  await client.getByTestId('sample').nth(Number(sample)).click();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await client.getByTestId('result').waitFor({ timeout: 300_000 });
  await client.getByRole('button', { name: 'Check against plaintext' }).click();
  await client.getByText(/Same answer in plaintext|Plaintext says otherwise/).waitFor({ timeout: 60_000 });
  await client.getByText('Prepared for the next image').waitFor({ timeout: 300_000 });
  const file = fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url));
  const { size } = await sharp(await client.screenshot())
    .png({ palette: true, colours: 256, effort: 10 })
    .toFile(file);
  process.stdout.write(`docs/screenshot.png: ${(size / 1000).toFixed(0)} kB\n`);
} finally {
  await app.stop();
}
