// npm run demo: sets everything up on a fresh machine and serves the app on PORT, or 3000.
import { buildClient } from './lib/client.mjs';
import { run, typescriptProgram } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { appWorkspaces, setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp(appWorkspaces);
  await buildClient();
  return run(...typescriptProgram('signaling-server/main.ts'));
});
