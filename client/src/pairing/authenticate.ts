/**
 * Binds the WebRTC connection to the invite's secret, so that the signaling server cannot get between the tabs.
 *
 * A DTLS connection is authenticated by the certificates' fingerprints in offer and answer (RFC 8842); whoever relays
 * the SDP could put in its own. Here offer and answer each travel with an HMAC under a key that both tabs derive from the
 * invite's secret (HKDF, RFC 5869). It covers the whole text: browsers differ in what they take for a fingerprint's line.
 * The answer's tag also covers the offer, so no tag fits any other pairing.
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Invite } from './invite.ts';
import { words } from './words.ts';

export interface PairingKeys {
  /** Public: tells the owner which of its secrets a client has. */
  readonly id: string;
  readonly offer: Uint8Array;
  readonly answer: Uint8Array;
  readonly shortCode: Uint8Array;
  readonly link: Uint8Array;
}

export function derivePairingKeys({ code, secret }: Invite): PairingKeys {
  const key = (use: string) => hkdf(sha256, secret, utf8ToBytes(code), utf8ToBytes(`blindsight pairing 2 ${use}`), 32);
  return {
    id: bytesToHex(key('id').subarray(0, 8)),
    offer: key('offer'),
    answer: key('answer'),
    shortCode: key('short code'),
    link: key('link'),
  };
}

export function tagOffer(keys: PairingKeys, offerSdp: string): string {
  return mac(keys.offer, sha256(utf8ToBytes(offerSdp)));
}

export function tagAnswer(keys: PairingKeys, offerSdp: string, answerSdp: string): string {
  return mac(keys.answer, transcript(offerSdp, answerSdp));
}

/** Compares in constant time. */
export function tagsEqual(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** Four words that only these two tabs have; for people to compare, should the link have travelled an unsafe way. */
export function shortCode(keys: PairingKeys, offerSdp: string, answerSdp: string): string[] {
  const tag = hexToBytes(mac(keys.shortCode, transcript(offerSdp, answerSdp)));
  return [...tag.subarray(0, 4)].map((byte) => words[byte]!);
}

/** By which a client that takes its place in the room again shows that it is the one on this connection. */
export function tagLink(keys: PairingKeys, offerSdp: string, answerSdp: string): string {
  return mac(keys.link, transcript(offerSdp, answerSdp));
}

const transcript = (offerSdp: string, answerSdp: string): Uint8Array =>
  concatBytes(sha256(utf8ToBytes(offerSdp)), sha256(utf8ToBytes(answerSdp)));

const mac = (key: Uint8Array, message: Uint8Array): string => bytesToHex(hmac(sha256, key, message));
