/**
 * TURN credentials that end, as coturn's `use-auth-secret` checks them (draft-uberti-behave-turn-rest-00): the user name is
 * the time at which they end, the password its HMAC-SHA-1 under a secret that TURN server and issuer share.
 */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface TurnOptions {
  /** `turn:` and `stun:` addresses. */
  readonly urls: string[];
  /** coturn's `static-auth-secret`; without one the servers are used without credentials. */
  readonly secret?: string | undefined;
  readonly lifetimeS?: number;
}

/** Form of what browsers take; anything else would fail in every visitor's tab. */
const iceUrl = /^(stun|turn)s?:[^\s/]+$/i;

/** coturn's `static-auth-secret` out of a file. @throws Error where it is empty */
export async function readTurnSecret(file: string): Promise<string> {
  const secret = (await readFile(file, 'utf8')).trim();
  if (!secret) throw new Error(`${file}: expected the secret that the TURN server has, and nothing is in it`);
  return secret;
}

/** @throws TypeError for what is no address of a STUN or TURN server */
export function turnServers({ urls, secret, lifetimeS = 3600 }: TurnOptions, nowMs = Date.now()): RTCIceServer[] {
  for (const url of urls) {
    if (!iceUrl.test(url))
      throw new TypeError(`STUN and TURN: expected addresses such as turn:turn.example.org, got ${url}`);
  }
  const username = String(Math.floor(nowMs / 1000) + lifetimeS);
  return urls.map((url) =>
    secret !== undefined && /^turns?:/i.test(url)
      ? { urls: url, username, credential: createHmac('sha1', secret).update(username).digest('base64') }
      : { urls: url },
  );
}
