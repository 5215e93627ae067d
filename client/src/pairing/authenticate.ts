/**
 * Binds a WebRTC connection to the invite, so that neither the signaling server nor another guest of the room, nor both
 * together, can get between the two tabs or play the owner.
 *
 * A DTLS connection is authenticated by the certificates' fingerprints in offer and answer (RFC 8842); whoever relays
 * the SDP could put in its own. Here:
 *
 *     owner → client   offer: SDP, the room's public key, an X25519 share; signed (Ed25519, RFC 8032)
 *     client → owner   answer: SDP, an X25519 share; a tag (HMAC-SHA-256)
 *
 * The room's code is the key's hash (signaling-server/roomKey.ts), so who has a link or a typed code knows whose offer to
 * take. The tag's key comes from both the shares (RFC 7748) and the client's secret (HKDF, RFC 5869): the owner sees that
 * the answer is from somebody whom it invited, and of all who know the link's secret only the two tabs of this run know
 * what follows from it: the words to compare, the connection's tag, and a secret of the client's own with which
 * it makes its next connection. Signature and tag cover the whole texts: browsers differ in what they take for a
 * fingerprint's line. The tag also covers the offer, so none fits any other run.
 */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { equalBytes } from '@noble/curves/utils.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Answer, Offer, OpenOptions } from '../../../signaling-server/events.ts';
import { openingMessage, roomCodeOf } from '../../../signaling-server/roomKey.ts';
import type { Invite } from './invite.ts';
import { words } from './words.ts';

const version = 'blindsight pairing 3';

/** The offer's signature, or the answer's tag, does not fit. */
export class AuthenticationError extends Error {}

/** What both tabs of a finished run have, and nobody else. */
export interface Pairing {
  /** Four, for people to compare, should the link have travelled an unsafe way. */
  readonly compareWords: string[];
  /** By which a client that takes its place in the room again shows that it is the one on this connection: 64 digits. */
  readonly linkTag: string;
  /** 32 bytes: the client's secret for its next connection. */
  readonly nextSecret: Uint8Array;
}

/** An owner's key for its room. */
export class RoomKey {
  readonly publicKey: Uint8Array;
  readonly code: string;

  /** @param secretKey 32 uniform bytes. */
  constructor(readonly secretKey: Uint8Array = webRandom(32)) {
    this.publicKey = ed25519.getPublicKey(secretKey);
    this.code = roomCodeOf(this.publicKey);
  }

  sign(message: Uint8Array): Uint8Array {
    return ed25519.sign(message, this.secretKey);
  }

  /** For the server: opens the room on this connection of socket.io's. */
  proveFor(connection: string): OpenOptions {
    return { key: bytesToHex(this.publicKey), signature: bytesToHex(this.sign(openingMessage(connection))) };
  }
}

/** Tells the owner which of its secrets a client has: 64 bits, of which nothing follows. */
export const secretId = ({ code, secret }: Invite): string =>
  bytesToHex(deriveKey(secret, utf8ToBytes(code), 'id').subarray(0, 8));

/** The owner's side of one run. */
export class OwnerHandshake {
  readonly #shareKey: Uint8Array;
  #offer: Offer | undefined;

  /** @param secret of the client that has joined. */
  constructor(
    private readonly roomKey: RoomKey,
    private readonly secret: Uint8Array,
    private readonly attempt: string = bytesToHex(webRandom(8)),
    random = webRandom,
  ) {
    this.#shareKey = random(32);
  }

