// node scripts/run.mjs FILE.ts …: sets up, then runs a TypeScript program with the remaining arguments.
import { nodeProgram, run } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp();
  return run(...nodeProgram('tsx/dist/cli.mjs', ...process.argv.slice(2)));
});
