/**
 * Exact shares modulo p of what ring-LWE answered for `ole`. Both parties' shares modulo 2^k of x·2^k/p + noise, |noise| below a quarter of a unit
 * 2^k/p, are cut into digits and rests; the owner has added a quarter of a unit, so the rests' sum is below half a unit beyond a whole number of
 * them, 0 or 1: the carry. That is the wrap of a truncation whose sign is known (SIRNN, Rathee et al., S&P 2021, §IV; layers/truncate.ts): carry =
 * h_c ∨ h_o, whether a rest is half a unit or more, by one random OT with the owner as receiver. Its messages are three words each, modulo p: a mask's
 * distance from uniform is below p·2^-96 < 2^-66.
 *
 * Computes: (client) digit_c + h_c − m_f, (owner) digit_o + m_f or what replaces it, which add up to x. Nobody learns anything: h_o leaves XOR the OT's
 * random choice, and the message that the owner does not have masks the correction.
 * Per coefficient: 1 bit owner → client, in the flight of the answers; ⌈log2 p⌉ bits client → owner. Correlations: one random OT.
 */
import { ProtocolError } from '../../channel/errors.ts';
import { allocateWords, nttKernel, type Residues } from '../../kernels/ntt.ts';
import { toSlots } from '../../rlwe/slots.ts';
import { fieldBits, maskAt, wordsPerMask } from '../../sharing/field.ts';
import { pack, packedBytes, unpack } from '../../sharing/packing.ts';
import type { OleSpec, OtReceiverShare, OtSenderShare, OtSpec } from '../correlations.ts';
import { rlweLayout } from './costs.ts';
import { gatherSlots, slotLayout } from './ole.ts';

/** The random OTs that a spec takes. */
export const carryOts = (spec: OleSpec): OtSpec => ({
  kind: 'ot',
  key: { ...spec.key, part: `${spec.key.part}.carry` },
  ringBits: 32,
  count: rlweLayout(spec).results,
  choiceBits: 1,
  words: wordsPerMask,
});

/** Bytes of the two messages. */
export function carryCost(spec: OleSpec): { bytesClientToOwner: number; bytesOwnerToClient: number } {
  const count = rlweLayout(spec).results;
  return {
    bytesOwnerToClient: packedBytes(count, 1),
    bytesClientToOwner: packedBytes(count, fieldBits(spec.modulus)),
  };
}

/** The owner's message: h_o of its cut shares, masked. */
export const chooseCarries = (cut: Uint32Array, { choices }: OtReceiverShare): Uint8Array =>
  pack(
    cut.map((word, i) => (word ^ choices[i]) & 1),
    1,
  );

/** The client's answer, and its shares of the coefficients. @throws ProtocolError `length`. */
export function answerCarries(
  { modulus: p }: OleSpec,
  cut: Uint32Array,
  { messages }: OtSenderShare,
  chosen: Uint8Array,
): { readonly answer: Uint8Array; readonly coefficients: Uint32Array } {
  const flips = unpack(chosen, cut.length, 1);
  const coefficients = new Uint32Array(cut.length);
  const corrections = new Uint32Array(cut.length);
  for (let i = 0; i < cut.length; i++) {
    const [none, one] = [maskAt(messages, 2 * i + flips[i], p), maskAt(messages, 2 * i + 1 - flips[i], p)];
    const half = cut[i] & 1;
    coefficients[i] = ((cut[i] >>> 1) + half + p - none) % p;
    corrections[i] = (1 - half + none + one) % p;
  }
  return { answer: pack(corrections, fieldBits(p)), coefficients };
}

/** The owner's shares of the coefficients. @throws ProtocolError `length`; `value` when a correction is not below p. */
export function finishCarries(
  { modulus: p }: OleSpec,
  cut: Uint32Array,
  { messages }: OtReceiverShare,
  answer: Uint8Array,
): Uint32Array {
  const corrections = unpack(answer, cut.length, fieldBits(p));
  return cut.map((word, i) => {
    if (corrections[i] >= p) throw new ProtocolError('value', 'ole', 'expected corrections below their prime');
    const mask = maskAt(messages, i, p);
    return ((word >>> 1) + (word & 1 ? corrections[i] + p - mask : mask)) % p;
  });
}

/** A party's shares of the inner products, from those of the coefficients. */
export function readSlots(spec: OleSpec, coefficients: Uint32Array): Uint32Array {
  const { arena } = nttKernel();
  const { parameters } = rlweLayout(spec);
  const n = parameters.degree;
  arena.scope((scope) => {
    const poly = allocateWords(n, scope) as Residues;
    for (let at = 0; at < coefficients.length; at += n) {
      arena.words(poly, n).set(coefficients.subarray(at, at + n));
      toSlots(n, spec.modulus, poly);
      coefficients.set(arena.words(poly, n), at);
    }
    arena.words(poly, n).fill(0);
  });
  return gatherSlots(spec, slotLayout(spec, n), coefficients);
}
