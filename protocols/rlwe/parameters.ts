/**
 * Parameter sets of the ring-LWE scheme. Security: the table for ternary secrets, error σ ≈ 3.2 and 128 bits against
 * classical attacks in Albrecht et al., "Homomorphic Encryption Security Standard", HomomorphicEncryption.org, 2018.
 */

/**
 * The largest log2 q for each ring degree (table 1 of the standard: ternary secret, 128 bits, classical). The guideline of 2024 (Bossuat et
 * al., ePrint 2024/463, table 5.2) allows 26, 53, 106 and 214: by it `n2048q54` has slightly less than 128 bits.
 */
const maximumModulusBits: ReadonlyMap<number, number> = new Map([
  [1024, 27],
  [2048, 54],
  [4096, 109],
  [8192, 218],
]);

/** Variance of the centred binomial error, popcount of 21 bits minus popcount of 21 bits: σ = 3.24. */
export const errorVariance = 10.5;

export interface ParametersLiteral {
  readonly name: string;
  /** n: polynomials are taken modulo X^n + 1. */
  readonly degree: number;
  /** q's prime factors, distinct, each 1 mod 2n. */
  readonly primes: readonly number[];
  /** Digits into which a residue is cut before a key switch: more digits, less noise, more work. */
  readonly digitsPerPrime: number;
}

export interface Parameters extends ParametersLiteral {
  readonly modulus: bigint;
  /** log2 q. */
  readonly modulusBits: number;
  /** Bits of a residue of each prime, on the wire. */
  readonly residueBits: readonly number[];
  /** Bits of a key-switching digit of each prime. */
  readonly digitBits: readonly number[];
}

/**
 * Checks a literal and freezes it.
 * @throws RangeError when q exceeds the standard's bound for this degree, or the primes do not fit the degree.
 */
export function checkParameters(literal: ParametersLiteral): Parameters {
  const { name, degree, primes, digitsPerPrime } = literal;
  const bound = maximumModulusBits.get(degree);
  if (bound === undefined) {
    throw new RangeError(
      `${name}: degree: expected one of ${[...maximumModulusBits.keys()].join(', ')}, got ${degree}`,
    );
  }
  if (primes.length < 2 || primes.length > 8 || new Set(primes).size !== primes.length) {
    throw new RangeError(`${name}: primes: expected 2 to 8 distinct ones, got [${primes.join(', ')}]`);
  }
  for (const p of primes) {
    if (!Number.isInteger(p) || p < 2 ** 16 || p >= 2 ** 30 || p % (2 * degree) !== 1) {
      throw new RangeError(`${name}: primes: expected numbers in [2^16, 2^30) that are 1 mod ${2 * degree}, got ${p}`);
    }
  }
  // A residue of one prime serves as a digit modulo the others; the transform takes entries below 2p.
  if (Math.max(...primes) >= 2 * Math.min(...primes))
    throw new RangeError(`${name}: primes: expected sizes within a factor of 2`);
  if (!Number.isInteger(digitsPerPrime) || digitsPerPrime < 1 || digitsPerPrime > 8) {
    throw new RangeError(`${name}: digitsPerPrime: expected an integer from 1 to 8, got ${digitsPerPrime}`);
  }
  const modulus = primes.reduce((product, p) => product * BigInt(p), 1n);
  if (modulus > 1n << BigInt(bound)) {
    throw new RangeError(
      `${name}: log2 q: expected at most ${bound} for degree ${degree}, got ${log2(modulus).toFixed(2)}`,
    );
  }
  const residueBits = primes.map((p) => 32 - Math.clz32(p - 1));
  return Object.freeze({
    name,
    degree,
    digitsPerPrime,
    modulus,
    primes: Object.freeze([...primes]),
    modulusBits: log2(modulus),
    residueBits: Object.freeze(residueBits),
    digitBits: Object.freeze(residueBits.map((bits) => Math.ceil(bits / digitsPerPrime))),
  });
}

const log2 = (x: bigint): number => {
  const shift = Math.max(x.toString(2).length - 53, 0);
  return Math.log2(Number(x >> BigInt(shift))) + shift;
};

/**
 * From the cheapest to the roomiest; docs/rlwe.md says what each carries. All primes lie below 2^27, where the transform needs no
 * reductions on the way.
 */
export const parameterSets: readonly Parameters[] = Object.freeze([
  checkParameters({ name: 'n2048q54', degree: 2048, primes: [134176769, 134111233], digitsPerPrime: 3 }),
  checkParameters({ name: 'n4096q72', degree: 4096, primes: [16760833, 16580609, 16515073], digitsPerPrime: 1 }),
  checkParameters({ name: 'n4096q81', degree: 4096, primes: [133857281, 133644289, 133611521], digitsPerPrime: 1 }),
]);
