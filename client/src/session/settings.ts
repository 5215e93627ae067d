/**
 * Who introduces two tabs to each other: `settings.json` beside the page, `{ "signaling": … }`.
 * `"here"`: the server that the page came from. An address: that server. `null`: none; people carry the texts over.
 * `?signaling=ADDRESS` in the page's own address comes before it; the invite link carries it on.
 */
import * as v from 'valibot';
import { UnreachableError } from '../pairing/iceServers.ts';

const Address = v.pipe(v.string(), v.url(), v.regex(/^(https?|wss?):/));
const Settings = v.object({ signaling: v.nullable(v.union([v.literal('here'), Address])) });

/** @returns a server's address; undefined for the page's own; null for none. @throws UnreachableError, v.ValiError */
export async function signalingServer(search: string): Promise<string | undefined | null> {
  const chosen = new URLSearchParams(search).get('signaling');
  if (chosen !== null) return v.parse(Address, chosen);
  const response = await fetch('settings.json').catch(() => {
    throw new UnreachableError();
  });
  const { signaling } = v.parse(Settings, response.ok ? await response.json() : { signaling: 'here' });
  return signaling === 'here' ? undefined : signaling;
}