  offer(sdp: string): Offer {
    const unsigned = {
      kind: 'offer',
      attempt: this.attempt,
      sdp,
      key: bytesToHex(this.roomKey.publicKey),
      share: bytesToHex(x25519.getPublicKey(this.#shareKey)),
    } as const;
    this.#offer = { ...unsigned, signature: bytesToHex(this.roomKey.sign(offerDigest(unsigned))) };
    return this.#offer;
  }

  /** @throws AuthenticationError when there is no offer, or the tag does not fit. */
  accept(answer: Answer): Pairing {
    if (!this.#offer) throw new AuthenticationError('authenticate: expected an answer after the offer');
    const keys = deriveKeys(this.roomKey.code, this.secret, this.#shareKey, answer.share, this.#offer, answer);
    if (!equalBytes(keys.tag, hexToBytes(answer.tag)))
      throw new AuthenticationError('authenticate: the answer is from nobody with this secret');
    return keys.pairing;
  }
}

/** The client's side of one run. */
export class ClientHandshake {
  readonly #shareKey: Uint8Array;
  #offer: Offer | undefined;

  constructor(
    private readonly invite: Invite,
    random = webRandom,
  ) {
    this.#shareKey = random(32);
  }

  /** @throws AuthenticationError when this is a second offer, or not of the room's owner. */
  accept(offer: Offer): void {
    if (this.#offer) throw new AuthenticationError('authenticate: expected one offer');
    const key = hexToBytes(offer.key);
    if (roomCodeOf(key) !== this.invite.code || !isSignature(hexToBytes(offer.signature), offerDigest(offer), key))
      throw new AuthenticationError('authenticate: the offer is not of the owner whom the invite names');
    this.#offer = offer;
  }

  /** @throws AuthenticationError for a share that has no secret in it. */
  answer(sdp: string): { answer: Answer; pairing: Pairing } {
    if (!this.#offer) throw new AuthenticationError('authenticate: expected an offer before the answer');
    const share = bytesToHex(x25519.getPublicKey(this.#shareKey));
    const untagged = { kind: 'answer', attempt: this.#offer.attempt, sdp, share } as const;
    const { code, secret } = this.invite;
    const { tag, pairing } = deriveKeys(code, secret, this.#shareKey, this.#offer.share, this.#offer, untagged);
    return { answer: { ...untagged, tag: bytesToHex(tag) }, pairing };
  }
}

/** Everything in the offer but its signature, each part of fixed length. */
const offerDigest = ({ attempt, sdp, key, share }: Omit<Offer, 'signature'>): Uint8Array =>
  concatBytes(utf8ToBytes(`${version} offer`), ...[attempt, key, share].map(hexToBytes), sha256(utf8ToBytes(sdp)));

function isSignature(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, key, { zip215: false });
  } catch {
    return false; // no point of the curve
  }
}

function deriveKeys(
  code: string,
  secret: Uint8Array,
  shareKey: Uint8Array,
  otherShare: string,
  offer: Offer,
  answer: Omit<Answer, 'tag'>,
): { tag: Uint8Array; pairing: Pairing } {
  const shared = sharedSecret(shareKey, hexToBytes(otherShare));
  const transcript = sha256(concatBytes(offerDigest(offer), hexToBytes(answer.share), sha256(utf8ToBytes(answer.sdp))));
  const key = (use: string) => deriveKey(concatBytes(shared, secret), utf8ToBytes(code), use);
  const mac = (use: string) => hmac(sha256, key(use), transcript);
  return {
    tag: mac('answer'),
    pairing: {
      compareWords: [...mac('words').subarray(0, 4)].map((byte) => words[byte]),
      linkTag: bytesToHex(mac('link')),
      nextSecret: mac('next secret'),
    },
  };
}

const deriveKey = (secret: Uint8Array, salt: Uint8Array, use: string): Uint8Array =>
  hkdf(sha256, secret, salt, utf8ToBytes(`${version} ${use}`), 32);

/** @throws AuthenticationError for a share of small order, whose product everybody knows. */
function sharedSecret(shareKey: Uint8Array, otherShare: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(shareKey, otherShare);
  } catch {
    throw new AuthenticationError('authenticate: expected a share of large order');
  }
}

const webRandom = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/** Compares two tags in hexadecimal digits in constant time. */
export const tagsEqual = (a: string, b: string): boolean => equalBytes(hexToBytes(a), hexToBytes(b));
