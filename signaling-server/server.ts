import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { addressReader } from './address.ts';
import { networkOrigins } from './localNetwork.ts';
import { attachRelay, defaultLimits, type Limits } from './relay.ts';
import { type StaticOptions, staticFiles } from './staticFiles.ts';
import { type TurnOptions, turnServers } from './turn.ts';

export interface ServerOptions extends StaticOptions {
  /** 0 takes a free one. */
  port: number;
  /** Of all interfaces by default. */
  host?: string;
  limits?: Partial<Limits>;
  /** Of pages on static hosts that name this server in their settings, besides its own. */
  allowedOrigins?: string[];
  /** Proxies whose `X-Forwarded-For` is believed (address.ts). */
  trustedProxies?: string[];
  /** A connection on which nothing goes out or comes in for so long is closed: half a minute by default. */
  idleMs?: number;
  /** STUN and TURN servers for everybody's tabs, in place of the list in the built client; none by default. */
  turn?: TurnOptions;
  /** Where several processes share their rooms. */
  redisUrl?: string;
}

export interface SignalingServer {
  readonly port: number;
  readonly rooms: number;
  readonly tabs: number;
  /** Tells the tabs, closes every connection, and resolves when the port is free. */
  stop(): Promise<void>;
}

/** What tabs have to take leave in. */
const graceMs = 500;
/** Who reads nothing keeps nothing open. */
const defaultIdleMs = 30_000;

/**
 * Serves the app and introduces tabs to each other. Listens on all interfaces, so that a telephone in the same network
 * can take part. `/healthz` says how it is; `/metrics` (Prometheus) does, to this machine only.
 */
export async function createSignalingServer(options: ServerOptions): Promise<SignalingServer> {
  const addressOf = addressReader(options.trustedProxies ?? []);
  if (options.turn) turnServers(options.turn); // what is wrong with them is said at the start
  const files = staticFiles(options);
  const startedMs = performance.now();
  const { idleMs = defaultIdleMs } = options;
  const http = createServer({ requestTimeout: idleMs, headersTimeout: idleMs }, (request, response) => {
    if (request.url === '/healthz') return sendHealth(response);
    const isOwn = isLoopback(addressOf(request)) && isLocalName(request.headers.host);
    if (request.url === '/metrics' && isOwn) return void sendMetrics(response);
    if (request.url === '/ice.json' && options.turn?.urls.length) return sendIceServers(response, options.turn);
    // What cannot be read is sent as it is: the page says what is wrong with it.
    if (request.url === '/settings.json' && isOwn)
      return void sendSettings(response).catch(() => files(request, response));
    void files(request, response);
  });
  http.timeout = idleMs;
  const shared = await connectShared(options);
  const { limits, allowedOrigins } = options;
  const relay = attachRelay(http, { limits, addressOf, allowedOrigins, ...shared });
  const connections = new Set<Socket>();
  http.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });

  function sendHealth(response: ServerResponse): void {
    response.setHeader('Content-Type', 'application/json; charset=utf-8').setHeader('Cache-Control', 'no-store');
    const uptimeS = Math.round((performance.now() - startedMs) / 1000);
    response.end(JSON.stringify({ status: 'ok', uptimeS, rooms: relay.rooms.size, tabs: relay.tabs }));
  }

  /** To this machine's own tabs: by which addresses another device gets here. */
  async function sendSettings(response: ServerResponse): Promise<void> {
    const settings = JSON.parse(await readFile(path.join(options.distDir, 'settings.json'), 'utf8'));
    const { port } = http.address() as AddressInfo;
    response.setHeader('Content-Type', 'application/json; charset=utf-8').setHeader('Cache-Control', 'no-store');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.end(
      JSON.stringify({ ...settings, networkOrigins: options.host === undefined ? networkOrigins(port) : [] }),
    );
  }

  async function sendMetrics(response: ServerResponse): Promise<void> {
    const { registry } = relay.metrics;
    response.setHeader('Content-Type', registry.contentType).end(await registry.metrics());
  }

  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(options.port, options.host, resolve);
  });
  return {
    port: (http.address() as AddressInfo).port,
    get rooms() {
      return relay.rooms.size;
    },
    get tabs() {
      return relay.tabs;
    },
    async stop() {
      const closed = relay.stop(); // closes `http` as well
      // Which waits for every connection, for ever for one that a browser opened in advance and never used. Node's
      // `closeAllConnections` knows of no WebSockets.
      const timer = setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
      await shared.store?.close();
    },
  };
}

/** To tabs of this origin; the credentials end by themselves. */
function sendIceServers(response: ServerResponse, turn: TurnOptions): void {
  response.setHeader('Content-Type', 'application/json; charset=utf-8').setHeader('Cache-Control', 'no-store');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.end(JSON.stringify(turnServers(turn)));
}

/** Redis is loaded only where it is used. */
async function connectShared({ redisUrl, limits }: ServerOptions) {
  if (redisUrl === undefined) return {};
  const { RedisRooms } = await import('./redisRooms.ts');
  const { rooms, adapter } = await RedisRooms.connect(redisUrl, limits?.rooms ?? defaultLimits.rooms);
  return { store: rooms, adapter };
}

/** A page of another name, which was made to lead here, is not this machine's own. */
const isLocalName = (host = ''): boolean => /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);

const isLoopback = (network: string): boolean => network.startsWith('127.') || network === '0:0:0:0::/64';
