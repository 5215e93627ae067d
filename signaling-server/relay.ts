import { createPublicKey, verify } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import * as v from 'valibot';
import {
  DismissReason,
  JoinOptions,
  LeaveReason,
  Locator,
  maxEventBytes,
  OpenOptions,
  type RefusalCode,
  type Reply,
  RoomCode,
  type ServerToTabEvents,
  Signal,
  type TabToServerEvents,
} from './events.ts';
import { FairLimit } from './fairLimit.ts';
import { Metrics } from './metrics.ts';
import { KeyedRateLimit, RateLimit } from './rateLimit.ts';
import { openingMessage, roomCodeOf } from './roomKey.ts';
import { type RoomStore, Rooms } from './rooms.ts';

type Tab = Socket<TabToServerEvents, ServerToTabEvents>;

/** engine.io's, on which a tab may or may not follow. */
interface Connection {
  readonly request: IncomingMessage;
  once(event: 'close', listener: () => void): void;
}

/** What one server holds and does. People behind one router share an address. */
export interface Limits {
  readonly rooms: number;
  readonly roomsPerAddress: number;
  readonly tabsPerAddress: number;
  /**
   * Rooms opened and joined by one address. Guessing a code's 128 bits is hopeless at any rate; this one keeps a script
   * from keeping the server busy. Its connections take turns, so others behind the same router get theirs.
   */
  readonly admissions: { readonly burst: number; readonly perSecond: number };
}

export const defaultLimits: Limits = {
  rooms: 20_000,
  roomsPerAddress: 64,
  tabsPerAddress: 512,
  admissions: { burst: 60, perSecond: 20 },
};

/** Of one connection; who asks for more is told so. */
const maxWaiting = 4;
/** Events of one tab that wait for the one before; with more, it is no tab of ours. */
const maxQueued = 256;
/**
 * A locator has 20 bits. Who tries them all finds a room, and can do no more there than use up the tries of a code; at
 * this rate it takes more than a day to find one of a hundred rooms.
 */
const lookups = { burst: 20, perSecond: 0.1 };
/** An offer or answer and some 20 candidates make a pairing. */
const signals = { burst: 80, perSecond: 10 };

export interface RelayOptions {
  readonly limits?: Partial<Limits> | undefined;
  readonly addressOf: (request: IncomingMessage) => string;
  /** Of pages on other hosts that may use this server, such as `https://example.org`. */
  readonly allowedOrigins?: string[] | undefined;
  /** Shared with other processes; by default this one's own. */
  readonly store?: RoomStore | undefined;
  readonly adapter?: ServerOptions['adapter'] | undefined;
}

