/** Polynomial arithmetic straight from the definitions, in BigInt: the oracle of ../ntt.ts and of protocols/rlwe/. */

/** x·y mod (X^n + 1, p), coefficient by coefficient; the result is in [0, p). */
export function multiplyNegacyclic(x: readonly bigint[], y: readonly bigint[], p: bigint): bigint[] {
  const n = x.length;
  const product = new Array<bigint>(n).fill(0n);
  for (let i = 0; i < n; i++) {
    if (x[i] === 0n) continue;
    for (let j = 0; j < n; j++) {
      if (i + j < n) product[i + j] += x[i] * y[j];
      else product[i + j - n] -= x[i] * y[j];
    }
  }
  return product.map((value) => modulo(value, p));
}

/** f(X^g) mod X^n + 1. */
export function substitute(f: readonly bigint[], g: number, p: bigint): bigint[] {
  const n = f.length;
  const result = new Array<bigint>(n).fill(0n);
  f.forEach((value, i) => {
    const to = (i * g) % (2 * n);
    result[to % n] = modulo(to < n ? value : -value, p);
  });
  return result;
}

/** The integer in [0, Π p_i) with these residues. */
export function fromResidues(residues: readonly bigint[], primes: readonly bigint[]): bigint {
  const q = primes.reduce((product, p) => product * p, 1n);
  let sum = 0n;
  residues.forEach((residue, i) => {
    const p = primes[i];
    const rest = q / p;
    sum += residue * rest * power(rest % p, p - 2n, p);
  });
  return modulo(sum, q);
}

/** round(a/b) for b > 0, halves up. */
export const roundDivide = (a: bigint, b: bigint): bigint => floorDivide(2n * a + b, 2n * b);

export const modulo = (a: bigint, m: bigint): bigint => ((a % m) + m) % m;

function floorDivide(a: bigint, b: bigint): bigint {
  return (a - modulo(a, b)) / b;
}

function power(base: bigint, exponent: bigint, p: bigint): bigint {
  let result = 1n;
  for (let square = base, e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
}
