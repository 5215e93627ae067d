/**
 * The invite link: `https://HOST/?…#CODE.SECRET`, and `#CODE.SECRET.OFFER` where no server introduces the tabs (byText.ts).
 * Both halves are in the fragment, which browsers do not send; the code goes to the signaling server, the secret goes nowhere
 * but to the other person. STUN and TURN servers, if any, follow behind `&` (iceServers.ts).
 */
import { base64urlnopad } from '@scure/base';
import { formatIce, splitFragment } from './iceServers.ts';

export interface Invite {
  /** Names the room on the signaling server, and its owner: a hash of its key, 128 bits, base64url (roomKey.ts). */
  code: string;
  /** Shows the owner that who has it was invited: 256 bits. */
  secret: Uint8Array;
  /** The owner's offer, packed; there where no server relays it. */
  offer?: string;
}

const secretBytes = 32;
const form = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{1,8000}))?$/;

export function newSecret(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(secretBytes));
}

/** @param base address of the page; its query is kept. @param ice servers to be carried on */
export function formatInvite(base: string, { code, secret, offer }: Invite, ice: readonly RTCIceServer[] = []): string {
  const url = new URL(base);
  const invite = [code, base64urlnopad.encode(secret), ...(offer ? [offer] : [])].join('.');
  url.hash = ice.length > 0 ? `${invite}&${formatIce(ice)}` : invite;
  return url.href;
}

/** Reads an invite from a link, or from the part after `#`. Undefined when it is neither. */
export function parseInvite(text: string): Invite | undefined {
  const match = form.exec(splitFragment(text.trim().split('#').at(-1)!).rest);
  if (!match) return undefined;
  try {
    const [, code, secret, offer] = match;
    return { code: code, secret: base64urlnopad.decode(secret), ...(offer ? { offer } : {}) };
  } catch {
    return undefined; // not the one encoding of 32 bytes
  }
}
