/**
 * How large the error of an answer gets, and so how wide an answer must be. docs/rlwe.md derives the formulas. Both sides must find the same:
 * only operations that IEEE 754 rounds exactly are used, no logarithms or powers with fractions, which engines may round differently.
 *
 * Errors and the rounding residues are sums of many independent bounded terms, subgaussian with their variance as proxy (centred
 * binomial: sums of halves of signs); conditioned on the other factor, so is each sum here. Where a proxy exceeds the variance (squares of
 * uniform numbers, ternary squares), the proxy is what is taken. Each bound below is exceeded with probability at most exp(−tail²/2) for each
 * side that counts, `eventsPerResult` of which make a result wrong: 2^−40 for `maxResults` of them (test/unit/rlweScheme.test.ts adds them up).
 *
 * One margin serves plans of every size: 9.7 in place of the 9.3 that 2^19 results need makes no answer of the shipped models a bit wider.
 */
import { errorVariance, type Parameters } from './parameters.ts';

export const tail = 9.7;

/** Results of one inference: a plan with more is refused (inference/plan.ts). Six times a ViT-Tiny/16 at 224 pixels with every row and token exact. */
export const maxResults = 2 ** 25;

/**
 * The one-sided tails that a result depends on, at most: its error (two); and for each of two answers that make it up, the norm of the
 * encryption of zero and the squares of the key switches' digits; the squares of its masks. The secret's norm counts once for each key.
 */
export const eventsPerResult = 2 + 2 * 2 + 1;

export interface NoiseQuery {
  readonly ringBits: number;
  /** The results' modulus, where it is a prime of `ringBits` bits and not 2^ringBits. */
  readonly prime?: number;
  /** The largest sum of squares of the plaintext numbers that one result multiplies errors by. */
  readonly squares: number;
  /** Levels of packing. */
  readonly levels: number;
  /** How many answers are added before rounding. */
  readonly parts: number;
  /** What the result is off by besides, at most, in units of the result. */
  readonly offset?: number;
}

export interface NoiseBound {
  /** Standard deviations of the phase's error before the modulus switch, in units of 1 of Z_q. */
  readonly phase: number;
  /** Standard deviation of what the modulus switch adds, in units of 1 of Z_2^bits. */
  readonly rounding: number;
  /** k: the answer's modulus is 2^k. */
  readonly bits: number;
  /** `tail` standard deviations of the whole error, and the offset, in units of the result: below 1, of a prime modulus below 1/4. */
  readonly bound: number;
}

/** ‖s‖² of a uniform ternary s: the mean 2n/3 plus `tail` deviations, by the proxy of a bit that is 1 in 2 of 3 cases (Kearns and Saul, 1998: 0.2405). */
const secretNorm = (degree: number) => (2 * degree) / 3 + tail * Math.sqrt(0.2405 * degree);

/**
 * Variance of one key switch's error: Σ over digits of n·digit²·σ², digits uniform in their range: their mean square, 4^bits/12, plus `tail`
 * deviations of the mean of as many squares (each √0.0979 of 1/4, by the proxy of `maskSquares`).
 */
export function keySwitchVariance({ degree, digitBits, digitsPerPrime }: Parameters): number {
  const perCoefficient = digitBits.reduce((sum, bits) => sum + (digitsPerPrime * 4 ** bits) / 12, 0);
  const excess = (tail * 0.939) / Math.sqrt(degree * digitBits.length * digitsPerPrime);
  return (1 + excess) * degree * perCoefficient * errorVariance;
}

/** Variance of the phase before the modulus switch. */
export function phaseVariance(parameters: Parameters, { squares, levels, parts }: NoiseQuery): number {
  const { degree } = parameters;
  // A fresh encryption's error, and the rounding of q·m/t.
  const product = squares * (errorVariance + 1 / 12);
  // A node's error doubles at each level above it: 1 + 4 + … + 4^(levels − 1).
  const packing = (keySwitchVariance(parameters) * (4 ** levels - 1)) / 3;
  // The encryption of zero: error of the key times u, error of a' times s.
  const zero = 2 * secretNorm(degree) * errorVariance;
  return product + parts * (packing + zero);
}

/**
 * The narrowest answer whose error stays within ±1 unit after both sides' rounding, or, of a prime modulus, within the quarter of a unit that an
 * exact result allows (offline/rlwe/carry.ts); undefined when these parameters allow none.
 */
export function noiseBound(parameters: Parameters, query: NoiseQuery): NoiseBound | undefined {
  const { ringBits, parts, prime, offset = 0 } = query;
  const modulus = prime ?? 2 ** ringBits;
  const allowed = prime === undefined ? 1 : 1 / 4;
  const phase = Math.sqrt(phaseVariance(parameters, query));
  const rounding = Math.sqrt((parts * (secretNorm(parameters.degree) + 1)) / 12);
  const fromPhase = (phase * modulus) / Number(parameters.modulus);
  const [p1, p2] = parameters.primes;
  for (let bits = ringBits + 4; bits <= Math.min(ringBits + 12, 50); bits++) {
    const fromRounding = (rounding * modulus) / 2 ** bits;
    const bound = offset + tail * Math.sqrt(fromPhase * fromPhase + fromRounding * fromRounding);
    if (bound >= allowed) continue;
    // The client computes a'·s modulo p1·p2: a' is uniform below 2^bits. Half as many deviations more, and the event is too rare to count.
    const product = 1.5 * tail * 2 ** bits * Math.sqrt(secretNorm(parameters.degree) / 3);
    if (product >= (p1 * p2) / 2) return undefined;
    return { phase, rounding, bits, bound };
  }
  return undefined;
}

/**
 * Σ ρ² over `count` masks ρ, uniform in [−2^(bits−1), 2^(bits−1)): each square is below 4^bits/4 and has the mean 4^bits/12. The square of a uniform
 * number in [−1, 1] is subgaussian with proxy 0.0979 (its variance is 0.0889; the largest of 2·ln E[exp(λ(u² − 1/3))]/λ², at λ = 3.0), so a
 * deviation is √0.0979/4 = 0.0783 of 4^bits.
 */
export const maskSquares = (count: number, bits: number): number => squaresBelow(count, 2 ** bits);

/** The same of masks uniform modulo `size`. */
export const squaresBelow = (count: number, size: number): number =>
  count * size * size * Math.min(1 / 4, 1 / 12 + (tail * 0.0783) / Math.sqrt(count));
