import { randomBytes } from 'node:crypto';
import { type RefusalCode, roomCodeBytes } from './events.ts';

interface Room<Tab> {
  owner: Tab;
  client: Tab | undefined;
}

/** Rooms of two. A room lives as long as its owner is in it; the client's place can be taken again after it left. */
export class Rooms<Tab> {
  readonly #rooms = new Map<string, Room<Tab>>();
  readonly #codeOf = new Map<Tab, string>();

  constructor(private readonly maxRooms: number) {}

  get size(): number {
    return this.#rooms.size;
  }

  /** Opens a room for `owner`; `code` asks for one that the owner had before. */
  open(owner: Tab, code: string | null): { code: string } | { refused: RefusalCode } {
    if (this.#rooms.size >= this.maxRooms) return { refused: 'busy' };
    if (code !== null && this.#rooms.has(code)) return { refused: 'room-full' };
    const granted = code ?? randomBytes(roomCodeBytes).toString('base64url');
    this.#rooms.set(granted, { owner, client: undefined });
    this.#codeOf.set(owner, granted);
    return { code: granted };
  }

  /** Seats `client`; answers with the owner. */
  join(client: Tab, code: string): { owner: Tab } | { refused: RefusalCode } {
    const room = this.#rooms.get(code);
    if (!room) return { refused: 'no-such-room' };
    if (room.client) return { refused: 'room-full' };
    room.client = client;
    this.#codeOf.set(client, code);
    return { owner: room.owner };
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
}
