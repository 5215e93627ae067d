// npm run build: kernels and the client, into client/dist.
import { buildClient } from './lib/client.mjs';
import { main } from './lib/main.mjs';
import { appWorkspaces, setUp } from './lib/setup.mjs';

await main(async () => {
  await setUp(appWorkspaces);
  await buildClient({ force: true });
});
