/**
 * npm run owner -- [--model NAME|PATH] [--rooms N] [--limit N|none] [--label-only] [--ot-checks] [--workers N] [--links FILE] [--codes]
 *   [--server URL | --port N] [--public URL] [--ice URL …] [--turn-secret-file FILE]
 * A headless owner: serves several clients at once, each in a room with a link of its own. Without `--server` it brings its
 * own signaling server, with the app on it where that is built.
 */
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { signalingFault } from '../client/src/session/settings.ts';
import { defaultLimit, defaultWorkers, loadOwnerModel } from '../protocols/index.ts';
import { bundledFiles } from '../signaling-server/bundledModels.ts';
import { createSignalingServer, type SignalingServer } from '../signaling-server/server.ts';
import { readTurnSecret, turnServers } from '../signaling-server/turn.ts';
import { workersOf } from './lib/answerThreads.ts';
import { HeadlessOwner } from './lib/headlessOwner.ts';
import { defaultModel, modelFolder, readArtifact } from './lib/models.ts';
import { installWebRtc } from './lib/nodeWebRtc.ts';
import { readOptions, wholeNumber } from './lib/options.ts';

const usage = `npm run owner -- [--model NAME|PATH] [--rooms N] [--limit N|none] [--label-only] [--ot-checks] [--workers N] [--links FILE] [--codes]
  [--server URL | --port N] [--public URL] [--ice URL …] [--turn-secret-file FILE]`;

const healthMs = 60_000;

async function main(): Promise<void> {
  const values = readOptions(usage, {
    model: { type: 'string', default: defaultModel },
    rooms: { type: 'string', default: '1' },
    limit: { type: 'string', default: `${defaultLimit}` },
    'label-only': { type: 'boolean', default: false },
    'ot-checks': { type: 'boolean', default: false },
    workers: { type: 'string' },
    links: { type: 'string' },
    codes: { type: 'boolean', default: false },
    server: { type: 'string' },
    port: { type: 'string', default: process.env.PORT || '3000' },
    public: { type: 'string' },
    ice: { type: 'string', multiple: true, default: [] },
    'turn-secret-file': { type: 'string' },
  });
  const rooms = wholeNumber('rooms', values.rooms, 1, 64);
  const limit =
    values.limit === 'none' ? Number.POSITIVE_INFINITY : wholeNumber('limit', values.limit, 1, Number.MAX_SAFE_INTEGER);
  const workers = workersOf(values.workers) ?? defaultWorkers(Math.floor(availableParallelism() / rooms));
  if (values.server !== undefined) {
    webAddress('server', values.server);
    const fault = signalingFault(values.server);
    if (fault) throw new Error(`--server: ${fault}`);
  }
  const answer = values['label-only'] ? 'label' : 'logits';
  const files = await readArtifact(await modelFolder(values.model));
  loadOwnerModel(files, answer); // what is wrong with it is said before a room is open
  const secretFile = values['turn-secret-file'];
  const turn = { urls: values.ice, secret: secretFile === undefined ? undefined : await readTurnSecret(secretFile) };
  turnServers(turn); // as with the model
  const log = pino(
    { level: process.env.LOG_LEVEL || 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    process.stderr,
  );

  const own =
    values.server === undefined ? await startServer(wholeNumber('port', values.port, 0, 65_535), turn) : undefined;
  const server = values.server ?? `http://localhost:${own!.port}/`;
  const page = webAddress('public', values.public ?? server);
  installWebRtc();
  const { formatInvite } = await import('../client/src/pairing/invite.ts');
  const { owner, invites } = await HeadlessOwner.open({
    files,
    answer,
    server,
    rooms,
    limit,
    otChecks: values['ot-checks'],
    workers,
    iceServers: () => turnServers(turn),
    log,
    onBroken: () => process.exit(1), // for whoever restarts it
    onDone: () => stop('every room has reached its limit'),
    ...(values.codes && { onCode: (room, code) => process.stdout.write(`code for room ${room}: ${code}\n`) }),
  });
  setInterval(() => log.info(owner.figures, 'health'), healthMs).unref();
  // A connection that fails in a way that nobody foresaw must not take the other rooms with it: the protocol, and all that is secret but
  // the links, is in threads of its own.
  process.on('uncaughtException', (error) => log.error({ error: error.stack }, 'an error that nobody caught'));

  let stopping = false;
  function stop(reason: string): void {
    if (stopping) process.exit(1); // asked twice
    stopping = true;
    log.info({ reason }, 'stopping');
    void owner
      .stop()
      .then(() => own?.stop())
      .finally(() => process.exit(0)); // the native WebRTC library keeps the process alive otherwise
  }
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Last: whoever sees the links may send a signal.
  await tellLinks(
    invites.map((invite) => formatInvite(page.href, invite)),
    values.links,
  );
}

async function startServer(
  port: number,
  turn: { urls: string[]; secret: string | undefined },
): Promise<SignalingServer> {
  const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const modelsDir = here('../model-artifacts/zoo');
  const modelFiles = await bundledFiles(modelsDir);
  try {
    return await createSignalingServer({ port, distDir: here('../client/dist'), modelsDir, modelFiles, turn });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${port} is in use: take another by --port, or the server that runs there by --server.`);
  }
}

/** Links are secrets: into a file that only this user reads, or on stdout, never into the log. */
async function tellLinks(links: string[], file: string | undefined): Promise<void> {
  const text = links.map((link) => `${link}\n`).join('');
  if (file === undefined) return void process.stdout.write(text);
  const handle = await open(file, 'w', 0o600);
  await handle.chmod(0o600);
  await handle.writeFile(text);
  await handle.close();
}

function webAddress(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(`--${name}: expected an address such as http://localhost:3000, got ${text}`);
  return url;
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
});
