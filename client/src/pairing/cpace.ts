/**
 * CPace, a balanced password-authenticated key exchange: draft-irtf-cfrg-cpace-21, suite CPACE-RISTR255-SHA512, in the
 * initiator-responder setting; analysed by Abdalla, Haase and Hesse, "Security analysis of CPace" (ASIACRYPT 2021).
 *
 * Computes: a key that both parties have if and only if they used the same password, channel, session and messages.
 * Who learns what: one who is in between, or poses as a party, can test one password per run, and only through the key
 * confirmation; one who only listens learns nothing (strong simultaneous Diffie–Hellman in ristretto255, SHA-512 as a
 * random oracle). Flights: initiator → responder 32 bytes, responder → initiator 32 bytes; key confirmation 64 bytes each way.
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, equalBytes } from '@noble/curves/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';

const { Point } = ristretto255;

/** §8.3. */
const domain = 'CPaceRistretto255';
const hashBlockBytes = 128;

/** What both parties put in; any difference leads to different keys. */
export interface CPaceInputs {
  /** PRS: the secret, of however few bits. */
  readonly password: Uint8Array;
  /** CI: between whom and for what. */
  readonly channel: Uint8Array;
  /** sid: public, and never used before. */
  readonly session: Uint8Array;
}

/** A party's message: its share, and data that the key vouches for. */
export interface CPaceMessage {
  readonly share: Uint8Array;
  readonly data: Uint8Array;
}

/**
 * The other side's share is no element of the group, the identity, or this side's own, sent back: nobody who follows the
 * protocol sends that.
 */
export class CPaceError extends Error {}

/** One party in one run. */
export class CPaceParty {
  readonly message: CPaceMessage;
  readonly #scalar: bigint;

  /** @param random 32 uniform bytes, used for this run only. */
  constructor(
    private readonly role: 'initiator' | 'responder',
    private readonly inputs: CPaceInputs,
    data: Uint8Array,
    random: Uint8Array,
  ) {
    // §7.2: Y = y·g.
    this.#scalar = sampleScalar(random);
    this.message = { share: calculateGenerator(inputs).multiply(this.#scalar).toBytes(), data };
  }

  /**
   * Takes the other party's message. The keys fit only if `confirm`'s tags do.
   * @throws CPaceError
   */
  finish(other: CPaceMessage): CPaceKeys {
    // A share that comes back would make both tags one, and let whoever reflects it confirm a key that it does not have.
    if (equalBytes(other.share, this.message.share)) throw new CPaceError('cpace: expected another share than its own');
    const { session } = this.inputs;
    const [initiator, responder] = this.role === 'initiator' ? [this.message, other] : [other, this.message];
    const key = intermediateSessionKey(session, multiplyVerified(this.#scalar, other.share), initiator, responder);
    // §10.4, key confirmation: each party's tag covers the message that it sent.
    const macKey = sha512(concatBytes(utf8ToBytes('CPaceMac'), session, key));
    const tag = ({ share, data }: CPaceMessage) => hmac(sha512, macKey, lengthValue(share, data));
    return { key, tag: tag(this.message), otherTag: tag(other) };
  }
}

export interface CPaceKeys {
  /** ISK, 64 bytes; for a key derivation function. */
  readonly key: Uint8Array;
  /** To be sent, 64 bytes. */
  readonly tag: Uint8Array;
  /** What the other party must send. */
  readonly otherTag: Uint8Array;
}

/** G.calculate_generator, §8.1 and §8.3; the padding makes the time to hash independent of a short password's length. */
export function calculateGenerator({ password, channel, session }: CPaceInputs): InstanceType<typeof Point> {
  const head = lengthValue(utf8ToBytes(domain), password);
  const padding = new Uint8Array(Math.max(0, hashBlockBytes - 1 - head.length));
  const generatorString = concatBytes(head, lengthValue(padding, channel, session));
  return ristretto255_hasher.deriveToCurve!(sha512(generatorString));
}

/** G.sample_scalar, §8.3: 252 uniform bits. @throws RangeError for bytes of another length, or (2^-252) a scalar of 0. */
export function sampleScalar(random: Uint8Array): bigint {
  if (random.length !== 32) throw new RangeError(`random: expected 32 bytes, got ${random.length}`);
  const bytes = random.slice();
  bytes[31] &= 0x0f;
  const scalar = bytesToNumberLE(bytes);
  if (scalar === 0n) throw new RangeError('random: expected a scalar other than 0');
  return scalar;
}

/** G.scalar_mult_vfy, §8.3. @throws CPaceError where the draft returns the identity. */
export function multiplyVerified(scalar: bigint, share: Uint8Array): Uint8Array {
  try {
    const point = Point.fromBytes(share);
    if (!point.is0()) return point.multiply(scalar).toBytes();
  } catch {
    // Not the canonical encoding of a group element.
  }
  throw new CPaceError('cpace: expected an encoded element of ristretto255 other than the identity');
}

/** ISK, §7.2, over the transcript of the initiator-responder setting. */
function intermediateSessionKey(
  session: Uint8Array,
  shared: Uint8Array,
  initiator: CPaceMessage,
  responder: CPaceMessage,
): Uint8Array {
  return sha512(
    concatBytes(
      lengthValue(utf8ToBytes(`${domain}_ISK`), session, shared),
      lengthValue(initiator.share, initiator.data),
      lengthValue(responder.share, responder.data),
    ),
  );
}

/** lv_cat, appendix A.1: each part after its length in LEB128. */
export function lengthValue(...parts: Uint8Array[]): Uint8Array {
  return concatBytes(
    ...parts.flatMap((part) => {
      const length: number[] = [];
      let rest = part.length;
      do length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      while ((rest >>>= 7) > 0);
      return [Uint8Array.from(length), part];
    }),
  );
}
