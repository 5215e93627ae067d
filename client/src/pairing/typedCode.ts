/**
 * The typed code: `K7Q2-M9XF`. Its first half finds the room on the signaling server, its second half is a
 * password of 20 bits that only the two tabs know (codeExchange.ts says why so few are enough).
 * Letters and digits are Crockford's base 32: none look alike, and what people take for one another is read as the same.
 */
import { alphabet, locatorLength } from '../../../signaling-server/locator.ts';

export interface TypedCode {
  readonly locator: string;
  readonly password: string;
}

const passwordLength = 4;

/** @param random `passwordLength` bytes at least; 256 is a multiple of 32, so each letter is uniform. */
export function newPassword(random: Uint8Array = crypto.getRandomValues(new Uint8Array(passwordLength))): string {
  return Array.from(random.subarray(0, passwordLength), (byte) => alphabet[byte % 32]).join('');
}

export const formatTypedCode = ({ locator, password }: TypedCode): string => `${locator}-${password}`;

/** Reads what somebody typed: in any case, with or without hyphens and spaces. Undefined when it is none. */
export function parseTypedCode(text: string): TypedCode | undefined {
  const letters = text
    .toUpperCase()
    .replace(/[\s\-–—]/g, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  if (letters.length !== locatorLength + passwordLength) return undefined;
  if ([...letters].some((letter) => !alphabet.includes(letter))) return undefined;
  return { locator: letters.slice(0, locatorLength), password: letters.slice(locatorLength) };
}
