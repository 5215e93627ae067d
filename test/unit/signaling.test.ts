import { connect } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RoomKey } from '../../client/src/pairing/authenticate.ts';
import {
  locatorLifetimeMs,
  type Reply,
  type ServerToTabEvents,
  type Signal,
  type TabToServerEvents,
} from '../../signaling-server/events.ts';
import { Rooms } from '../../signaling-server/rooms.ts';
import { createSignalingServer, type SignalingServer } from '../../signaling-server/server.ts';

type Tab = Socket<ServerToTabEvents, TabToServerEvents>;

let server: SignalingServer;
/** Files are tested in staticFiles.test.ts. */
const noFiles = { distDir: '/nowhere', modelsDir: '/nowhere', modelFiles: new Set<string>() };
const tabs: Tab[] = [];

const attempt = '0'.repeat(16);
const [key, share] = ['a'.repeat(64), 'b'.repeat(64)];
const offer: Signal = { kind: 'offer', attempt, sdp: 'v=0', key, share, signature: 'c'.repeat(128) };

async function tab(origin?: string): Promise<Tab> {
  const socket: Tab = io(`http://localhost:${server.port}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...(origin ? { extraHeaders: { origin } } : {}),
  });
  tabs.push(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

const open = (t: Tab, room = new RoomKey()) =>
  t.emitWithAck('open', room.proveFor(t.id!)) as Promise<Reply<{ code: string }>>;
const keyId = '0123456789abcdef';
const join = (t: Tab, code: string, linkTag: string | null = null) =>
  t.emitWithAck('join', code, { keyId, linkTag }) as Promise<Reply>;
const once = (t: Tab, event: keyof ServerToTabEvents) =>
  new Promise<unknown>((resolve) => t.once(event, ((value: unknown) => resolve(value)) as never));

const webSocketRequest = (target: string) =>
  [
    `GET ${target} HTTP/1.1`,
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '',
    '',
  ].join('\r\n');

async function pair(room = new RoomKey()): Promise<{ owner: Tab; client: Tab; code: string }> {
  const owner = await tab();
  const opened = await open(owner, room);
  if (!opened.ok) throw new Error(opened.code);
  const client = await tab();
  const joined = once(owner, 'peerJoined');
  expect(await join(client, opened.code)).toEqual({ ok: true });
  await joined;
  return { owner, client, code: opened.code };
}

beforeAll(async () => {
  server = await createSignalingServer({ ...noFiles, port: 0 });
});

afterEach(() => {
  for (const socket of tabs.splice(0)) socket.disconnect();
});

afterAll(async () => {
  await server.stop();
});

describe('rooms', () => {
  test('two tabs meet, and signals are relayed as they are', async () => {
    const { owner, client } = await pair();
    const received = once(client, 'signal');
    expect(await owner.emitWithAck('signal', offer)).toEqual({ ok: true });
    expect(await received).toEqual(offer);
    const answered = once(owner, 'signal');
    const candidate: Signal = { kind: 'ice', attempt, candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 };
    await client.emitWithAck('signal', candidate);
    expect(await answered).toEqual(candidate);
  });

  test('codes have 128 bits and differ', async () => {
    const codes = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const opened = await open(await tab());
      if (!opened.ok) throw new Error(opened.code);
      expect(Buffer.from(opened.code, 'base64url')).toHaveLength(16);
      codes.add(opened.code);
    }
    expect(codes.size).toBe(5);
  });

  test('a third tab is refused', async () => {
    const { code } = await pair();
    expect(await join(await tab(), code)).toEqual({ ok: false, code: 'room-full' });
  });

  test('joining without saying with which secret', async () => {
    const client = await tab();
    expect(await client.emitWithAck('join', 'A'.repeat(22), null as never)).toEqual({ ok: false, code: 'malformed' });
  });

  test.each(['', 'mistyped', 'A'.repeat(22), '../../../../etc/passwd'])('no room has the code "%s"', async (code) => {
    expect(await join(await tab(), code)).toEqual({ ok: false, code: 'no-such-room' });
  });

  test('the client’s place is free again after it left, and the owner is told why', async () => {
    const { owner, client, code } = await pair();
    const left = once(owner, 'peerLeft');
    client.emit('leave', 'authentication', () => {});
    expect(await left).toBe('authentication');
    expect(await join(await tab(), code)).toEqual({ ok: true });
  });

  test('a closed tab is told to the other; the owner’s closes the room', async () => {
    const { owner, client, code } = await pair();
    const left = once(client, 'peerLeft');
    owner.disconnect();
    expect(await left).toBe('lost');
    expect(await join(client, code)).toEqual({ ok: false, code: 'no-such-room' });
  });

  test('an owner reopens its room by its key, once the server has noticed that it was lost', async () => {
    const room = new RoomKey();
    const { owner, code } = await pair(room);
    const again = await tab();
    expect(await open(again, room)).toEqual({ ok: false, code: 'room-full' });
    owner.disconnect();
    await expect.poll(() => open(again, room)).toEqual({ ok: true, code });
  });

  test('whoever has the code, and has listened to everything, cannot open the room when the owner is gone', async () => {
    const room = new RoomKey();
    const { owner, code } = await pair(room);
    const listened = room.proveFor(owner.id!);
    owner.disconnect();
    const guest = await tab();
    await expect.poll(() => join(guest, code)).toEqual({ ok: false, code: 'no-such-room' });
    for (const proof of [
      listened,
      { ...new RoomKey().proveFor(guest.id!), key: listened.key },
      { key: listened.key, signature: '0'.repeat(128) },
    ])
      expect(await guest.emitWithAck('open', proof)).toEqual({ ok: false, code: 'not-owner' });
    for (const other of [code, null, { code }, { ...listened, code }])
      expect(await guest.emitWithAck('open', other as never)).toEqual({ ok: false, code: 'malformed' });
    expect(await open(await tab(), room)).toEqual({ ok: true, code });
  });

  test('an owner that asks for its room once more keeps it, and the client in it', async () => {
    const room = new RoomKey();
    const { owner, client, code } = await pair(room);
    expect(await open(owner, room)).toEqual({ ok: true, code });
    const received = once(client, 'signal');
    expect(await owner.emitWithAck('signal', offer)).toEqual({ ok: true });
    expect(await received).toEqual(offer);
  });
});

describe('locators', () => {
  const grant = (t: Tab) => t.emitWithAck('grantLocator');
  const joinBy = (t: Tab, locator: string) => t.emitWithAck('joinByLocator', locator);

  async function openWithLocator(): Promise<{ owner: Tab; code: string; locator: string }> {
    const owner = await tab();
    const opened = await open(owner);
    const granted = await grant(owner);
    if (!opened.ok || !granted.ok) throw new Error('not opened');
    return { owner, code: opened.code, locator: granted.locator };
  }

  test('a client finds the room by it, and the owner knows that it has no invite', async () => {
    const { owner, code, locator } = await openWithLocator();
    expect(locator).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}$/);
    const client = await tab();
    const joined = once(owner, 'peerJoined');
    expect(await joinBy(client, locator)).toEqual({ ok: true });
    expect(await joined).toBe(null);
    expect(await join(await tab(), code)).toEqual({ ok: false, code: 'room-full' });
    const answered = once(owner, 'signal');
    const share: Signal = { kind: 'code-share', nonce: '0'.repeat(32), share: '0'.repeat(64) };
    await client.emitWithAck('signal', share);
    expect(await answered).toEqual(share);
  });

  test('the one before stops working, and so does one that is withdrawn, or whose owner left', async () => {
    const { owner, locator } = await openWithLocator();
    const second = await grant(owner);
    if (!second.ok) throw new Error(second.code);
    const client = await tab();
    expect(await joinBy(client, locator)).toEqual({ ok: false, code: 'no-such-code' });
    await owner.emitWithAck('withdrawLocator');
    expect(await joinBy(client, second.locator)).toEqual({ ok: false, code: 'no-such-code' });
    const third = await grant(owner);
    if (!third.ok) throw new Error(third.code);
    await owner.emitWithAck('leave', 'closed');
    expect(await joinBy(client, third.locator)).toEqual({ ok: false, code: 'no-such-code' });
  });

  test('only an owner gets one', async () => {
    const { client } = await pair();
    expect(await grant(client)).toEqual({ ok: false, code: 'no-such-room' });
    expect(await grant(await tab())).toEqual({ ok: false, code: 'no-such-room' });
  });

  test('guessing them is slow', async () => {
    const own = await createSignalingServer({ ...noFiles, port: 0 });
    const socket: Tab = io(`http://localhost:${own.port}`, { transports: ['websocket'], forceNew: true });
    tabs.push(socket);
    const replies = await Promise.all(Array.from({ length: 60 }, (_, i) => joinBy(socket, `00${10 + i}`)));
    expect(replies.filter((reply) => !reply.ok && reply.code === 'rate').length).toBeGreaterThanOrEqual(39);
    socket.disconnect();
    await own.stop();
  });

  test('they expire, and no two rooms have the same', () => {
    let now = 0;
    const draws = ['AAAA', 'AAAA', 'BBBB', 'AAAA'];
    const rooms = new Rooms<string>(
      10,
      () => now,
      () => draws.shift() ?? 'AAAA',
    );
    for (const owner of ['first', 'second', 'third']) rooms.open(owner, `room of ${owner}`);
    expect(rooms.grantLocator('first')).toEqual({ locator: 'AAAA', lifetimeMs: locatorLifetimeMs });
    expect(rooms.grantLocator('second')).toMatchObject({ locator: 'BBBB' });
    expect(rooms.grantLocator('third')).toEqual({ refused: 'busy' }); // every draw is taken
    expect(rooms.find('AAAA')).toBe(rooms.codeOf('first'));
    now = locatorLifetimeMs;
    expect(rooms.find('AAAA')).toBeUndefined();
    expect(rooms.grantLocator('third')).toMatchObject({ locator: 'AAAA' });
    expect(rooms.find('AAAA')).toBe(rooms.codeOf('third'));
    // What is left of the first room's locator must not take the third's away.
    rooms.leave('first');
    expect(rooms.find('AAAA')).toBe(rooms.codeOf('third'));
  });
});

