/**
 * npm run frontier -- --record FOLDER --method NAME [--seed N] [--times N] --image FILE --into FILE.json
 * Adds an exported network to the recorded points of a data set: accuracy by its card, bytes and flights by its plan, seconds as
 * `npm run classify` measures them. `python -m privit frontier --points FILE.json --out PNG` draws them and prints the table.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { countSwitches } from '../client/src/live/networkShape.ts';
import { costOf } from '../client/src/worker/costOf.ts';
import { parseManifest } from '../protocols/index.ts';
import { accuracyOf } from '../signaling-server/modelCard.ts';
import { root } from './lib/commands.mjs';
import { modelFolder } from './lib/models.ts';
import { readOptions } from './lib/options.ts';

const usage = 'npm run frontier -- --record FOLDER --method NAME [--seed N] [--times N] --image FILE --into FILE.json';

/** One network. Bytes of both directions and flights by the plan, which is exact; seconds are medians. */
interface Point {
  readonly name: string;
  /** `faithful` (PriViT's switches alone), `cost-aware`, or a baseline's name. */
  readonly method: string;
  readonly seed: number;
  readonly blocks: number;
  readonly tokens: number;
  readonly softmaxRows: number;
  readonly geluTokens: number;
  /** Of the integers, 0 to 1. */
  readonly accuracy: number;
  /** Held-out ones that it was measured on; null where the card has the float network's validation alone. */
  readonly images: number | null;
  readonly onlineBytes: number;
  readonly offlineBytes: number;
  readonly flights: number;
  readonly onlineSeconds: number;
  readonly offlineSeconds: number;
  /** The day of the seconds. */
  readonly date: string;
}

async function main(): Promise<void> {
  const values = readOptions(usage, {
    record: { type: 'string' },
    method: { type: 'string' },
    seed: { type: 'string', default: '0' },
    times: { type: 'string', default: '3' },
    image: { type: 'string' },
    into: { type: 'string' },
  });
  const { record, method, image, into } = values;
  const [seed, times] = [Number(values.seed), Number(values.times)];
  if (!record || !method || !image || !into || !Number.isInteger(seed) || !(times >= 1))
    throw new Error(`usage: ${usage}`);
  const folder = await modelFolder(record);
  const manifestJson = await readFile(`${folder}manifest.json`, 'utf8');
  const manifest = parseManifest(manifestJson);
  const accuracy = accuracyOf(await readFile(`${folder}card.md`, 'utf8'));
  if (!accuracy) throw new Error(`${folder}card.md: expected an accuracy; \`python -m privit measure\` writes one`);
  const { onlineBytes, offlineBytes, flights } = costOf(manifestJson);
  const seconds = await secondsOf(folder, image, times);
  const { softmaxExact: softmaxRows, geluExact: geluTokens } = countSwitches(manifest);
  const { depth: blocks, tokens } = manifest.architecture;
  const point: Point = {
    ...{ name: path.basename(folder), method, seed, blocks, tokens, softmaxRows, geluTokens },
    ...{
      accuracy: Number(accuracy.top1.toFixed(4)),
      images: accuracy.testImages,
      onlineBytes,
      offlineBytes,
      flights,
      ...seconds,
    },
    date: new Date().toISOString().slice(0, 10),
  };
  const before: Point[] = JSON.parse(await readFile(into, 'utf8').catch(() => '[]'));
  const points = [...before.filter(({ name }) => name !== point.name), point];
  await writeFile(
    into,
    `${JSON.stringify(
      points.toSorted((a, b) => a.onlineBytes - b.onlineBytes),
      undefined,
      2,
    )}\n`,
  );
  process.stdout.write(`${JSON.stringify(point)}\n`);
}

/** Medians of whole runs, both parties on this machine. */
async function secondsOf(model: string, image: string, times: number) {
  const args = ['--import', 'tsx', 'scripts/classify.ts', '--model', model, '--image', path.resolve(image), '--json'];
  const runs: { offlineSeconds: number; onlineSeconds: number }[] = [];
  for (let i = 0; i < times; i++) {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 1 << 26 });
    const { offline, online } = JSON.parse(stdout).phases;
    runs.push({ offlineSeconds: offline.elapsedMs / 1000, onlineSeconds: online.elapsedMs / 1000 });
  }
  const median = (key: keyof (typeof runs)[number]) =>
    Number(
      runs
        .map((run) => run[key])
        .toSorted((a, b) => a - b)
        [times >> 1].toFixed(2),
    );
  return { offlineSeconds: median('offlineSeconds'), onlineSeconds: median('onlineSeconds') };
}

await main();
