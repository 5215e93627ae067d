/**
 * The invite link: `https://HOST/?…#CODE.SECRET`. Both halves are in the fragment, which browsers do not send; the code
 * goes to the signaling server, the secret goes nowhere but to the other person.
 */
import { base64urlnopad } from '@scure/base';

export interface Invite {
  /** Names the room on the signaling server, and its owner: a hash of its key, 128 bits, base64url (roomKey.ts). */
  code: string;
  /** Shows the owner that who has it was invited: 256 bits. */
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
  url.hash = `${code}.${base64urlnopad.encode(secret)}`;
  return url.href;
}

/** Reads an invite from a link, or from the part after `#`. Undefined when it is neither. */
export function parseInvite(text: string): Invite | undefined {
  const match = form.exec(text.trim().split('#').at(-1)!);
  if (!match) return undefined;
  try {
    return { code: match[1]!, secret: base64urlnopad.decode(match[2]!) };
  } catch {
    return undefined; // not the one encoding of 32 bytes
  }
}
