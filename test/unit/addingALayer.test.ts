/** docs/adding-a-layer.md, followed to the letter in a copy of the sources. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const blockPattern = /^```(ts|diff) file=(\S+)\n([\s\S]*?)^```$/gm;

let copy: string;
beforeAll(async () => {
  copy = await mkdtemp(path.join(tmpdir(), 'adding-a-layer-'));
  for (const name of ['protocols', 'test', 'tsconfig.json', 'vitest.config.ts', 'package.json'])
    await cp(path.join(root, name), path.join(copy, name), {
      recursive: true,
      filter: (source) => !/[/\\](node_modules|dist)$/.test(source),
    });
  await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
});
afterAll(() => rm(copy, { recursive: true }));

const run = (program: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [path.join(copy, 'node_modules', program), ...args], {
    cwd: copy,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });

/** Applies a block: a whole new file; or, of a diff, its added lines below the context before them, and changed lines in place. */
async function apply(kind: string, file: string, text: string): Promise<void> {
  const target = path.join(copy, file);
  if (kind === 'ts') return writeFile(target, text, { flag: 'wx' });
  let content = await readFile(target, 'utf8');
  const lines = text.trimEnd().split('\n');
  for (const [i, line] of lines.entries()) {
    if (line.startsWith(' ')) expect(content).toContain(line.slice(1));
    if (!line.startsWith('+')) continue;
    const before = lines[i - 1].slice(1);
    expect(content.split(before)).toHaveLength(2);
    content = content.replace(before, lines[i - 1].startsWith('-') ? line.slice(1) : `${before}\n${line.slice(1)}`);
  }
  return writeFile(target, content);
}

describe('docs/adding-a-layer.md', () => {
  it('adds an activation in three files, and its test passes', async () => {
    const blocks = [...(await readFile(path.join(root, 'docs/adding-a-layer.md'), 'utf8')).matchAll(blockPattern)];
    expect(blocks).toHaveLength(3);
    for (const [, kind, file, text] of blocks) await apply(kind, file, text);
    const { stdout } = await run('vitest/vitest.mjs', 'run', 'test/unit/silu.test.ts');
    expect(stdout).toMatch(/Tests +1 passed/);
    await run('typescript/bin/tsc', '--noEmit', '--project', 'protocols/tsconfig.json');
  }, 120_000);
});
