import { RoomKey, secretId } from './authenticate.ts';

/** Clients that may come back, each with a secret of its own; who was away longest is forgotten first. */
const maxGuests = 256;

/** An owner's room, as a tab keeps it over a reload. */
export interface SavedRoom {
  /** 32 bytes: who has it is the room's owner. */
  readonly key: Uint8Array;
  /** The link's. */
  readonly secret: Uint8Array;
  /** One for each client that was connected, or came by a typed code: none of them has anything of the others. */
  readonly guests: readonly Uint8Array[];
  /** Wrong tries at typed codes since the owner last asked for one. */
  readonly wrongTries: number;
}

/** An owner's key, and the secrets with which clients may enter its room. */
export class RoomSecrets {
  readonly key: RoomKey;
  readonly #linkId: string;
  /** By their ids; the one that came last is last. */
  readonly #guests = new Map<string, Uint8Array>();

  constructor(
    secretKey: Uint8Array,
    /** The link's. */
    readonly secret: Uint8Array,
    guests: readonly Uint8Array[] = [],
  ) {
    this.key = new RoomKey(secretKey);
    this.#linkId = this.#idOf(secret);
    for (const guest of guests) this.add(guest);
  }

  get code(): string {
    return this.key.code;
  }

  add(guest: Uint8Array): void {
    this.#guests.set(this.#idOf(guest), guest);
    for (const id of this.#guests.keys()) {
      if (this.#guests.size <= maxGuests) break;
      this.#guests.delete(id);
    }
  }

  /** The secret that a client says it has; undefined for one that is unknown, or forgotten. */
  find(id: string): Uint8Array | undefined {
    if (id === this.#linkId) return this.secret;
    const guest = this.#guests.get(id);
    if (guest) {
      this.#guests.delete(id);
      this.#guests.set(id, guest);
    }
    return guest;
  }

  save(): Omit<SavedRoom, 'wrongTries'> {
    return { key: this.key.secretKey, secret: this.secret, guests: [...this.#guests.values()] };
  }

  #idOf(secret: Uint8Array): string {
    return secretId({ code: this.code, secret });
  }
}
