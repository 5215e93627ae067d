/**
 * TURN credentials that end, as coturn's `use-auth-secret` checks them (draft-uberti-behave-turn-rest-00): the user name is
 * the time at which they end, the password its HMAC-SHA-1 under a secret that TURN server and issuer share.
 */
import { createHmac } from 'node:crypto';

export interface TurnOptions {
  /** `turn:` and `stun:` addresses. */
  readonly urls: string[];
  /** coturn's `static-auth-secret`; without one the servers are used without credentials. */
  readonly secret?: string | undefined;
  readonly lifetimeS?: number;
}

export function turnServers({ urls, secret, lifetimeS = 3600 }: TurnOptions, nowMs = Date.now()): RTCIceServer[] {
  const username = String(Math.floor(nowMs / 1000) + lifetimeS);
  return urls.map((url) =>
    secret !== undefined && /^turns?:/.test(url)
      ? { urls: url, username, credential: createHmac('sha1', secret).update(username).digest('base64') }
      : { urls: url },
  );
}
