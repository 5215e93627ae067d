/**
 * npm run prices -- [--model NAME] [--rtt MS] [--mbps N] [--offline SHARE] --out FILE
 * What each switch of a model's network costs, for `privit search --prices FILE`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseManifest } from '../protocols/index.ts';
import { defaultModel, modelFolder } from './lib/models.ts';
import { readOptions } from './lib/options.ts';
import { pricesOf } from './lib/prices.ts';

const usage = 'npm run prices -- [--model NAME] [--rtt MS] [--mbps N] [--offline SHARE] --out FILE';

async function main(): Promise<void> {
  const values = readOptions(usage, {
    model: { type: 'string', default: defaultModel },
    rtt: { type: 'string', default: '40' },
    mbps: { type: 'string', default: '50' },
    offline: { type: 'string', default: '0.1' },
    out: { type: 'string' },
  });
  const [roundTripMs, mbps, offlineShare] = [Number(values.rtt), Number(values.mbps), Number(values.offline)];
  if (!(roundTripMs >= 0) || !(mbps > 0) || !(offlineShare >= 0))
    throw new Error('--rtt, --offline: expected at least 0; --mbps: more than 0');
  if (!values.out) throw new Error(`--out: expected a file to write\nusage: ${usage}`);
  const manifest = parseManifest(await readFile(`${await modelFolder(values.model)}manifest.json`, 'utf8'));
  const prices = pricesOf(manifest, { roundTripMs, mbps, offlineShare }, (layer) =>
    process.stderr.write(`\rlayer ${layer + 1} of ${manifest.architecture.depth}`),
  );
  const unit = `ms at ${roundTripMs} ms and ${mbps} Mbit/s, the preparation at ${offlineShare}`;
  await writeFile(values.out, `${JSON.stringify({ unit, model: values.model, ...prices }, undefined, 1)}\n`);
  process.stderr.write(`\r${values.out}: ${unit}; ${Math.round(prices.rest)} ms with every switch off\n`);
}

await main();
