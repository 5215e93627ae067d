/**
 * `npm run demo`. By the environment: PORT; TRUSTED_PROXIES (addresses or subnets), ALLOWED_ORIGINS (of pages on other hosts) and ICE_URLS
 * (STUN and TURN), with commas between; TURN_SECRET_FILE (coturn's `static-auth-secret`); REDIS_URL, to share the rooms with other
 * processes; LOG_LEVEL (`info` says what happens, in JSON, on stderr).
 */
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { bundledFiles } from './bundledModels.ts';
import { networkOrigins } from './localNetwork.ts';
import { createSignalingServer } from './server.ts';
import { readTurnSecret } from './turn.ts';

const { PORT, TRUSTED_PROXIES, ALLOWED_ORIGINS, REDIS_URL, ICE_URLS, TURN_SECRET_FILE, LOG_LEVEL } = process.env;
/** `a, b` and `a,b` alike. */
const list = (text = ''): string[] => text.split(',').flatMap((part) => part.trim() || []);
/** An empty PORT is none. */
const port = PORT ? Number(PORT) : 3000;
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`PORT must be a number from 0 to 65535, not "${PORT}".`);
  process.exit(1);
}
function originOf(address: string): string {
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return new URL(address).origin;
  throw new TypeError(`ALLOWED_ORIGINS: expected addresses such as https://example.org, got ${address}`);
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
    trustedProxies: list(TRUSTED_PROXIES),
    allowedOrigins: list(ALLOWED_ORIGINS).map(originOf),
    turn: { urls: list(ICE_URLS), secret: TURN_SECRET_FILE ? await readTurnSecret(TURN_SECRET_FILE) : undefined },
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