/** Attaches the relay to `http`; `stop` tells every tab that the server restarts. */
export function attachRelay(http: HttpServer, options: RelayOptions) {
  const limits = { ...defaultLimits, ...options.limits };
  const tabsOf = new Count();
  const roomsOf = new Count();
  const hasFreeTab = (address: string) => tabsOf.get(address) < limits.tabsPerAddress;
  const server = new Server<TabToServerEvents, ServerToTabEvents>(http, {
    serveClient: false,
    maxHttpBufferSize: maxEventBytes,
    // Polling is for networks that let no WebSocket through.
    transports: ['websocket', 'polling'],
    pingInterval: 5000,
    pingTimeout: 5000,
    allowRequest: (request, done) =>
      done(null, isAllowed(request, options.allowedOrigins ?? []) && hasFreeTab(options.addressOf(request))),
    ...(options.allowedOrigins?.length && { cors: { origin: options.allowedOrigins } }),
    ...(options.adapter && { adapter: options.adapter }),
  });
  const rooms: RoomStore = options.store ?? new Rooms<string>(limits.rooms);
  const admissionLimit = new FairLimit<string>({ ...limits.admissions, maxWaiting });
  const lookupLimit = new KeyedRateLimit(lookups.burst, lookups.perSecond);
  const metrics = new Metrics(
    () => rooms.size,
    () => server.of('/').sockets.size,
  );

  // Counted before they say that they are tabs: to make a connection by polling takes one request.
  server.engine.on('connection', (connection: Connection) => {
    const address = options.addressOf(connection.request);
    tabsOf.add(address, 1);
    connection.once('close', () => tabsOf.add(address, -1));
  });

  server.on('connection', (tab: Tab) => {
    const address = options.addressOf(tab.request);
    let hasRoom = false;
    const signalLimit = new RateLimit(signals.burst, signals.perSecond);

    const leave = async (reason: LeaveReason | 'lost') => {
      const peer = await rooms.leave(tab.id);
      if (hasRoom) roomsOf.add(address, -1);
      hasRoom = false;
      if (peer !== undefined) server.to(peer).emit('peerLeft', reason);
    };

    /** Seats this tab as the client, in place of where it was; a tab that is there already has not left. */
    const join = async (code: string) => {
      if ((await rooms.codeOf(tab.id)) !== code) await leave('closed');
      return rooms.join(tab.id, code);
    };

    // One event after the other, as they came.
    let queued = 0;
    let last: Promise<unknown> = Promise.resolve();
    const inTurn = (work: () => Promise<void>) => {
      queued++;
      last = last.then(work).finally(() => queued--);
    };

    /** Answers a request; `work` resolves with a refusal, or with what to say. */
    const handle = <T>(
      request: keyof TabToServerEvents,
      reply: (reply: Reply<T>) => void,
      work: () => Promise<RefusalCode | T>,
    ) => {
      // Events come from anywhere: one without an acknowledgement has no reply function. No tab of ours sends such.
      if (typeof reply !== 'function') return void tab.disconnect(true);
      const answer = (result: RefusalCode | T) => {
        const code = typeof result === 'string' ? (result as RefusalCode) : undefined;
        metrics.requests.inc({ request, outcome: code ?? 'ok' });
        reply(code ? { ok: false, code } : { ok: true, ...(result as T) });
      };
      if (queued >= maxQueued) return void tab.disconnect(true);
      inTurn(async () => answer(await work().catch((): RefusalCode => 'busy')));
    };

    const isAdmitted = async () => {
      const done = metrics.admissionSeconds.startTimer();
      const granted = await admissionLimit.take(address, tab.id);
      done();
      return granted && tab.connected;
    };

    tab.on('open', (options, reply) =>
      handle('open', reply, async () => {
        if (!v.is(OpenOptions, options)) return 'malformed';
        if (!(await isAdmitted())) return 'rate';
        const code = provenCode(options, tab.id);
        if (code === undefined) return 'not-owner';
        // Asked twice, after a connection that broke twice: the room is this tab's already, and a client may be in it.
        if (await rooms.isOwner(tab.id, code)) return { code };
        await leave('closed');
        if (roomsOf.get(address) >= limits.roomsPerAddress) return 'busy';
        const result = await rooms.open(tab.id, code);
        if ('refused' in result) return result.refused;
        hasRoom = true;
        roomsOf.add(address, 1);
        return result;
      }),
    );

    tab.on('grantLocator', (reply) =>
      handle('grantLocator', reply, async () => {
        if (!(await isAdmitted())) return 'rate';
        const result = await rooms.grantLocator(tab.id);
        return 'refused' in result ? result.refused : result;
      }),
    );

    tab.on('withdrawLocator', (reply) =>
      handle('withdrawLocator', reply, async () => {
        await rooms.withdrawLocator(tab.id);
        return {};
      }),
    );

    tab.on('join', (code, options, reply) =>
      handle('join', reply, async () => {
        if (!v.is(JoinOptions, options)) return 'malformed';
        if (!(await isAdmitted())) return 'rate';
        // A code of the wrong form is a mistyped one: no such room.
        if (!v.is(RoomCode, code)) return 'no-such-room';
        const result = await join(code);
        if ('refused' in result) return result.refused;
        server.to(result.owner).emit('peerJoined', options.keyId, options.linkTag);
        return {};
      }),
    );

    tab.on('joinByLocator', (locator, reply) =>
      handle('joinByLocator', reply, async () => {
        if (!lookupLimit.take(address)) return 'rate';
        const code = v.is(Locator, locator) ? await rooms.find(locator) : undefined;
        if (code === undefined) return 'no-such-code';
        const result = await join(code);
        if ('refused' in result) return result.refused;
        server.to(result.owner).emit('peerJoined', null, null);
        return {};
      }),
    );

    tab.on('signal', (signal, reply) =>
      handle('signal', reply, async () => {
        if (!signalLimit.take()) return 'rate';
        const parsed = v.safeParse(Signal, signal);
        if (!parsed.success) return 'malformed';
        const peer = await rooms.peerOf(tab.id);
        if (peer === undefined) return 'no-peer';
        server.to(peer).emit('signal', parsed.output);
        return {};
      }),
    );

    tab.on('dismiss', (reason, reply) =>
      handle('dismiss', reply, async () => {
        const client = await rooms.dismiss(tab.id);
        if (client !== undefined) server.to(client).emit('peerLeft', v.is(DismissReason, reason) ? reason : 'closed');
        return {};
      }),
    );

    tab.on('leave', (reason, reply) =>
      handle('leave', reply, async () => {
        await leave(v.is(LeaveReason, reason) ? reason : 'closed');
        return {};
      }),
    );

    // Nothing else counts against a limit.
    tab.onAny((name) => {
      if (tab.listenerCount(name) === 0) tab.disconnect(true);
    });

    tab.on('disconnect', () => {
      admissionLimit.forget(address, tab.id);
      inTurn(() => leave('lost').catch(() => {}));
    });
  });

  return {
    rooms,
    metrics,
    get tabs() {
      return server.of('/').sockets.size;
    },
    async stop() {
      server.local.emit('restarting');
      // The event has to leave before the sockets are closed under it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      await server.close();
    },
  };
}

/** How many each key has; keys with none are forgotten. */
class Count {
  readonly #counts = new Map<string, number>();

  get(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: 1 | -1): void {
    const count = this.get(key) + change;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

/** The code of the room whose key the tab on this connection has, or undefined when it has not. */
function provenCode({ key, signature }: OpenOptions, connection: string): string | undefined {
  const publicKey = Buffer.from(key, 'hex');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') };
  const isProof = verify(
    null,
    openingMessage(connection),
    createPublicKey({ key: jwk, format: 'jwk' }),
    Buffer.from(signature, 'hex'),
  );
  return isProof ? roomCodeOf(publicKey) : undefined;
}

/**
 * WebSockets know no same-origin policy; other sites' pages must not use this server from a visitor's browser. What a page loads from elsewhere
 * without asking (`<img>`) has no `Origin`, and says whence it comes in `Sec-Fetch-Site`.
 */
function isAllowed({ headers }: IncomingMessage, allowedOrigins: readonly string[]): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (origin === undefined) return site === undefined || site === 'same-origin' || site === 'none';
  return allowedOrigins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}
