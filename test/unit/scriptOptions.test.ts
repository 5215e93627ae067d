import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readOptions } from '../../scripts/lib/options.ts';

const run = promisify(execFile);
const commands = ['classify', 'evaluate', 'owner'];

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
    async (command) => {
      const { stdout } = await run('npx', ['tsx', `scripts/${command}.ts`, '--help']);
      expect(stdout).toMatch(new RegExp(`^usage: npm run ${command} -- .*--model NAME`));
    },
    30_000,
  );
});
