/**
 * Where numbers stand in polynomials, for each kind of correlation that ring-LWE provides: which coefficients the client's ciphertexts
 * carry, by which polynomials the owner multiplies them, and at which coefficients of the answers the results appear. Public and
 * deterministic in the spec, so both sides derive the same layout and every message's length.
 */
import { answerBytes } from '../../rlwe/answer.ts';
import { type NoiseQuery, noiseBound } from '../../rlwe/noise.ts';
import { packingExponents } from '../../rlwe/packLwes.ts';
import { type Parameters, parameterSets } from '../../rlwe/parameters.ts';
import type { RandomWords } from '../../rlwe/sampling.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import type { CircleNumbers } from '../../sharing/circle.ts';
import { seedBytes } from '../../sharing/prg.ts';

/** One answer: a ciphertext packed from up to 2^levels leaves. */
export interface AnswerLayout {
  readonly leaves: number;
  /** Which coefficient is added to which result: pairs, one after the other. */
  readonly places: Uint32Array;
}

/** A product in a leaf: an uploaded ciphertext times a polynomial of the owner's. */
export interface Term {
  readonly upload: number;
  /** Coefficients from here on are zero; a power of two of at least 4. */
  readonly length: number;
  /** Writes the coefficients: signed words into zeros. */
  fill(out: Int32Array): void;
}

/** Which polynomials there are, and what they carry. */
export interface Geometry {
  readonly parameters: Parameters;
  readonly ringBits: number;
  /** The plaintexts' modulus, where it is a prime: then numbers stand in slots (rlwe/slots.ts), and results are cut (carry.ts). */
  readonly prime?: number;
  /** Answers are modulo 2^bits. */
  readonly bits: number;
  /** The analysed bound on the error before both sides' rounding, in units of the result. */
  readonly errorBound: number;
  readonly uploads: number;
  /** How many uploads both sides draw (rlwe/drawn.ts): they do not travel. */
  readonly drawn?: number;
  /** Leaves have results at multiples of `stride`, answers at multiples of stride/2^levels. */
  readonly stride: number;
  readonly levels: number;
  readonly answers: readonly AnswerLayout[];
  readonly results: number;
  /** Estimated milliseconds of the owner's work. */
  readonly work: number;
}

export interface Layout<ClientInput, OwnerInput> extends Geometry {
  /** Writes upload i's plaintext, modulo 2^ringBits or the slots' values, into zeros. */
  encode(input: ClientInput, upload: number, out: Uint32Array): void;
  /** Where uploads may be drawn: whether upload i is. */
  isDrawn?(upload: number): boolean;
  /** Takes the client's numbers out of a drawn upload's plaintext. */
  decode?(plaintext: CircleNumbers, upload: number, out: CircleNumbers): void;
  /** The terms of one leaf. @param random the owner's own, for slots that no mask is for. */
  leaf(input: OwnerInput, answer: number, leaf: number, random: RandomWords): Term[];
}

/** What a provided correlation costs: exact payload bytes, and the flights of the stage that it shares with its neighbours. */
export interface Cost {
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
  readonly flights: number;
}

export function layoutCost(layout: Geometry): Cost {
  const { parameters, answers, bits } = layout;
  return {
    bytesClientToOwner: uploadBytes(layout),
    bytesOwnerToClient: seedBytes + answers.length * answerBytes(parameters.degree, bits),
    flights: 2,
  };
}

/** Bytes of the uploads that travel. */
export const uploadBytes = ({ parameters, uploads, drawn = 0 }: Pick<Geometry, 'parameters' | 'uploads' | 'drawn'>) =>
  (uploads - drawn) * packedPolynomialBytes(parameters);

/**
 * Estimated milliseconds of each party's work, on the machine of ot/times.ts: the client's by the residues that it encrypts and decrypts
 * (tests compare with the measured times of all kinds).
 */
