/**
 * Rooms that several server processes share, in Redis. Each step that two processes could take at once is one script, which
 * Redis runs as a whole. A process that is gone keeps nothing: its heartbeat ends, and then its tabs' places are free.
 */
import { randomUUID } from 'node:crypto';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { locatorLifetimeMs, type RefusalCode } from './events.ts';
import { drawLocator, maxDraws, type RoomStore } from './rooms.ts';

/** A process that says nothing for so long is gone. */
const heartbeatLifetimeMs = 5000;
const heartbeatMs = 1500;
/** Rooms are said anew as often; what a process that is gone has left ends then. */
const roomLifetimeMs = 60_000;

/** KEYS room. ARGV code, tab, process. */
const openScript = `
  local owner, process = unpack(redis.call('hmget', KEYS[1], 'owner', 'ownerProcess'))
  if owner and owner ~= ARGV[2] and redis.call('exists', 'blindsight:process:' .. process) == 1 then return 0 end
  redis.call('hset', KEYS[1], 'owner', ARGV[2], 'ownerProcess', ARGV[3])
  redis.call('pexpire', KEYS[1], ${roomLifetimeMs})
  return 1`;
const joinScript = `
  local owner, client, process, ownerProcess =
    unpack(redis.call('hmget', KEYS[1], 'owner', 'client', 'clientProcess', 'ownerProcess'))
  if not owner or owner == ARGV[2] then return {0} end
  if redis.call('exists', 'blindsight:process:' .. ownerProcess) == 0 then return {0} end
  if client and client ~= ARGV[2] and redis.call('exists', 'blindsight:process:' .. process) == 1 then return {1} end
  redis.call('hset', KEYS[1], 'client', ARGV[2], 'clientProcess', ARGV[3])
  return {2, owner}`;
/** A locator that has expired may be another room's by now. */
const dropLocator = `
  local function drop(locator)
    if locator and redis.call('get', 'blindsight:locator:' .. locator) == ARGV[1] then
      redis.call('del', 'blindsight:locator:' .. locator)
    end
  end`;
/** ARGV also: locator. 0: no room of the tab's, 1: another room has the locator, 2: it is this one's, in place of the one before. */
const grantScript = `${dropLocator}
  local owner, before = unpack(redis.call('hmget', KEYS[1], 'owner', 'locator'))
  if owner ~= ARGV[2] then return 0 end
  if not redis.call('set', 'blindsight:locator:' .. ARGV[4], ARGV[1], 'NX', 'PX', ${locatorLifetimeMs}) then return 1 end
  drop(before)
  redis.call('hset', KEYS[1], 'locator', ARGV[4])
  return 2`;
const withdrawScript = `${dropLocator}
  local owner, locator = unpack(redis.call('hmget', KEYS[1], 'owner', 'locator'))
  if owner ~= ARGV[2] then return end
  drop(locator)
  redis.call('hdel', KEYS[1], 'locator')`;
/** Unseats the client of the tab's room, and answers with it. */
const dismissScript = `
  local owner, client = unpack(redis.call('hmget', KEYS[1], 'owner', 'client'))
  if owner ~= ARGV[2] then return false end
  redis.call('hdel', KEYS[1], 'client', 'clientProcess')
  return client`;
/** Unseats the tab; answers with its peer. */
const leaveScript = `${dropLocator}
  local owner, client, locator = unpack(redis.call('hmget', KEYS[1], 'owner', 'client', 'locator'))
  if owner == ARGV[2] then
    redis.call('del', KEYS[1])
    drop(locator)
    return client
  end
  if client == ARGV[2] then
    redis.call('hdel', KEYS[1], 'client', 'clientProcess')
    return owner
  end
  return false`;

const roomKey = (code: string) => `blindsight:room:${code}`;
const locatorKey = (locator: string) => `blindsight:locator:${locator}`;

/** The adapter reads replies of version 2. */
const redisClient = (url: string) => createClient({ url, RESP: 2 });

