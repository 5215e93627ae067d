// npm run demo: sets everything up on a fresh machine and serves the app on PORT, or 3000.
import { buildClient } from './lib/client.mjs';
import { nodeProgram, run } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { appWorkspaces, setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp(appWorkspaces);
  await buildClient();
  return run(...nodeProgram('tsx/dist/cli.mjs', 'signaling-server/main.ts'));
});
