/** The examples, as a reader would run them, and the library as it would be published. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redDisc } from '../../examples/picture.mjs';
import { evaluateReference, inputOf, prepareImage } from '../../protocols/index.ts';
import { readModel } from '../../scripts/lib/models.ts';

const root = path.join(import.meta.dirname, '../../');
const tiny = path.join(root, 'test/vectors/tiny');
const runs = promisify(execFile);
const node = async (cwd: string, ...args: string[]) => (await runs(process.execPath, args, { cwd })).stdout;
const npm = (cwd: string, ...args: string[]) => runs('npm', [...args, '--no-audit', '--no-fund'], { cwd });

let label: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'blindsight-'));
  await npm(root, 'run', 'library');
  const { plan, manifest, weights } = await readModel(tiny);
  const input = inputOf(prepareImage(redDisc(), manifest.preprocessing), manifest.architecture);
  const { logits, violations } = evaluateReference(plan, weights, input);
  expect(violations).toEqual([]);
  label = manifest.labels[logits.indexOf(Math.max(...logits))];
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

describe('examples', () => {
  it('both parties over a MessageChannel', async () => {
    const output = await node(root, 'examples/message-channel.mjs', tiny);
    expect(output).toContain(`The client sees: ${label}\n`);
    expect(output).toContain('The owner knows that it served 1.\n');
  });

  it('two processes of Node', async () => {
    const output = await node(root, 'examples/node/client.mjs', tiny);
    expect(output).toContain(`client: it is ${label} (`);
    expect(output).toContain('owner: served 1, saw no picture\n');
  });

  it('are short enough to read: at most 30 lines for a party', async () => {
    const files = (await readdir(path.join(root, 'examples'), { recursive: true })).filter((name) =>
      name.endsWith('.mjs'),
    );
    expect(files.length).toBeGreaterThan(5);
    for (const name of files) {
      const lines = (await readFile(path.join(root, 'examples', name), 'utf8')).trimEnd().split('\n').length;
      expect(lines, name).toBeLessThanOrEqual(name.endsWith('connect.mjs') ? 35 : 30);
    }
  });

  it('the packed library, installed into an empty folder, runs them', async () => {
    const { stdout } = await npm(path.join(root, 'protocols'), 'pack', '--json', `--pack-destination=${folder}`);
    const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    const names = files.map((file) => file.path);
    expect(names).toContain('dist/index.d.ts');
    expect(names.filter((name) => !/^(dist\/.*\.(js|d\.ts|js\.map)|package\.json|README\.md)$/.test(name))).toEqual([]);
    await npm(folder, 'install', path.join(folder, filename), '--prefer-offline');
    await cp(path.join(root, 'examples'), path.join(folder, 'examples'), {
      recursive: true,
      filter: (source) => !source.includes('node_modules'),
    });
    expect(await node(folder, 'examples/node/client.mjs', tiny)).toContain(`client: it is ${label} (`);
  }, 120_000);
});
