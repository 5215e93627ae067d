/** Both halves of a pairing over a signaling server: the project's, and one that does what it likes. */
import '../support/webRtc.ts';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { OwnerHandshake, RoomKey } from '../../client/src/pairing/authenticate.ts';
import { ClientPairing } from '../../client/src/pairing/clientPairing.ts';
import type { Introduce } from '../../client/src/pairing/introduction.ts';
import { type Invite, newSecret } from '../../client/src/pairing/invite.ts';
import { type IceServersSource, OwnerPairing, type PairingEnd } from '../../client/src/pairing/ownerPairing.ts';
import type { LinkState } from '../../client/src/pairing/peerLink.ts';
import { RefusedError, Signaling } from '../../client/src/pairing/signaling.ts';
import { createSignalingServer } from '../../signaling-server/server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startServer(): Promise<string> {
  const server = await createSignalingServer({
    port: 0,
    distDir: '/nowhere',
    modelsDir: '/nowhere',
    modelFiles: new Set(),
  });
  closers.push(() => server.stop());
  return `http://localhost:${server.port}`;
}

/** A server that is nobody's friend. `onTab` gets every connection. */
async function hostileServer(onTab: (tab: Socket) => void): Promise<string> {
  const http = createServer();
  const server = new Server(http, { transports: ['websocket'] });
  server.on('connection', onTab);
  await new Promise<void>((resolve) => http.listen(0, resolve));
  closers.push(() => server.close());
  return `http://localhost:${(http.address() as AddressInfo).port}`;
}

class Side {
  states: LinkState[] = [];
  words: string[] = [];
  ends: PairingEnd[] = [];
  retries = 0;
  secrets = 0;
  readonly listener = {
    onSignaling: () => {},
    onLink: (state: LinkState) => void this.states.push(state),
    onCompareWords: (words: string[]) => void (this.words = words),
    onChannel: () => {},
    onLost: () => {},
    onEnded: (end: PairingEnd) => void this.ends.push(end),
    onRetry: () => void this.retries++,
    onCode: () => {},
    onSecrets: () => void this.secrets++,
    onRoomLost: () => {},
  };

  get isConnected(): boolean {
    return this.states.at(-1) === 'connected';
  }
}

async function openOwner(url: string, iceServers: IceServersSource = []) {
  const side = new Side();
  const pairing = new OwnerPairing(side.listener, iceServers, url);
  closers.push(() => pairing.close());
  return { side, pairing, invite: await pairing.open() };
}

async function joinClient(url: string, invite: Invite, iceServers: IceServersSource = []) {
  const side = new Side();
  const pairing = new ClientPairing(invite, side.listener, iceServers, url);
  closers.push(() => pairing.close());
  await pairing.join();
  return { side, pairing };
}

/** Why the room cannot be joined now; it is left again. */
async function joinRefusal(url: string, invite: Invite): Promise<string | undefined> {
  const signaling = new Signaling({ onState: () => {}, onPeerLeft: () => {}, onSignal: () => {} }, url);
  try {
    await signaling.join(invite.code, { keyId: '0'.repeat(16), linkTag: null });
    return undefined;
  } catch (error) {
    return (error as RefusedError).code;
  } finally {
    await signaling.close();
  }
}

const within = { timeout: 20_000 };

