/** Two server processes behind a balancer share their rooms in a real Redis; one of them is killed. */
import '../support/webRtc.ts';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientPairing } from '../../client/src/pairing/clientPairing.ts';
import type { Invite } from '../../client/src/pairing/invite.ts';
import type { CodeState } from '../../client/src/pairing/ownerCode.ts';
import { OwnerPairing, type PairingEnd } from '../../client/src/pairing/ownerPairing.ts';
import type { LinkState } from '../../client/src/pairing/peerLink.ts';
import { redeemCode } from '../../client/src/pairing/redeemCode.ts';
import { parseTypedCode } from '../../client/src/pairing/typedCode.ts';
import { RedisRooms } from '../../signaling-server/redisRooms.ts';

const root = path.join(import.meta.dirname, '../..');
const program = process.env.REDIS_SERVER ?? 'redis-server';
const hasRedis = spawnSync(program, ['--version']).status === 0;

const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Resolves with what the program prints that fits. */
function printed(child: ChildProcess, form: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (data) => {
      text += data;
      const match = form.exec(text);
      if (match) resolve(match);
    });
    child.once('exit', () => reject(new Error(`ended early: ${text}`)));
  });
}

async function startRedis(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-redis-'));
  const socket = path.join(folder, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', folder];
  const redis = spawn(program, args);
  closers.push(() => rm(folder, { recursive: true }));
  closers.push(() => redis.kill());
  await printed(redis, /Ready to accept connections|ready to accept/i);
  return `unix://${socket}`;
}

class Backend {
  port = 0;
  private constructor(readonly child: ChildProcess) {}

  static async start(redisUrl: string): Promise<Backend> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'signaling-server/main.ts'], {
      cwd: root,
      env: { ...process.env, PORT: '0', REDIS_URL: redisUrl },
    });
    closers.push(() => child.kill('SIGKILL'));
    const backend = new Backend(child);
    backend.port = Number((await printed(child, /http:\/\/localhost:(\d+)/))[1]);
    return backend;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }
}

/** To each process in turn, but not to one that is gone. */
async function startBalancer(backends: Backend[]): Promise<string> {
  let turn = 0;
  const open = new Set<Socket>();
  const balancer = createServer((front) => {
    const alive = backends.filter(({ isAlive }) => isAlive);
    const back = connect(alive[turn++ % alive.length].port, 'localhost');
    for (const socket of [front, back]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        front.destroy();
        back.destroy();
      });
    }
    front.pipe(back).pipe(front);
  });
  await new Promise<void>((resolve) => balancer.listen(0, resolve));
  closers.push(() => {
    for (const socket of open) socket.destroy();
    balancer.close();
  });
  return `http://localhost:${(balancer.address() as AddressInfo).port}`;
}

class Side {
  link: LinkState = 'closed';
  server = '';
  code: CodeState | undefined;
  ends: PairingEnd[] = [];
  everLost = false;
  readonly listener = {
    onSignaling: (state: string) => void (this.server = state),
    onLink: (state: LinkState) => void (this.link = state),
    onCompareWords: () => {},
    onChannel: () => {},
    onLost: () => void (this.everLost = true),
    onEnded: (end: PairingEnd) => void this.ends.push(end),
    onRetry: () => {},
    onCode: (code: CodeState) => void (this.code = code),
    onSecrets: () => {},
    onRoomLost: () => void this.ends.push('server'),
  };
}

async function openOwner(url: string) {
  const side = new Side();
  const pairing = new OwnerPairing(side.listener, [], url);
  closers.push(() => pairing.close());
  return { side, invite: await pairing.open() };
}

async function join(url: string, invite: Invite) {
  const side = new Side();
  const pairing = new ClientPairing(invite, side.listener, [], url);
  closers.push(() => pairing.close());
  await pairing.join();
  return side;
}

const within = { timeout: 40_000 };

