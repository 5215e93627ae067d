import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type SourceFile, violations } from '../support/imports.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const notOurs = /(^|\/)(node_modules|dist|build)\/|^protocols\/kernels\/assembly\//;

async function sources(folder: string): Promise<SourceFile[]> {
  const entries = await readdir(root + folder, { recursive: true });
  const paths = entries.map((entry) => `${folder}/${entry.replaceAll('\\', '/')}`);
  const code = paths.filter((path) => /\.(ts|mjs|svelte)$/.test(path) && !notOurs.test(path));
  return Promise.all(code.map(async (path) => ({ path, text: await readFile(root + path, 'utf8') })));
}

describe('import rules', () => {
  it('hold in what is shipped', async () => {
    const files = (await Promise.all(['protocols', 'client', 'signaling-server', 'scripts'].map(sources))).flat();
    expect(files.length).toBeGreaterThan(20);
    expect(violations(files)).toEqual([]);
  });

  it.each([
    ['protocols/kernels/a.ts', "import { x } from '../sharing/b.ts';", 'kernels must not import sharing'],
    ['protocols/ot/a.ts', "export * from '../rlwe/b.ts';", 'ot must not import rlwe'],
    ['protocols/ot/a.ts', "import type { X } from '../inference/b.ts';", 'ot must not import inference'],
    ['protocols/layers/a.ts', "import { x } from '../offline/correlations.ts';", 'layers must not import offline'],
    ['protocols/layers/a.ts', "import type { X } from '../offline/linear.ts';", 'layers must not import offline'],
    ['protocols/offline/a.ts', "import type { X } from '../layers/b.ts';", 'offline must not import layers'],
    ['protocols/inference/a.ts', "const x = await import('../index.ts');", 'inference must not import index'],
    [
      'protocols/inference/a.ts',
      "import { dealer } from '../../test/ideal/dealer.ts';",
      'only tests import test/ideal/dealer.ts',
    ],
    ['client/src/A.svelte', "<script>import x from '../../test/support/x.ts';</script>", 'only tests import'],
    ['protocols/inference/a.ts', "import x from '../../client/src/x.ts';", 'protocols/ must not import client'],
    ['protocols/ot/a.ts', "import { io } from 'socket.io-client';", 'must not import socket.io-client'],
    ['protocols/ot/a.ts', "import fs from 'node:fs';", 'must not import node:fs'],
    ['protocols/ot/a.ts', 'document.title = "x";', 'must not use document'],
    ['protocols/ot/a.ts', 'const f = () => window.name;', 'must not use window'],
    ['protocols/misc/a.ts', '', 'not in a layer'],
  ])('would be broken by %s: %s', (path, text, expected) => {
    expect(violations([{ path, text }])).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ['protocols/layers/a.ts', "import type { X } from '../offline/correlations.ts';"],
    ['protocols/index.ts', "export { a } from './inference/a.ts';"],
    ['protocols/ot/a.ts', "import { b } from './b.ts'; import { sha256 } from '@noble/hashes/sha2.js';"],
    ['protocols/offline/a.ts', "import { c } from '../channel/c.ts'; const x = { window: 1 }; x.window;"],
    ['test/unit/a.ts', "import { d } from '../ideal/dealer.ts';"],
  ])('allow %s: %s', (path, text) => {
    expect(violations([{ path, text }])).toEqual([]);
  });
});
