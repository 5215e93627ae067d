import { derivePairingKeys, type PairingKeys } from './authenticate.ts';

/** Clients that came by a short code and may come back; the oldest is forgotten first. */
const maxFromCodes = 8;

/** An owner's room, as a tab keeps it over a reload. */
export interface SavedRoom {
  readonly code: string;
  /** The link's. */
  readonly secret: Uint8Array;
  /** One for each client that came by a short code: who guesses a code has nothing of the others. */
  readonly fromCodes: readonly Uint8Array[];
}

/** The secrets with which clients may enter a room. */
export class RoomSecrets {
  readonly #link: PairingKeys;
  #fromCodes: { secret: Uint8Array; keys: PairingKeys }[] = [];

  constructor(
    readonly code: string,
    readonly secret: Uint8Array,
    fromCodes: readonly Uint8Array[] = [],
  ) {
    this.#link = derivePairingKeys({ code, secret });
    for (const each of fromCodes) this.add(each);
  }

  add(secret: Uint8Array): void {
    const keys = derivePairingKeys({ code: this.code, secret });
    this.#fromCodes = [...this.#fromCodes, { secret, keys }].slice(-maxFromCodes);
  }

  /** The keys that a client says it has; for an unknown id the link's, whose tags will not fit and say so. */
  find(keyId: string): PairingKeys {
    return this.#fromCodes.find(({ keys }) => keys.id === keyId)?.keys ?? this.#link;
  }

  save(): SavedRoom {
    return { code: this.code, secret: this.secret, fromCodes: this.#fromCodes.map(({ secret }) => secret) };
  }
}
