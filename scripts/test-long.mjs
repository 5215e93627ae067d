// npm run test:long: sets up, then load, endurance and many random cases. `npm run test:long -- NAME` runs the files whose name contains NAME.
import { nodeProgram, run } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp();
  const args = ['run', '--config', 'test/long/vitest.config.ts', ...process.argv.slice(2)];
  return run(...nodeProgram('vitest/vitest.mjs', ...args));
});
