/**
 * An owner's room over a reload of its tab: sessionStorage keeps it in this tab, until the tab is closed or the owner
 * leaves. It holds the room's secrets; scripts of this origin could read them, as they could the page itself.
 */

import { base64urlnopad } from '@scure/base';
import * as v from 'valibot';
import { type Answer, defaultLimit } from '../../../protocols/index.ts';
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
  /** Whether guests are shown the samples of an own model. */
  readonly sharesSamples: boolean;
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

export function saveOwner(owner: SavedOwner): void {
  const text = JSON.stringify(owner, (_, value) =>
    value instanceof Uint8Array ? base64urlnopad.encode(value) : value,
  );
  withStorage((storage) => storage.setItem(key, text), undefined);
}

export function forgetOwner(): void {
  withStorage((storage) => storage.removeItem(key), undefined);
}

const Secret = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/), // 32 bytes
  v.transform((text) => base64urlnopad.decode(text)),
);
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Saved = v.object({
  room: v.object({ key: Secret, secret: Secret, guests: v.pipe(v.array(Secret), v.maxLength(256)), wrongTries: Count }),
  bundled: v.optional(v.string()),
  served: Count,
  sessions: Count,
  toldBits: v.pipe(v.number(), v.finite(), v.minValue(0)),
  /** null: none. */
  limit: v.optional(v.nullable(Count), defaultLimit),
  answer: v.picklist(['logits', 'label']),
  sharesSamples: v.boolean(),
});

/** Undefined when there is none, or another version of this program wrote it. */
export function loadOwner(): SavedOwner | undefined {
  try {
    const { bundled, ...rest } = v.parse(Saved, JSON.parse(sessionStorage.getItem(key) ?? ''));
    return { ...rest, bundled };
  } catch {
    return undefined;
  }
}
