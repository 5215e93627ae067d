/**
 * To whom a room belongs. The owner's tab makes an Ed25519 key (RFC 8032) for each room, and the room's code is a hash of
 * its public half. So the code, which every link carries, names the owner: the server lets only the key's holder open the
 * room, and a client takes an offer only from it (client/src/pairing/authenticate.ts), whatever the server does.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { base64urlnopad } from '@scure/base';

/** 128 bits: who wants to own another's room has to find a second preimage. */
export const roomCodeBytes = 16;

/** @param publicKey 32 bytes. */
export function roomCodeOf(publicKey: Uint8Array): string {
  return base64urlnopad.encode(
    sha256(concatBytes(utf8ToBytes('blindsight room 1'), publicKey)).slice(0, roomCodeBytes),
  );
}

/** What an owner signs to open its room. @param connection the server's name for this connection, never used twice. */
export const openingMessage = (connection: string): Uint8Array => utf8ToBytes(`blindsight open 1 ${connection}`);
