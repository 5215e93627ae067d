/**
 * The invite link: `https://HOST/?…#CODE.SECRET`. Both halves are in the fragment, which browsers do not send; the code
 * goes to the signaling server, the secret goes nowhere but to the other person.
 */
export interface Invite {
  /** Names the room on the signaling server: 128 bits, base64url. */
  code: string;
  /** Authenticates the connection between the tabs: 256 bits. */
  secret: Uint8Array;
}

const secretBytes = 32;
const form = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

export function newSecret(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(secretBytes));
}

/** @param base address of the page; its query (STUN and TURN servers) is kept. */
export function formatInvite(base: string, { code, secret }: Invite): string {
  const url = new URL(base);
  url.hash = `${code}.${toBase64url(secret)}`;
  return url.href;
}

/** Reads an invite from a link, or from the part after `#`. Undefined when it is neither. */
export function parseInvite(text: string): Invite | undefined {
  const match = form.exec(text.trim().split('#').at(-1)!);
  if (!match) return undefined;
  const secret = fromBase64url(match[2]!);
  return secret.length === secretBytes ? { code: match[1]!, secret } : undefined;
}

export function toBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

export function fromBase64url(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}