describe('coming back', () => {
  test('the owner learns which secret the client has', async () => {
    const owner = await tab();
    const opened = await open(owner);
    if (!opened.ok) throw new Error(opened.code);
    const joined = once(owner, 'peerJoined');
    await join(await tab(), opened.code);
    expect(await joined).toBe(keyId);
  });

  test('a client joins again from its place without having left; the owner learns of which connection', async () => {
    const { owner, client, code } = await pair();
    const events: string[] = [];
    owner.on('peerLeft', () => events.push('left'));
    owner.on('peerJoined', (_, linkTag) => events.push(linkTag ?? 'joined'));
    const tag = 'b'.repeat(64);
    expect(await join(client, code, tag)).toEqual({ ok: true });
    expect(await join(client, code)).toEqual({ ok: true });
    await owner.emitWithAck('signal', offer); // whatever came before has arrived
    expect(events).toEqual([tag, 'joined']);
  });

  test('an owner sends its client out, who is told why', async () => {
    const { owner, client, code } = await pair();
    const left = once(client, 'peerLeft');
    expect(await owner.emitWithAck('dismiss', 'room-full')).toEqual({ ok: true });
    expect(await left).toBe('room-full');
    expect(await join(await tab(), code)).toEqual({ ok: true });
  });

  test('a client cannot send its owner out', async () => {
    const { owner, client } = await pair();
    await client.emitWithAck('dismiss', 'dismissed');
    expect(await owner.emitWithAck('signal', offer)).toEqual({ ok: true });
  });
});

