// npm run check: types, lint and format, import rules; the Python code's types and lint.
import { interruption, nodeProgram, run, say } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { python, setUpPython } from './lib/python.mjs';
import { setUp } from './lib/setup.mjs';

const sources = ['protocols', 'client', 'signaling-server', 'scripts', 'examples', 'test'];

await main(async () => {
  await setUp();
  await setUpPython();
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
    // protocols/ by itself, without a page's names.
    ['types of the library', nodeProgram('typescript/bin/tsc', '--project', 'protocols/tsconfig.json', '--noEmit')],
    [
      'import rules',
      nodeProgram('dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.mjs', ...sources),
    ],
    ['Python types', [python, ['-m', 'mypy', '--config-file', 'model-artifacts/pyproject.toml']]],
    ['Python lint', [python, ['-m', 'ruff', 'check', 'model-artifacts']]],
  ];
  const failed = [];
  for (const [name, [program, args]] of checks) {
    say(`\n${name}`);
    if ((await run(program, args)) !== 0) failed.push(name);
    if (interruption()) return interruption();
  }
  say(failed.length ? `\nFailed: ${failed.join('; ')}.` : '\nAll checks passed.');
  return failed.length ? 1 : 0;
});
