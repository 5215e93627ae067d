import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readOptions } from '../../scripts/lib/options.ts';

const run = promisify(execFile);
const repository = path.join(import.meta.dirname, '../..');
const commands = [
  ['classify', 'scripts/classify.ts', '--model NAME'],
  ['evaluate', 'scripts/evaluate.ts', '--model NAME'],
  ['prices', 'scripts/prices.ts', '--model NAME'],
  ['owner', 'scripts/owner.ts', '--model NAME'],
  ['bench', 'test/bench/main.ts', '--suite kernels'],
] as const;

describe('options of the commands', () => {
  it('are read, with defaults', () => {
    const options = { images: { type: 'string', default: '10' }, json: { type: 'boolean' } } as const;
    expect({ ...readOptions('x', options, ['--json']) }).toEqual({ images: '10', json: true });
  });

  it.each([[['--imges', '5']], [['5']], [['--images']]])('show the usage with the error of %j', (args) => {
    expect(() => readOptions('npm run x -- [--images N]', { images: { type: 'string' } }, args)).toThrow(
      /\nusage: npm run x -- \[--images N\]$/,
    );
  });

  it.each(commands)(
    '%s --help',
    async (command, file, option) => {
      // Not by npx, which is no program that can be started without a shell on Windows.
      const tsx = path.join(repository, 'node_modules/tsx/dist/cli.mjs');
      const { stdout } = await run(process.execPath, [tsx, file, '--help'], { cwd: repository });
      expect(stdout).toMatch(new RegExp(`^usage: npm run ${command} -- .*${option}`));
    },
    30_000,
  );

  it.each([
    ['owner', '--server', 'http://127.0.0.1:9/path/'],
    ['build-static', '--signaling', 'https://example.org/path'],
  ])(
    '%s %s: a signaling server has no path',
    async (script, option, address) => {
      const tsx = path.join(repository, 'node_modules/tsx/dist/cli.mjs');
      const args = [tsx, `scripts/${script}.ts`, option, address];
      await expect(run(process.execPath, args, { cwd: repository })).rejects.toMatchObject({
        stderr: expect.stringMatching(
          `^${option}: expected a signaling server's address without a path, .* ${address}\n$`,
        ),
      });
    },
    30_000,
  );

  it('end without a word where nobody reads any more', async () => {
    const options = JSON.stringify(path.join(repository, 'scripts/lib/options.ts'));
    const program = `import(${options}).then(({ readOptions }) => {
      readOptions('x', {}, []);
      setInterval(() => process.stdout.write('line\\n'), 1);
    })`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--eval', program], { cwd: repository });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    expect(stderr).toBe('');
  }, 30_000);
});
