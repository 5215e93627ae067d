import { randomInt } from 'node:crypto';
import { locatorLifetimeMs, type RefusalCode } from './events.ts';
import { alphabet, locatorLength } from './locator.ts';

type Awaitable<T> = T | Promise<T>;

/** Rooms of two, in this process (below) or shared by several (redisRooms.ts). A tab is known by its connection's name. */
export interface RoomStore {
  open(owner: string, code: string): Awaitable<{ code: string } | { refused: RefusalCode }>;
  grantLocator(owner: string): Awaitable<{ locator: string; lifetimeMs: number } | { refused: RefusalCode }>;
  withdrawLocator(owner: string): Awaitable<void>;
  join(client: string, code: string): Awaitable<{ owner: string } | { refused: RefusalCode }>;
  find(locator: string): Awaitable<string | undefined>;
  isOwner(tab: string, code: string): Awaitable<boolean>;
  codeOf(tab: string): Awaitable<string | undefined>;
  dismiss(owner: string): Awaitable<string | undefined>;
  peerOf(tab: string): Awaitable<string | undefined>;
  leave(tab: string): Awaitable<string | undefined>;
  readonly size: number;
}

interface Room<Tab> {
  owner: Tab;
  client: Tab | undefined;
  /** By which it can be found until then, beside its code. */
  locator?: { text: string; expiresMs: number } | undefined;
}

/** With 20,000 rooms one draw in fifty is taken. */
export const maxDraws = 100;

/** Rooms of two. A room lives as long as its owner is in it; the client's place can be taken again after it left. */
export class Rooms<Tab> {
  readonly #rooms = new Map<string, Room<Tab>>();
  readonly #codeOf = new Map<Tab, string>();
  readonly #codeByLocator = new Map<string, string>();

  constructor(
    private readonly maxRooms: number,
    private readonly nowMs: () => number = () => performance.now(),
    private readonly draw: () => string = drawLocator,
  ) {}

  get size(): number {
    return this.#rooms.size;
  }

  /** Opens the room with this code for `owner`, who has shown that it has its key. */
  open(owner: Tab, code: string): { code: string } | { refused: RefusalCode } {
    if (this.#rooms.size >= this.maxRooms) return { refused: 'busy' };
    if (this.#rooms.has(code)) return { refused: 'room-full' };
    this.#rooms.set(code, { owner, client: undefined });
    this.#codeOf.set(owner, code);
    return { code };
  }

  /** Gives the room of `owner` a locator that no other has, in place of the one before. */
  grantLocator(owner: Tab): { locator: string; lifetimeMs: number } | { refused: RefusalCode } {
    const room = this.#roomOf(owner);
    if (room?.owner !== owner) return { refused: 'no-such-room' };
    this.#dropLocator(room);
    for (let i = 0; i < maxDraws; i++) {
      const text = this.draw();
      if (this.#roomAt(text)) continue;
      room.locator = { text, expiresMs: this.nowMs() + locatorLifetimeMs };
      this.#codeByLocator.set(text, this.#codeOf.get(owner)!);
      return { locator: text, lifetimeMs: locatorLifetimeMs };
    }
    return { refused: 'busy' };
  }

  withdrawLocator(owner: Tab): void {
    const room = this.#roomOf(owner);
    if (room?.owner === owner) this.#dropLocator(room);
  }

  /** Seats `client`, who stays there if it was; answers with the owner. */
  join(client: Tab, code: string): { owner: Tab } | { refused: RefusalCode } {
    const room = this.#rooms.get(code);
    if (!room || room.owner === client) return { refused: 'no-such-room' };
    if (room.client && room.client !== client) return { refused: 'room-full' };
    room.client = client;
    this.#codeOf.set(client, code);
    return { owner: room.owner };
  }

  /** The code of the room that has this locator now. */
  find(locator: string): string | undefined {
    return this.#roomAt(locator) && this.#codeByLocator.get(locator);
  }

  isOwner(tab: Tab, code: string): boolean {
    return this.#rooms.get(code)?.owner === tab;
  }

  codeOf(tab: Tab): string | undefined {
    return this.#codeOf.get(tab);
  }

  /** Frees the client's place in the room of `owner`; answers with the client that was there. */
  dismiss(owner: Tab): Tab | undefined {
    const room = this.#roomOf(owner);
    const client = room?.owner === owner ? room.client : undefined;
    if (client) this.leave(client);
    return client;
  }

  has(tab: Tab): boolean {
    return this.#codeOf.has(tab);
  }

  peerOf(tab: Tab): Tab | undefined {
    const room = this.#roomOf(tab);
    return room?.owner === tab ? room.client : room?.owner;
  }

  /** Unseats `tab`; answers with the peer that is to be told. The owner's leaving closes the room. */
  leave(tab: Tab): Tab | undefined {
    const room = this.#roomOf(tab);
    if (!room) return undefined;
    const peer = this.peerOf(tab);
    if (room.owner === tab) {
      this.#dropLocator(room);
      this.#rooms.delete(this.#codeOf.get(tab)!);
      if (room.client) this.#codeOf.delete(room.client);
    } else {
      room.client = undefined;
    }
    this.#codeOf.delete(tab);
    return peer;
  }

  #roomOf(tab: Tab): Room<Tab> | undefined {
    const code = this.#codeOf.get(tab);
    return code === undefined ? undefined : this.#rooms.get(code);
  }

  /** Forgets a locator that has expired. */
  #roomAt(locator: string): Room<Tab> | undefined {
    const room = this.#rooms.get(this.#codeByLocator.get(locator) ?? '');
    if (!room?.locator || room.locator.expiresMs > this.nowMs()) return room;
    this.#dropLocator(room);
    return undefined;
  }

  #dropLocator(room: Room<Tab>): void {
    if (room.locator) this.#codeByLocator.delete(room.locator.text);
    room.locator = undefined;
  }
}

export const drawLocator = (): string =>
  Array.from({ length: locatorLength }, () => alphabet[randomInt(alphabet.length)]).join('');