export class RedisRooms implements RoomStore {
  readonly #process = randomUUID();
  /** This process's tabs, and whether they own their room. */
  readonly #tabs = new Map<string, { code: string; isOwner: boolean }>();
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    private readonly redis: ReturnType<typeof redisClient>,
    private readonly maxRooms: number,
  ) {}

  /** Connects to `url`; also answers with what carries socket.io's events between the processes. */
  static async connect(url: string, maxRooms: number) {
    const redis = redisClient(url);
    redis.on('error', () => {}); // it connects again by itself; meanwhile requests are refused
    await redis.connect();
    const rooms = new RedisRooms(redis, maxRooms);
    await rooms.#beat();
    rooms.#timer = setInterval(() => void rooms.#beat().catch(() => {}), heartbeatMs);
    const adapter = createAdapter(redis, { streamName: 'blindsight:events', maxLen: 100_000, readCount: 1000 });
    return { rooms, adapter };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.redis.del(`blindsight:process:${this.#process}`);
    this.redis.destroy();
  }

  /** Rooms of this process. */
  get size(): number {
    return [...this.#tabs.values()].filter(({ isOwner }) => isOwner).length;
  }

  async open(owner: string, code: string): Promise<{ code: string } | { refused: RefusalCode }> {
    if (this.#tabs.size >= 2 * this.maxRooms) return { refused: 'busy' };
    if ((await this.#run(openScript, code, owner)) !== 1) return { refused: 'room-full' };
    this.#tabs.set(owner, { code, isOwner: true });
    return { code };
  }

  async grantLocator(owner: string): Promise<{ locator: string; lifetimeMs: number } | { refused: RefusalCode }> {
    const place = this.#tabs.get(owner);
    if (!place?.isOwner) return { refused: 'no-such-room' };
    for (let i = 0; i < maxDraws; i++) {
      const locator = drawLocator();
      const outcome = await this.#run(grantScript, place.code, owner, locator);
      if (outcome === 0) return { refused: 'no-such-room' };
      if (outcome === 2) return { locator, lifetimeMs: locatorLifetimeMs };
    }
    await this.withdrawLocator(owner);
    return { refused: 'busy' };
  }

  async withdrawLocator(owner: string): Promise<void> {
    const place = this.#tabs.get(owner);
    if (place?.isOwner) await this.#run(withdrawScript, place.code, owner);
  }

  async join(client: string, code: string): Promise<{ owner: string } | { refused: RefusalCode }> {
    const [outcome, owner] = (await this.#run(joinScript, code, client)) as [number, string?];
    if (outcome === 0) return { refused: 'no-such-room' };
    if (outcome === 1) return { refused: 'room-full' };
    this.#tabs.set(client, { code, isOwner: false });
    return { owner: owner! };
  }

  async find(locator: string): Promise<string | undefined> {
    return (await this.redis.get(locatorKey(locator))) ?? undefined;
  }

  async isOwner(tab: string, code: string): Promise<boolean> {
    const place = this.#tabs.get(tab);
    return place?.code === code && (await this.redis.hGet(roomKey(code), 'owner')) === tab;
  }

  codeOf(tab: string): string | undefined {
    return this.#tabs.get(tab)?.code;
  }

  async dismiss(owner: string): Promise<string | undefined> {
    const place = this.#tabs.get(owner);
    if (!place?.isOwner) return undefined;
    return ((await this.#run(dismissScript, place.code, owner)) as string | null) ?? undefined;
  }

  async peerOf(tab: string): Promise<string | undefined> {
    const place = this.#tabs.get(tab);
    if (!place) return undefined;
    const [owner, client] = await this.redis.hmGet(roomKey(place.code), ['owner', 'client']);
    if (owner === tab) return client ?? undefined;
    // A client that was sent out by another process has no peer any more.
    return client === tab ? (owner ?? undefined) : undefined;
  }

  async leave(tab: string): Promise<string | undefined> {
    const place = this.#tabs.get(tab);
    if (!place) return undefined;
    this.#tabs.delete(tab);
    return ((await this.#run(leaveScript, place.code, tab)) as string | null) ?? undefined;
  }

  #run(script: string, code: string, tab: string, ...more: string[]): Promise<unknown> {
    return this.redis.eval(script, { keys: [roomKey(code)], arguments: [code, tab, this.#process, ...more] });
  }

  async #beat(): Promise<void> {
    const beat = this.redis.multi().set(`blindsight:process:${this.#process}`, '1', {
      expiration: { type: 'PX', value: heartbeatLifetimeMs },
    });
    for (const { code, isOwner } of this.#tabs.values()) if (isOwner) beat.pExpire(roomKey(code), roomLifetimeMs);
    await beat.exec();
  }
}
