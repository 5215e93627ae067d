// npm run check: types, lint and format, import rules, and the Python code's lint where ruff is installed.
import { access } from 'node:fs/promises';
import { interruption, nodeProgram, run, say } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { venvProgram } from './lib/python.mjs';
import { setUp } from './lib/setup.mjs';

const has = (path) =>
  access(path).then(
    () => true,
    () => false,
  );

await main(async () => {
  await setUp();
  const checks = [
    [
      'types',
      nodeProgram(
        'svelte-check/bin/svelte-check',
        '--tsconfig',
        './tsconfig.json',
        '--fail-on-warnings',
        '--output',
        'human',
      ),
    ],
    ['lint and format', nodeProgram('@biomejs/biome/bin/biome', 'check', '--diagnostic-level=error')],
    ['import rules', nodeProgram('vitest/vitest.mjs', 'run', 'test/unit/layout.test.ts')],
  ];
  const ruff = venvProgram('ruff');
  if (await has(ruff)) checks.push(['Python', [ruff, ['check', '--select', 'E4,E7,E9,F', 'model-artifacts']]]);
  const failed = [];
  for (const [name, [program, args]] of checks) {
    say(`\n${name}`);
    if ((await run(program, args)) !== 0) failed.push(name);
    if (interruption()) return interruption();
  }
  say(failed.length ? `\nFailed: ${failed.join('; ')}.` : '\nAll checks passed.');
  return failed.length ? 1 : 0;
});