describe('untrusted input', () => {
  test.each([
    ['an unknown kind', { kind: 'chat', text: 'hello' }],
    ['a long SDP', { ...offer, sdp: 'x'.repeat(9000) }],
    ['a signature that is none', { ...offer, signature: 'zz' }],
    ['extra fields', { ...offer, image: 'x' }],
    ['no object', null],
    ['a candidate of nothing', { kind: 'ice', attempt, candidate: 'x', sdpMid: null, sdpMLineIndex: null }],
    ['a share that is none', { kind: 'code-share', nonce: '0'.repeat(32), share: '0'.repeat(63) }],
    ['tries without an end', { kind: 'code-reject', triesLeft: 1e9 }],
  ])('%s is not relayed', async (_, signal) => {
    const { owner, client } = await pair();
    let relayed = false;
    client.once('signal', () => (relayed = true));
    expect(await owner.emitWithAck('signal', signal as never)).toEqual({ ok: false, code: 'malformed' });
    expect(relayed).toBe(false);
  });

  test('an event above the size limit ends the connection', async () => {
    const { owner } = await pair();
    const gone = new Promise((resolve) => owner.once('disconnect', resolve));
    owner.emit('signal', { ...offer, sdp: 'x'.repeat(40_000) }, () => {});
    await gone;
  });

  test('signals are limited in rate', async () => {
    const { owner } = await pair();
    const replies = await Promise.all(Array.from({ length: 120 }, () => owner.emitWithAck('signal', offer)));
    expect(replies.filter((reply) => !reply.ok && reply.code === 'rate').length).toBeGreaterThan(20);
  });

  test('a signal without a peer', async () => {
    expect(await (await tab()).emitWithAck('signal', offer)).toEqual({ ok: false, code: 'no-peer' });
  });

  test.each([
    ['an event without a reply function', 'join'],
    ['an event of an unknown name', 'hello'],
  ])('%s ends the connection: nothing would limit how many come', async (_, name) => {
    const alone = await tab();
    const gone = new Promise((resolve) => alone.once('disconnect', resolve));
    alone.emit(name as never, ...(['x', { keyId, linkTag: null }] as never));
    await gone;
  });

  test('pages of other sites cannot connect', async () => {
    await expect(tab('https://elsewhere.example')).rejects.toThrow();
  });

  test('nor can what they load from here without asking', async () => {
    const url = `http://localhost:${server.port}/socket.io/?EIO=4&transport=polling`;
    const from = async (site: string) => (await fetch(url, { headers: { 'sec-fetch-site': site } })).status;
    expect(await Promise.all(['same-origin', 'none', 'cross-site', 'same-site'].map(from))).toEqual([
      200, 200, 403, 403,
    ]);
  });

  test('but those that the server allows: the page of a static host, by either transport', async () => {
    const origin = 'https://static.example';
    const own = await createSignalingServer({ ...noFiles, port: 0, allowedOrigins: [origin] });
    try {
      for (const transport of ['websocket', 'polling']) {
        const options = { transports: [transport], forceNew: true, reconnection: false, extraHeaders: { origin } };
        const guest = io(`http://localhost:${own.port}`, options);
        await new Promise<void>((resolve, reject) => guest.once('connect', resolve).once('connect_error', reject));
        guest.disconnect();
      }
      const asked = (from: string) =>
        fetch(`http://localhost:${own.port}/socket.io/?EIO=4&transport=polling`, { headers: { origin: from } });
      expect((await asked(origin)).headers.get('access-control-allow-origin')).toBe(origin);
      const other = await asked('https://elsewhere.example');
      expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    } finally {
      await own.stop();
    }
  });
});

// Browsers open connections in advance and may never use them; Node counts such a one as busy.
test.each([
  ['a connection that was never used', ''],
  ['half a request', 'GET / HT'],
  ['a WebSocket of no tab', webSocketRequest('/socket.io/?EIO=4&transport=websocket')],
])('stopping does not wait for %s', async (_, sent) => {
  const own = await createSignalingServer({ ...noFiles, port: 0 });
  const socket = connect(own.port, 'localhost');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  if (sent) socket.write(sent);
  await new Promise((resolve) => setTimeout(resolve, 50)); // the server has accepted it
  const start = performance.now();
  await own.stop();
  await closed;
  expect(performance.now() - start).toBeLessThan(3000);
});

test('stopping tells the tabs', async () => {
  const own = await createSignalingServer({ ...noFiles, port: 0 });
  const socket: Tab = io(`http://localhost:${own.port}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const told = once(socket, 'restarting');
  await own.stop();
  await told;
  socket.disconnect();
});
