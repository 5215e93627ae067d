/** docs/bring-your-own.md, walked: from a checkpoint and a folder of pictures to an answer in a browser tab. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { evaluateReference, prepareImage, publicInput } from '../../protocols/index.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { runOnnx } from '../../scripts/lib/onnxRunner.ts';
import { python, setUpPython } from '../../scripts/lib/python.mjs';
import { endlessOnnx } from '../support/endlessOnnx.ts';
import { alert, said } from './support/pair.ts';
import { useApp } from './support/useApp.ts';

const root = path.join(import.meta.dirname, '../..');
const pictures = path.join(root, 'model-artifacts/zoo/cifar10/samples');
const start = promisify(execFile);

/** A checkpoint of random weights, as people have them: timm's names, a folder with its config.json. */
async function writeCheckpoint(folder: string): Promise<string> {
  await setUpPython();
  const program =
    'import sys, pathlib, checkpoints; print(checkpoints.write(pathlib.Path(sys.argv[1]), "layer scale")[0])';
  const PYTHONPATH = path.join(root, 'model-artifacts/tests_vit');
  const { stdout } = await start(python, ['-c', program, folder], { env: { ...process.env, PYTHONPATH } });
  return stdout.trim();
}

/** The same model with another public part. */
async function replacePublicPart(model: string, onnx: Uint8Array): Promise<void> {
  const file = path.join(model, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  const sha256 = createHash('sha256').update(onnx).digest('hex');
  await writeFile(file, JSON.stringify({ ...manifest, publicPart: { blocks: 1, bytes: onnx.length, sha256 } }));
  await writeFile(path.join(model, 'public.onnx'), onnx);
}

/** Of the folder's pictures the one whose label is surest, with that label: the integer plan's, computed in the open. */
async function surest(model: string): Promise<{ file: string; label: string }> {
  const { plan, weights, manifest, publicPart } = await readModel(model);
  let best = { file: '', label: '', margin: Number.NEGATIVE_INFINITY };
  for (const name of await readdir(pictures)) {
    if (name.endsWith('.json')) continue;
    const file = path.join(pictures, name);
    const pixels = prepareImage(await readImage(file), manifest.preprocessing);
    const input = await publicInput(pixels, manifest, publicPart, runOnnx);
    const logits = evaluateReference(plan, weights, input).named('logits');
    const [first, second] = [...logits].sort((a, b) => b - a);
    if (first - second > best.margin)
      best = { file, label: manifest.labels[logits.indexOf(first)], margin: first - second };
  }
  return best;
}

const app = useApp();

async function importCheckpoint(...options: string[]): Promise<{ model: string; bundle: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-import-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoint = await writeCheckpoint(path.join(folder, 'checkpoint'));
  const model = path.join(folder, 'my-model');
  const command = ['import', '--silent', '--', checkpoint, '--images', pictures, '--out', model, ...options];
  const { bundle } = JSON.parse((await start('npm', ['run', ...command], { cwd: root })).stdout);
  return { model, bundle };
}

/** An owner's page that shares these files, and a client's that has its link. */
async function pairWith(files: string | string[]): Promise<{ owner: Page; client: Page }> {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await owner.getByLabel('Files of your model').setInputFiles(files);
  const client = await app.page();
  await client.goto(await owner.getByTestId('invite').inputValue());
  return { owner, client };
}

async function classify(client: Page, file: string): Promise<void> {
  await client.getByTestId('file').setInputFiles(file);
  await client.getByRole('button', { name: 'Classify privately' }).click();
}

test('from a checkpoint to an answer in a tab', { timeout: 600_000 }, async () => {
  const { model, bundle } = await importCheckpoint();
  expect(bundle).toBe(`${model}.blindsight`);
  const { owner, client } = await pairWith(bundle);
  // Of the 20 pictures, those that were held out.
  await expect.poll(() => client.getByTestId('sample').count()).toBe(4);
  const { file, label } = await surest(model);
  await classify(client, file);
  await client.getByTestId('result').waitFor({ timeout: 120_000 });
  expect(await client.getByTestId('top-label').innerText()).toBe(label);
  expect(await alert(owner, '').count()).toBe(0);
});

test('a public part runs in the client’s tab; one without an end is cancelled, one that does not run is said', {
  timeout: 600_000,
}, async () => {
  const { model, bundle } = await importCheckpoint('--public-blocks', '1');
  const { file, label } = await surest(model);
  const { client } = await pairWith(bundle);
  const onnxWorkers = (page: Page) => page.workers().filter((worker) => worker.url().includes('onnx')).length;
  await classify(client, file);
  await client.getByTestId('result').waitFor({ timeout: 120_000 });
  expect(await client.getByTestId('top-label').innerText()).toBe(label);
  expect(onnxWorkers(client)).toBe(1);

  const names = ['manifest.json', 'weights.json', 'weights.bin', 'public.onnx'];
  const files = names.map((name) => path.join(model, name));
  await replacePublicPart(model, endlessOnnx);
  const endless = await pairWith(files);
  await classify(endless.client, file);
  // Only then: a Cancel during the preparation would end a session that has run nothing.
  await endless.client.getByText('Computing what is no secret').waitFor({ timeout: 120_000 });
  await expect.poll(() => onnxWorkers(endless.client)).toBe(1);
  await endless.client.getByRole('button', { name: 'Cancel', exact: true }).click();
  await said(endless.client, 'You cancelled').waitFor();
  await said(endless.owner, 'The client cancelled').waitFor();
  await expect.poll(() => onnxWorkers(endless.client)).toBe(0);

  await replacePublicPart(model, Uint8Array.of(1, 2, 3));
  const broken = await pairWith(files);
  await classify(broken.client, file);
  await alert(broken.client, 'This model cannot be used').waitFor({ timeout: 120_000 });
  await alert(broken.owner, 'This model cannot be used').waitFor();
});
