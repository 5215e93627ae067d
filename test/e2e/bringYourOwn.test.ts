/** docs/bring-your-own.md, walked: from a checkpoint and a folder of pictures to an answer in a browser tab. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { evaluateReference, prepareImage, publicInput } from '../../protocols/index.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { python, setUpPython } from '../../scripts/lib/python.mjs';
import { alert } from './support/pair.ts';
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

/** Of the folder's pictures the one whose label is surest, with that label: the integer plan's, computed in the open. */
async function surest(model: string): Promise<{ file: string; label: string }> {
  const { plan, weights, manifest } = await readModel(model);
  let best = { file: '', label: '', margin: Number.NEGATIVE_INFINITY };
  for (const name of await readdir(pictures)) {
    if (name.endsWith('.json')) continue;
    const file = path.join(pictures, name);
    const pixels = prepareImage(await readImage(file), manifest.preprocessing);
    const logits = evaluateReference(plan, weights, await publicInput(pixels, manifest, undefined, undefined)).named(
      'logits',
    );
    const [first, second] = [...logits].sort((a, b) => b - a);
    if (first - second > best.margin)
      best = { file, label: manifest.labels[logits.indexOf(first)], margin: first - second };
  }
  return best;
}

const app = useApp();

test('from a checkpoint to an answer in a tab', { timeout: 600_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-import-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoint = await writeCheckpoint(path.join(folder, 'checkpoint'));
  const out = path.join(folder, 'my-model');
  const command = ['import', '--silent', '--', checkpoint, '--images', pictures, '--out', out];
  const said = JSON.parse((await start('npm', ['run', ...command], { cwd: root })).stdout);
  expect(said.bundle).toBe(`${out}.blindsight`);

  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await owner.getByLabel('Files of your model').setInputFiles(said.bundle);
  const invite = await owner.getByTestId('invite').inputValue();

  const client = await app.page();
  await client.goto(invite);
  // Of the 20 pictures, those that were held out.
  await expect.poll(() => client.getByTestId('sample').count()).toBe(4);
  const { file, label } = await surest(out);
  await client.getByTestId('file').setInputFiles(file);
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await client.getByTestId('result').waitFor({ timeout: 120_000 });
  expect(await client.getByTestId('top-label').innerText()).toBe(label);
  expect(await alert(owner, '').count()).toBe(0);
});