export function layoutMs({ parameters, uploads, answers, work }: Geometry): {
  client: number;
  owner: number;
} {
  const residues = (parameters.degree / 2048) * parameters.primes.length;
  return { client: residues * (0.085 * uploads + 0.033 * answers.length), owner: work };
}

/** The automorphisms that a layout's packing takes. */
export const layoutExponents = ({ parameters, stride, levels }: Geometry): number[] =>
  packingExponents(parameters.degree, stride, levels);

/** What a candidate arrangement sends and does, for choosing among them. */
export interface Candidate {
  readonly parameters: Parameters;
  readonly noise: NoiseQuery;
  readonly uploads: number;
  readonly drawn?: number;
  readonly leaves: number;
  /** Terms in all leaves together, and their polynomials' length. */
  readonly terms: number;
  readonly length: number;
}

/** Estimated milliseconds of the owner's work, from the kernel's figures (docs/rlwe.md). */
export function estimateWork({ parameters, leaves, terms, length, noise }: Candidate): number {
  const { degree, primes, digitsPerPrime } = parameters;
  const residues = (degree / 2048) * primes.length;
  const transform = 0.005 * residues;
  const answers = Math.ceil(leaves / 2 ** noise.levels);
  const digits = primes.length * digitsPerPrime;
  const keySwitch = (digits + 1) * transform + (0.001 * digits + 0.008) * residues;
  const share = (logarithm(length) + 1) / (logarithm(degree) + 1);
  return (
    terms * (share * transform + 0.0015 * residues) +
    leaves * 0.004 * residues +
    (noise.levels > 0 ? leaves - answers : 0) * keySwitch +
    answers * (5 * transform + 0.00005 * degree)
  );
}

/**
 * Milliseconds that a byte counts for when arrangements are compared: a link of 80 Mbit/s. Between two tabs of one machine a byte takes 0.00009 ms of
 * the processors (Zen 5), whatever the link: a packet has 1,200 of them and crosses a process border on either side (PERFORMANCE.md).
 */
export const millisecondsPerByte = 1e-4;

/** What a layout counts for in the same comparison. */
export function layoutPrice(layout: Geometry): number {
  const { bytesClientToOwner, bytesOwnerToClient } = layoutCost(layout);
  return (bytesClientToOwner + bytesOwnerToClient) * millisecondsPerByte + layout.work;
}

/** A candidate whose error stays within bounds. */
export interface Choice<C extends Candidate> {
  readonly candidate: C;
  readonly bits: number;
  readonly bound: number;
  /** Milliseconds, bytes included. */
  readonly cost: number;
}

/** What a candidate costs; undefined when its error is too large. */
export function rateCandidate<C extends Candidate>(candidate: C): Choice<C> | undefined {
  const { parameters, leaves } = candidate;
  const noise = noiseBound(parameters, candidate.noise);
  if (noise === undefined) return undefined;
  const answers = Math.ceil(leaves / 2 ** candidate.noise.levels);
  const bytes = uploadBytes(candidate) + (answers * parameters.degree * noise.bits) / 8;
  const cost = bytes * millisecondsPerByte + estimateWork(candidate);
  return { candidate, bits: noise.bits, bound: noise.bound, cost };
}

/** The cheapest of the candidates whose error stays within bounds; undefined when none does. */
export function chooseCandidate<C extends Candidate>(candidates: Iterable<C>): Choice<C> | undefined {
  let best: Choice<C> | undefined;
  for (const candidate of candidates) {
    const choice = rateCandidate(candidate);
    if (choice !== undefined && (best === undefined || choice.cost < best.cost)) best = choice;
  }
  return best;
}

export const nextPowerOfTwo = (x: number): number => 2 ** (32 - Math.clz32(Math.max(x, 1) - 1));

/** log2 of a power of two, exactly in every engine. */
export const logarithm = (x: number): number => 31 - Math.clz32(x);

/** The signed representative of x mod 2^bits, in [−2^(bits−1), 2^(bits−1)). */
export const centred = (x: number, bits: number): number => (x << (32 - bits)) >> (32 - bits);

export { parameterSets };
