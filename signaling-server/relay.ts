import { createPublicKey, verify } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import * as v from 'valibot';
import {
  DismissReason,
  JoinOptions,
  LeaveReason,
  Locator,
  maxEventBytes,
  OpenOptions,
  type RefusalCode,
  RoomCode,
  type ServerToTabEvents,
  Signal,
  type TabToServerEvents,
} from './events.ts';
import { KeyedRateLimit, RateLimit } from './rateLimit.ts';
import { openingMessage, roomCodeOf } from './roomKey.ts';
import { Rooms } from './rooms.ts';

type Tab = Socket<TabToServerEvents, ServerToTabEvents>;

const maxRooms = 10_000;
/** Guessing 128 bits is hopeless at any rate; this one keeps a script from filling the server with rooms (people behind one address share it). */
const admissions = { burst: 120, perSecond: 2 };
/**
 * A locator has 20 bits. Who tries them all finds a room, and can do no more there than use up the tries of a code; at
 * this rate it takes more than a day to find one of a hundred rooms.
 */
const lookups = { burst: 20, perSecond: 0.1 };
/** An offer or answer and some 20 candidates make a pairing. */
const signals = { burst: 80, perSecond: 10 };

/** Attaches the relay to `http`; `stop` tells every tab that the server restarts. */
export function attachRelay(http: HttpServer): { rooms: Rooms<Tab>; stop(): Promise<void> } {
  const server = new Server<TabToServerEvents, ServerToTabEvents>(http, {
    serveClient: false,
    maxHttpBufferSize: maxEventBytes,
    transports: ['websocket'],
    pingInterval: 5000,
    pingTimeout: 5000,
    allowRequest: (request, done) => done(null, isSameOrigin(request.headers.origin, request.headers.host)),
  });
  const rooms = new Rooms<Tab>(maxRooms);
  const admissionLimit = new KeyedRateLimit(admissions.burst, admissions.perSecond);
  const lookupLimit = new KeyedRateLimit(lookups.burst, lookups.perSecond);

  server.on('connection', (tab) => {
    const signalLimit = new RateLimit(signals.burst, signals.perSecond);
    const address = tab.handshake.address;

    const leave = (reason: LeaveReason | 'lost') => rooms.leave(tab)?.emit('peerLeft', reason);

    /** Seats this tab as the client, in place of where it was; a tab that is there already has not left. */
    const join = (code: string): { owner: Tab } | { refused: RefusalCode } => {
      if (rooms.codeOf(tab) !== code) leave('closed');
      return rooms.join(tab, code);
    };

    tab.on('open', (options, reply) => {
      if (!isReply(reply)) return;
      if (!v.is(OpenOptions, options)) return reply(refused('malformed'));
      if (!admissionLimit.take(address)) return reply(refused('rate'));
      const code = provenCode(options, tab.id);
      if (code === undefined) return reply(refused('not-owner'));
      // Asked twice, after a connection that broke twice: the room is this tab's already, and a client may be in it.
      if (rooms.isOwner(tab, code)) return reply({ ok: true, code });
      leave('closed');
      const result = rooms.open(tab, code);
      reply('refused' in result ? refused(result.refused) : { ok: true, code: result.code });
    });

    tab.on('grantLocator', (reply) => {
      if (!isReply(reply)) return;
      if (!admissionLimit.take(address)) return reply(refused('rate'));
      const result = rooms.grantLocator(tab);
      reply('refused' in result ? refused(result.refused) : { ok: true, ...result });
    });

    tab.on('withdrawLocator', (reply) => {
      if (!isReply(reply)) return;
      rooms.withdrawLocator(tab);
      reply({ ok: true });
    });

    tab.on('join', (code, options, reply) => {
      if (!isReply(reply)) return;
      if (!admissionLimit.take(address)) return reply(refused('rate'));
      if (!v.is(JoinOptions, options)) return reply(refused('malformed'));
      // A code of the wrong form is a mistyped one: no such room.
      if (!v.is(RoomCode, code)) return reply(refused('no-such-room'));
      const result = join(code);
      if ('refused' in result) return reply(refused(result.refused));
      reply({ ok: true });
      result.owner.emit('peerJoined', options.keyId, options.linkTag);
    });

    tab.on('joinByLocator', (locator, reply) => {
      if (!isReply(reply)) return;
      if (!lookupLimit.take(address)) return reply(refused('rate'));
      const code = v.is(Locator, locator) ? rooms.find(locator) : undefined;
      if (code === undefined) return reply(refused('no-such-code'));
      const result = join(code);
      if ('refused' in result) return reply(refused(result.refused));
      reply({ ok: true });
      result.owner.emit('peerJoined', null, null);
    });

    tab.on('signal', (signal, reply) => {
      if (!isReply(reply)) return;
      if (!signalLimit.take()) return reply(refused('rate'));
      const parsed = v.safeParse(Signal, signal);
      if (!parsed.success) return reply(refused('malformed'));
      const peer = rooms.peerOf(tab);
      if (!peer) return reply(refused('no-peer'));
      peer.emit('signal', parsed.output);
      reply({ ok: true });
    });

    tab.on('dismiss', (reason, reply) => {
      if (!isReply(reply)) return;
      rooms.dismiss(tab)?.emit('peerLeft', v.is(DismissReason, reason) ? reason : 'closed');
      reply({ ok: true });
    });

    tab.on('leave', (reason, reply) => {
      if (!isReply(reply)) return;
      leave(v.is(LeaveReason, reason) ? reason : 'closed');
      reply({ ok: true });
    });

    tab.on('disconnect', () => leave('lost'));
  });

  return {
    rooms,
    async stop() {
      server.emit('restarting');
      // The event has to leave before the sockets are closed under it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      await server.close();
    },
  };
}

const refused = (code: RefusalCode) => ({ ok: false, code }) as const;

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

/** Events come from anywhere: one without an acknowledgement has no reply function. */
const isReply = (reply: unknown): boolean => typeof reply === 'function';

/** WebSockets know no same-origin policy; other sites' pages must not use this server from a visitor's browser. */
function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true; // not a browser
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}
