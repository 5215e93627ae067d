/** A signaling server of its own process, for visitors who all come from one address. Prints its port. */
import { createSignalingServer } from '../../../signaling-server/server.ts';

const server = await createSignalingServer({
  port: 0,
  host: '127.0.0.1',
  distDir: '/nowhere',
  modelsDir: '/nowhere',
  modelFiles: new Set(),
  limits: {
    rooms: 20_000,
    roomsPerAddress: 20_000,
    tabsPerAddress: 40_000,
    admissions: { burst: 20_000, perSecond: 10_000 },
  },
});
console.log(server.port);
