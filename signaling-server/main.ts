/**
 * `npm run demo`. By the environment: PORT; TRUSTED_PROXIES (addresses or subnets, with commas between); REDIS_URL, to
 * share the rooms with other processes; ICE_URLS (STUN and TURN,
 * with commas between) and TURN_SECRET_FILE (coturn's `static-auth-secret`); LOG_LEVEL (`info` says what happens, in JSON, on stderr).
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { bundledFiles } from './bundledModels.ts';
import { networkOrigins } from './localNetwork.ts';
import { createSignalingServer } from './server.ts';

const { PORT, TRUSTED_PROXIES, REDIS_URL, ICE_URLS, TURN_SECRET_FILE, LOG_LEVEL } = process.env;
/** An empty PORT is none. */
const port = PORT ? Number(PORT) : 3000;
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`PORT must be a number from 0 to 65535, not "${PORT}".`);
  process.exit(1);
}
const log = pino(
  { level: LOG_LEVEL || 'silent', base: null, timestamp: pino.stdTimeFunctions.isoTime },
  process.stderr,
);

const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
try {
  const modelsDir = here('../model-artifacts/zoo');
  const server = await createSignalingServer({
    port,
    distDir: here('../client/dist'),
    modelsDir,
    modelFiles: await bundledFiles(modelsDir, console.error),
    trustedProxies: TRUSTED_PROXIES ? TRUSTED_PROXIES.split(',') : [],
    turn: {
      urls: ICE_URLS ? ICE_URLS.split(',') : [],
      secret: TURN_SECRET_FILE ? (await readFile(TURN_SECRET_FILE, 'utf8')).trim() : undefined,
    },
    ...(REDIS_URL && { redisUrl: REDIS_URL }),
  });
  const inNetwork = networkOrigins(server.port);
  log.info({ port: server.port }, 'started');
  setInterval(() => log.info({ rooms: server.rooms, tabs: server.tabs }, 'serving'), 60_000).unref();
  const stop = (signal: string) => {
    log.info({ signal, rooms: server.rooms, tabs: server.tabs }, 'stopping');
    void server.stop().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Last: whoever reads it may send a signal.
  console.log(
    `Blindsight: http://localhost:${server.port}${inNetwork.length ? ` (in your network: ${inNetwork.join(', ')})` : ''}`,
  );
} catch (error) {
  const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(taken ? `Port ${port} is in use: set PORT to another.` : String(error));
  process.exit(1);
}