describe.skipIf(!hasRedis)('rooms in Redis', () => {
  let backends: Backend[];
  let url: string;
  let redisUrl: string;
  beforeAll(async () => {
    redisUrl = await startRedis();
    backends = await Promise.all([Backend.start(redisUrl), Backend.start(redisUrl)]);
    url = await startBalancer(backends);
  }, 60_000);

  test('an owner at one process and a client at the other pair, by link and by typed code', async () => {
    const direct = (i: number) => `http://localhost:${backends[i].port}`;
    const { side: owner, invite } = await openOwner(direct(0));
    const client = await join(direct(1), invite);
    await expect.poll(() => [owner.link, client.link], within).toEqual(['connected', 'connected']);
    await expect(join(direct(0), invite)).rejects.toThrow('room-full');
    const other = await openOwner(direct(0));
    await expect.poll(() => other.side.code?.text, within).toBeDefined();
    const byCode = await redeemCode(parseTypedCode(other.side.code!.text!)!, direct(1));
    expect(byCode.code).toBe(other.invite.code);
    const second = await join(direct(1), byCode);
    await expect.poll(() => [other.side.link, second.link], within).toEqual(['connected', 'connected']);
  }, 60_000);

  test('a room whose process is gone is no room, until its owner has opened it at another', async () => {
    const [a, b] = await Promise.all([RedisRooms.connect(redisUrl, 8), RedisRooms.connect(redisUrl, 8)]);
    closers.push(() => b.rooms.close());
    const code = 'R'.repeat(22);
    expect(await a.rooms.open('owner', code)).toEqual({ code });
    expect(await b.rooms.join('guest', code)).toEqual({ owner: 'owner' });
    await a.rooms.close();
    expect(await b.rooms.join('later', code)).toEqual({ refused: 'no-such-room' });
    expect(await b.rooms.open('owner again', code)).toEqual({ code });
    // The guest kept its place.
    expect(await b.rooms.join('later', code)).toEqual({ refused: 'room-full' });
    expect(await b.rooms.join('guest', code)).toEqual({ owner: 'owner again' });
  });

  test('what an owner takes back or renews late is its own, not what has become another’s', async () => {
    const redis = await createClient({ url: redisUrl }).connect();
    closers.push(() => redis.destroy());
    const [a, b] = await Promise.all([RedisRooms.connect(redisUrl, 8), RedisRooms.connect(redisUrl, 8)]);
    closers.push(
      () => a.rooms.close(),
      () => b.rooms.close(),
    );
    const [mine, other] = ['M'.repeat(22), 'O'.repeat(22)];
    await a.rooms.open('owner', mine);
    await b.rooms.open('other owner', other);
    const locatorOf = async () => ((await a.rooms.grantLocator('owner')) as { locator: string }).locator;

    // Its locator has expired, and was drawn for another room.
    for (const late of [
      locatorOf,
      () => a.rooms.withdrawLocator('owner'),
      () => a.rooms.open('owner', mine).then(() => a.rooms.leave('owner')),
    ]) {
      const locator = await locatorOf();
      await redis.set(`blindsight:locator:${locator}`, other);
      await late();
      expect(await b.rooms.find(locator)).toBe(other);
    }

    // A room that is gone is not begun again by its locator.
    await a.rooms.open('owner', mine);
    await redis.del(`blindsight:room:${mine}`);
    expect(await a.rooms.grantLocator('owner')).toEqual({ refused: 'no-such-room' });
    expect(await redis.exists(`blindsight:room:${mine}`)).toBe(0);

    // Two grants at once: one locator leads here.
    await a.rooms.open('owner', mine);
    const both = await Promise.all([locatorOf(), locatorOf()]);
    expect((await Promise.all(both.map((locator) => b.rooms.find(locator)))).filter(Boolean)).toEqual([mine]);

    // The room was opened at another process, whose owner's guest stays.
    await redis.hSet(`blindsight:room:${mine}`, 'ownerProcess', 'gone');
    expect(await b.rooms.open('owner again', mine)).toEqual({ code: mine });
    expect(await b.rooms.join('guest', mine)).toEqual({ owner: 'owner again' });
    expect(await a.rooms.dismiss('owner')).toBeUndefined();
    expect(await b.rooms.peerOf('owner again')).toBe('guest');
    expect(await a.rooms.grantLocator('owner')).toEqual({ refused: 'no-such-room' });
    expect(await b.rooms.dismiss('owner again')).toBe('guest');
    expect(await b.rooms.dismiss('owner again')).toBeUndefined();
  });

  test('one process is killed: pairs go on and take their rooms at the other, and new ones are made', async () => {
    const pairs: { owner: Side; client: Side; invite: Invite }[] = [];
    for (let i = 0; i < 4; i++) {
      const { side: owner, invite } = await openOwner(url);
      pairs.push({ owner, client: await join(url, invite), invite });
    }
    const states = () => pairs.flatMap(({ owner, client }) => [owner.link, client.link]);
    await expect.poll(states, within).toEqual(Array(8).fill('connected'));
    backends[0].child.kill('SIGKILL');
    const started = performance.now();
    const { side: owner, invite } = await openOwner(url);
    const client = await join(url, invite);
    await expect.poll(() => [owner.link, client.link], within).toEqual(['connected', 'connected']);
    console.log(`a new pair ${Math.round(performance.now() - started)} ms after the kill`);
    // The rooms of the one that is gone are their owners' again, and no third takes a client's place.
    for (const pair of pairs) {
      await expect.poll(() => [pair.owner.server, pair.client.server], within).toEqual(['connected', 'connected']);
      await expect
        .poll(() => join(url, pair.invite).then(String, (error: Error) => error.message), within)
        .toContain('room-full');
      expect([...pair.owner.ends, ...pair.client.ends]).toEqual([]);
      expect(pair.owner.everLost || pair.client.everLost).toBe(false);
    }
    expect(states()).toEqual(Array(8).fill('connected'));
  }, 120_000);
});
