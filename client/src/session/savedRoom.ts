/**
 * An owner's room over a reload of its tab: sessionStorage keeps it in this tab, until the tab is closed or the owner
 * leaves. It holds the room's secrets; scripts of this origin could read them, as they could the page itself.
 */
import { type Answer, defaultLimit } from '../../../protocols/index.ts';
import { fromBase64url, toBase64url } from '../pairing/invite.ts';
import type { SavedRoom } from '../pairing/roomSecrets.ts';

const key = 'blindsight room';

export interface SavedOwner {
  readonly room: SavedRoom;
  /** Name of the bundled model; an owner's own has to be chosen again. */
  readonly bundled: string | undefined;
  /** Answers given, and the bits that they carried. */
  readonly served: number;
  readonly toldBits: number;
  readonly sessions: number;
  /** Null for none. */
  readonly limit: number | null;
  readonly answer: Answer;
}

/** Where the browser keeps nothing (all site data blocked), a reload starts anew, and nothing else is different. */
function withStorage<T>(use: (storage: Storage) => T, otherwise: T): T {
  try {
    return use(sessionStorage);
  } catch {
    return otherwise;
  }
}

export const hasSavedOwner = (): boolean => withStorage((storage) => storage.getItem(key) !== null, false);

export function saveOwner({ room, ...rest }: SavedOwner): void {
  const { code, secret, fromCodes } = room;
  const text = JSON.stringify({
    ...rest,
    room: { code, secret: toBase64url(secret), fromCodes: fromCodes.map(toBase64url) },
  });
  withStorage((storage) => storage.setItem(key, text), undefined);
}

export function forgetOwner(): void {
  withStorage((storage) => storage.removeItem(key), undefined);
}

/** Undefined when there is none, or another version of this program wrote it. */
export function loadOwner(): SavedOwner | undefined {
  try {
    const { room, bundled, served, toldBits, sessions, limit, answer } = JSON.parse(sessionStorage.getItem(key) ?? '');
    const [secret, ...fromCodes] = [room.secret, ...room.fromCodes].map(fromBase64url);
    if (!secret || [secret, ...fromCodes].some(({ length }) => length !== 32)) return undefined;
    return {
      room: { code: String(room.code), secret, fromCodes },
      bundled: typeof bundled === 'string' ? bundled : undefined,
      served: Number.isSafeInteger(served) ? served : 0,
      toldBits: Number.isFinite(toldBits) ? toldBits : 0,
      sessions: Number.isSafeInteger(sessions) ? sessions : 0,
      limit: Number.isSafeInteger(limit) || limit === null ? limit : defaultLimit,
      answer: answer === 'label' ? 'label' : 'logits',
    };
  } catch {
    return undefined;
  }
}