describe('over an honest server', () => {
  test('a guest connects by the link, comes back by a secret of its own, and the words are the same on both sides', async () => {
    const url = await startServer();
    const { side: owner, pairing, invite } = await openOwner(url);
    const { side: guest, pairing: guestPairing } = await joinClient(url, invite);
    await expect.poll(() => owner.isConnected && guest.isConnected, within).toBe(true);
    expect(guest.words).toEqual(owner.words);
    expect(guest.words).toHaveLength(4);
    const first = pairing.save()!;
    expect(first.guests).toHaveLength(1);
    expect(first.guests[0]).not.toEqual(invite.secret);
    guestPairing.peerLost();
    await expect.poll(() => guest.retries > 0 && owner.isConnected && guest.isConnected, within).toBe(true);
    expect(pairing.save()!.guests).toHaveLength(2); // the next connection has led to the next secret
    expect(guest.ends).toEqual([]);
  });

  test('each connection has credentials for TURN of its own, on both sides: those from before may have ended', async () => {
    const url = await startServer();
    const asked = { owner: 0, guest: 0 };
    const ask = (side: keyof typeof asked) => async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return [{ urls: 'turn:127.0.0.1:9', username: `${side}${++asked[side]}`, credential: 'x' }];
    };
    const { side: owner, invite } = await openOwner(url, ask('owner'));
    const { side: guest, pairing } = await joinClient(url, invite, ask('guest'));
    await expect.poll(() => owner.isConnected && guest.isConnected, within).toBe(true);
    expect(asked).toEqual({ owner: 1, guest: 1 });
    pairing.peerLost();
    await expect.poll(() => guest.retries > 0 && owner.isConnected && guest.isConnected, within).toBe(true);
    expect(asked.owner).toBeGreaterThan(1);
    expect(asked.guest).toBeGreaterThan(1);
  });

  test('a guest that has left while the owner looks for servers is not waited for', async () => {
    const url = await startServer();
    let find = (_: RTCIceServer[]) => {};
    const servers = () => new Promise<RTCIceServer[]>((resolve) => (find = resolve));
    const { side: owner, pairing, invite } = await openOwner(url, servers);
    const channels = vi.spyOn(owner.listener, 'onChannel');
    const { pairing: guest } = await joinClient(url, invite);
    guest.close();
    await expect.poll(async () => (await joinRefusal(url, invite)) === undefined, within).toBe(true);
    find([]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([channels.mock.calls.length, owner.ends]).toEqual([0, []]);
    pairing.close();
  });

  test('in a network that lets no WebSocket through they meet by polling', async () => {
    const target = new URL(await startServer());
    let refused = 0;
    const router = createServer((request, response) => {
      const { method, url, headers } = request;
      request.pipe(
        httpRequest({ port: target.port, method, path: url, headers }, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        }),
      );
    });
    router.on('upgrade', (_, socket) => {
      refused++;
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    await new Promise<void>((resolve) => router.listen(0, resolve));
    closers.push(() => {
      router.close();
      router.closeAllConnections();
    });
    const url = `http://localhost:${(router.address() as AddressInfo).port}`;
    const { side: owner, invite } = await openOwner(url);
    const { side: guest } = await joinClient(url, invite);
    await expect.poll(() => owner.isConnected && guest.isConnected, within).toBe(true);
    expect(refused).toBeGreaterThanOrEqual(2);
  });

  test('a first connection that fails is tried again', async () => {
    const url = await startServer();
    const { side: owner, invite } = await openOwner(url);
    // The first description is one that WebRTC refuses.
    let connections = 0;
    const { setRemoteDescription } = RTCPeerConnection.prototype;
    const spy = vi.spyOn(RTCPeerConnection.prototype, 'setRemoteDescription').mockImplementation(async function (
      this: RTCPeerConnection,
      ...args: unknown[]
    ) {
      if (connections++ === 0) throw new Error('no such network');
      return (setRemoteDescription as (description: unknown) => Promise<void>).call(this, args[0]);
    });
    const { side: guest } = await joinClient(url, invite);
    await expect.poll(() => owner.isConnected && guest.isConnected, within).toBe(true);
    spy.mockRestore();
    expect(connections).toBeGreaterThan(1);
    expect(guest.retries).toBe(1);
    expect(guest.ends).toEqual([]);
  });

  test('whoever has the link cannot open its room while the owner is away, and the owner gets it back', async () => {
    const url = await startServer();
    const { pairing, invite } = await openOwner(url);
    const saved = pairing.save()!;
    pairing.close();
    const guest = new Signaling({ onState: () => {}, onPeerLeft: () => {}, onSignal: () => {} }, url);
    closers.push(() => guest.close());
    // What it can open is the room of its own key.
    const posing = Object.assign(new RoomKey(), { code: invite.code });
    await expect(guest.open(posing)).rejects.toThrow(RefusedError);
    await expect(guest.join(invite.code, { keyId: '0'.repeat(16), linkTag: null })).rejects.toThrow('no-such-room');
    const again = new OwnerPairing(new Side().listener, [], url);
    closers.push(() => again.close());
    expect(await again.open(saved)).toEqual(invite);
  });

  test('a reload while the server is away does not cost the owner its link; a room that another tab has does', async () => {
    const before = await openOwner(await startServer());
    const saved = before.pairing.save()!;
    const opened: string[] = [];
    const server =
      (refusals: RefusedError[]): Introduce =>
      () => ({
        open: async ({ code }) => {
          const refusal = refusals.shift();
          if (refusal) throw refusal;
          opened.push(code);
        },
        ...{ join: async () => {}, signal: async () => {}, dismiss: async () => {}, close: async () => {} },
        grantLocator: () => Promise.reject(new RefusedError('no-such-room')),
        joinByLocator: () => Promise.reject(new RefusedError('no-such-code')),
        withdrawLocator: async () => {},
      });
    const reloaded = (introduce: Introduce) => new OwnerPairing(new Side().listener, [], introduce);
    const three = (code: RefusedError['code']) => Array.from({ length: 3 }, () => new RefusedError(code));
    const away = reloaded(server(three('timeout')));
    await expect(away.open(saved)).rejects.toMatchObject({ code: 'timeout' });
    expect(await away.open(saved)).toEqual(before.invite);
    const taken = await reloaded(server(three('room-full'))).open(saved);
    expect(taken.code).not.toBe(before.invite.code);
    expect(opened).toEqual([before.invite.code, taken.code]);
  });

  test('somebody with another secret does not connect, and keeps the place from nobody', async () => {
    const url = await startServer();
    const { side: owner, invite } = await openOwner(url);
    const { side: stranger } = await joinClient(url, { ...invite, secret: newSecret() });
    await expect.poll(() => stranger.ends, within).toEqual(['authentication']);
    expect(owner.states).not.toContain('connected');
    const { side: guest } = await joinClient(url, invite);
    await expect.poll(() => guest.isConnected, within).toBe(true);
  });
});

describe('a server that works together with a guest of the same link', () => {
  test('lets it play the owner: the client does not take its offer', async () => {
    const room = new RoomKey();
    const invite = { code: room.code, secret: newSecret() };
    const mallory = new OwnerHandshake(Object.assign(new RoomKey(), { code: invite.code }), invite.secret);
    let answers = 0;
    const url = await hostileServer((tab) => {
      tab.on('join', (_code, _options, reply) => {
        reply({ ok: true });
        tab.emit('signal', mallory.offer('v=0\r\n'));
      });
      tab.on('signal', () => answers++);
    });
    const { side } = await joinClient(url, invite);
    await expect.poll(() => side.ends, within).toEqual(['authentication']);
    expect(answers).toBe(0);
    expect(side.states).not.toContain('connected');
  });

  test('says that a room is open which is not the owner’s', async () => {
    const url = await hostileServer((tab) => {
      tab.on('open', (_options, reply) => reply({ ok: true, code: new RoomKey().code }));
    });
    await expect(openOwner(url)).rejects.toThrow(RefusedError);
  });

  const hex = (bytes: number) => '0'.repeat(2 * bytes);
  const offer = { kind: 'offer', attempt: hex(8), sdp: '', key: hex(32), share: hex(32), signature: hex(64) };
  const ice = { kind: 'ice', attempt: hex(8), candidate: '', sdpMid: '0', sdpMLineIndex: 0 };
  test.each<[string, string, unknown[]]>([
    [
      'a tag of null',
      'signal',
      [{ kind: 'answer', attempt: '0'.repeat(16), sdp: '', share: '0'.repeat(64), tag: null }],
    ],
    ['no signal', 'signal', []],
    ['null for a signal', 'signal', [null]],
    // But for what they are named after, these two are as they should be.
    ['an SDP of a megabyte', 'signal', [{ ...offer, sdp: 'x'.repeat(1e6) }]],
    ['a candidate that is a number', 'signal', [{ ...ice, candidate: 7 }]],
    ['a client with a tag that is none', 'peerJoined', ['0'.repeat(16), 'zz']],
    ['a client with an object for a name', 'peerJoined', [{}, {}]],
    ['a client of nothing', 'peerJoined', []],
    ['a reason that is none', 'peerLeft', ['because']],
    ['a reason that is an object', 'peerLeft', [{ toString: null }]],
  ])('%s changes nothing, on either side', async (_, event, args) => {
    const send = (tab: Socket) => {
      tab.emit(event, ...args);
      tab.emit('peerLeft', 'room-full'); // in order: what came before has been read
    };
    let ownerTab: Socket | undefined;
    const url = await hostileServer((tab) => {
      tab.on('open', (_options, reply) => {
        ownerTab = tab;
        reply({ ok: true, code: new RoomKey(new Uint8Array(32)).code });
      });
      tab.on('join', (_code, _options, reply) => {
        reply({ ok: true });
        send(tab);
      });
    });
    const { side } = await joinClient(url, { code: 'A'.repeat(22), secret: newSecret() });
    await expect.poll(() => side.ends, within).toEqual(['room-full']);
    expect(side.states).toEqual([]);

    const left: string[] = [];
    const joined: unknown[] = [];
    const owner = new Signaling(
      {
        onState: () => {},
        onPeerJoined: (...given) => joined.push(given),
        onPeerLeft: (reason) => left.push(reason),
        onSignal: (signal) => joined.push(signal),
      },
      url,
    );
    closers.push(() => owner.close());
    await owner.open(new RoomKey(new Uint8Array(32)));
    send(ownerTab!);
    await expect.poll(() => left, within).toEqual(['room-full']);
    expect(joined).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a code that is none', { ok: true, code: 7 }],
    ['a refusal without a reason that is known', { ok: false, code: '<script>' }],
    ['a locator for ever', { ok: true, locator: 'AAAA', lifetimeMs: Number.POSITIVE_INFINITY }],
  ])('answers %s: it counts as no answer', async (_, answer) => {
    const url = await hostileServer((tab) => {
      for (const event of ['open', 'grantLocator']) tab.on(event, (...args) => args.at(-1)(answer));
    });
    const tab = new Signaling({ onState: () => {}, onPeerLeft: () => {}, onSignal: () => {} }, url);
    closers.push(() => tab.close());
    await expect(tab.open(new RoomKey())).rejects.toMatchObject({ code: 'timeout' });
    await expect(tab.grantLocator()).rejects.toMatchObject({ code: 'timeout' });
  });
});
