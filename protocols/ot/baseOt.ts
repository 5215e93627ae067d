/**
 * Base oblivious transfers: Chou and Orlandi, "The simplest protocol for oblivious transfer" (LATINCRYPT 2015), Figure 1, over
 * ristretto255 (RFC 9496), with the transcript and the index in the hash as its corrected version (ePrint 2015/267) asks.
 *
 * Computes: `count` random OTs of 16-byte keys. The sender learns both keys of each, the receiver the key of its choice.
 * Security: semi-honest, computational Diffie–Hellman, SHA-256 as a random oracle.
 * Flights: sender → receiver 32 bytes, receiver → sender 32 bytes per OT. Correlations consumed: none.
 */
import { ristretto255 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { Prg } from '../sharing/prg.ts';

const { Point } = ristretto255;
type Point = InstanceType<typeof Point>;
const { Fn } = Point;
const pointBytes = 32;
export const keyBytes = 16;

export const baseOtCost = (count: number) => ({ bytesToReceiver: pointBytes, bytesToSender: count * pointBytes });

/** @returns for each OT, the two keys. @throws ProtocolError `value` when the receiver's bytes are no group element. */
export async function baseOtSend(channel: Channel, random: Prg, count: number): Promise<[Uint8Array, Uint8Array][]> {
  // Figure 1, setup: y ← Z_p, S = yB.
  const y = randomScalar(random);
  const S = Point.BASE.multiply(y);
  const T = S.multiply(y);
  const encodedS = S.toBytes();
  channel.send(encodedS);

  // Choose and key derivation: k_j = H(S, R, i, yR − jT).
  const encoded = await channel.receive(count * pointBytes);
  return Array.from({ length: count }, (_, i) => {
    const encodedR = encoded.subarray(i * pointBytes, (i + 1) * pointBytes);
    const shared = decode(encodedR).multiply(y);
    return [deriveKey(encodedS, encodedR, i, shared), deriveKey(encodedS, encodedR, i, shared.subtract(T))];
  });
}

/**
 * @param choices one bit per OT.
 * @returns for each OT, the key of the choice. @throws ProtocolError `value` when the sender's bytes are no group element.
 */
export async function baseOtReceive(channel: Channel, random: Prg, choices: ArrayLike<number>): Promise<Uint8Array[]> {
  const encodedS = await channel.receive(pointBytes);
  const S = decode(encodedS);
  // Figure 1, choose: x ← Z_p, R = cS + xB; key: k = H(S, R, i, xS).
  return Array.from(choices, (choice, i) => {
    const x = randomScalar(random);
    const base = Point.BASE.multiply(x);
    const shifted = base.add(S);
    const encodedR = (choice ? shifted : base).toBytes();
    channel.send(encodedR);
    return deriveKey(encodedS, encodedR, i, S.multiply(x));
  });
}

function deriveKey(S: Uint8Array, R: Uint8Array, index: number, shared: Point): Uint8Array {
  return sha256(
    concatBytes(utf8ToBytes('blindsight/base-ot\0'), S, R, Uint8Array.of(index & 255, index >> 8), shared.toBytes()),
  ).subarray(0, keyBytes);
}

/** Uniform in [1, p) up to 2^-260. */
function randomScalar(random: Prg): bigint {
  let value = 0n;
  for (const byte of random.bytes(64)) value = (value << 8n) | BigInt(byte);
  return (value % (Fn.ORDER - 1n)) + 1n;
}

function decode(bytes: Uint8Array): Point {
  let point: Point;
  try {
    point = Point.fromBytes(bytes);
  } catch {
    throw new ProtocolError('value', 'baseOt', 'expected an encoded element of ristretto255');
  }
  if (point.is0()) throw new ProtocolError('value', 'baseOt', 'expected an element other than the identity');
  return point;
}
