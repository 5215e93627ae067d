/** The import rules of .dependency-cruiser.mjs: each of them bites. `npm run check` holds them in the sources. And two rules for protocols/. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import configuration from '../../.dependency-cruiser.mjs';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'layout-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Names of the rules that some files break. */
async function broken(files: Record<string, string>): Promise<string[]> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  const { forbidden, options } = configuration as unknown as Required<IConfiguration>;
  const { tsConfig: _none, ...rest } = options;
  const { output } = await cruise(['.'], { ...rest, baseDir: folder, validate: true, ruleSet: { forbidden } });
  return (output as ICruiseResult).summary.violations.map(({ rule }) => rule.name);
}

describe('import rules', () => {
  it.each([
    ['protocols/kernels/a.ts', "import { x } from '../sharing/b.ts';", 'kernels-imports-what-is-below'],
    ['protocols/ot/a.ts', "export * from '../rlwe/b.ts';", 'ot-imports-what-is-below'],
    ['protocols/ot/a.ts', "import type { X } from '../inference/b.ts';", 'ot-imports-what-is-below'],
    ['protocols/layers/a.ts', "import { x } from '../offline/correlations.ts';", 'layers-know-offline-by-its-types'],
    ['protocols/layers/a.ts', "import type { X } from '../offline/linear.ts';", 'layers-imports-what-is-below'],
    ['protocols/offline/a.ts', "import type { X } from '../layers/b.ts';", 'offline-imports-what-is-below'],
    ['protocols/inference/a.ts', "const x = await import('../index.ts');", 'inference-imports-what-is-below'],
    ['protocols/inference/a.ts', "import { dealer } from '../../test/ideal/dealer.ts';", 'only-tests-import-tests'],
    ['client/src/a.ts', "import x from '../../test/support/x.ts';", 'only-tests-import-tests'],
    ['protocols/inference/a.ts', "import x from '../../client/src/x.ts';", 'protocols-alone'],
    ['protocols/ot/a.ts', "import { io } from 'socket.io-client';", 'protocols-run-everywhere'],
    ['protocols/ot/a.ts', "import fs from 'node:fs';", 'protocols-run-everywhere'],
    ['protocols/misc/a.ts', "import '../ot/b.ts';", 'protocols-know-a-layer'],
  ])('are broken by %s: %s', async (name, text, rule) => {
    const [, target] = /'(\.[^']+)'/.exec(text) ?? [];
    const imported = target ? { [path.posix.join(path.posix.dirname(name), target)]: 'export const x = 1;' } : {};
    expect(await broken({ ...imported, [name]: text })).toContain(rule);
  });

  it('are broken by a cycle, unless types alone close it', async () => {
    const ot = { 'protocols/ot/a.ts': "import { b } from './b.ts'; export const a = b;" };
    expect(await broken({ ...ot, 'protocols/ot/b.ts': "import { a } from './a.ts'; export const b = a;" })).toContain(
      'no-cycles',
    );
    expect(
      await broken({ ...ot, 'protocols/ot/b.ts': "import type { a } from './a.ts'; export const b = 1 as typeof a;" }),
    ).toEqual([]);
  });

  it.each([
    ['protocols/layers/a.ts', "import type { X } from '../offline/correlations.ts';"],
    ['protocols/index.ts', "export { a } from './inference/a.ts';"],
    ['protocols/offline/a.ts', "import { c } from '../channel/c.ts';"],
    ['test/unit/a.ts', "import { d } from '../ideal/dealer.ts';"],
  ])('allow %s: %s', async (name, text) => {
    const [, target] = /'(\.[^']+)'/.exec(text)!;
    expect(
      await broken({ [path.posix.join(path.posix.dirname(name), target)]: 'export const x = 1;', [name]: text }),
    ).toEqual([]);
  });
});

describe('every source of protocols/', () => {
  const protocols = path.resolve(import.meta.dirname, '../../protocols');

  /** What is in the files, by their paths. */
  async function sources(): Promise<[string, string][]> {
    const names = (await readdir(protocols, { recursive: true })).filter(
      (name) => name.endsWith('.ts') && !/node_modules|build|dist/.test(name),
    );
    return Promise.all(
      names.map(async (name) => [name, await readFile(path.join(protocols, name), 'utf8')] as [string, string]),
    );
  }

  it('asks a registry, not a kind', async () => {
    const files = await sources();
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter(([, text]) => /\bkind [!=]==/.test(text)).map(([name]) => name)).toEqual([]);
  });

  it('has at most 350 lines, or says at its top why not', async () => {
    const long = (await sources()).filter(([, text]) => text.split('\n').length > 351);
    const silent = long.filter(([, text]) => !/350 lines|Longer than other files/.test(text.slice(0, 2000)));
    expect(silent.map(([name]) => name)).toEqual([]);
  });
});
