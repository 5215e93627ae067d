// npm run dev: the app on http://localhost:5173, reloaded as its sources change, and its server, restarted as its own do.
import { buildClient } from './lib/client.mjs';
import { nodeProgram, run } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { appWorkspaces, setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp(appWorkspaces);
  // The server serves a built client too; Vite's pages ask it for models and introductions only.
  await buildClient();
  const both = [
    run(...nodeProgram('tsx/dist/cli.mjs', 'watch', '--clear-screen=false', 'signaling-server/main.ts')),
    run(...nodeProgram('vite/bin/vite.js', '--config', 'client/vite.config.ts')),
  ];
  const code = await Promise.race(both);
  // Whichever ends first ends the other: half of the two is of no use.
  process.kill(process.pid, 'SIGTERM');
  await Promise.all(both);
  return code;
});
