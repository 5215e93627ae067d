// node scripts/run.mjs FILE.ts …: sets up, then runs a TypeScript program with the remaining arguments.
import { run, typescriptProgram } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp();
  return run(...typescriptProgram(...process.argv.slice(2)));
});
