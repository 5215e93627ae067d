/**
 * Plaintexts in slots: modulo a prime p that is 1 mod 2n, X^n + 1 splits into n factors, so a polynomial is n numbers of Z_p, and a product of
 * polynomials their products (Smart and Vercauteren, "Fully Homomorphic SIMD Operations", Designs, Codes and Cryptography 2014). Which slot
 * is which factor does not matter here: only products and sums are taken.
 */
import { invertMod, Ntt, nttKernel, type Residues, shoupOf } from '../kernels/ntt.ts';
import type { Polynomial, Ring } from './ring.ts';

const transforms = new Map<string, Ntt>();

function transformOf(n: number, p: number): Ntt {
  const key = `${n}/${p}`;
  let ntt = transforms.get(key);
  if (ntt === undefined) {
    nttKernel();
    transforms.set(key, (ntt = new Ntt(n, p)));
  }
  return ntt;
}

/** Slots' values to coefficients, in place, in [0, p). */
export const toCoefficients = (n: number, p: number, poly: Residues): void => transformOf(n, p).inverse(poly);

/** Coefficients to slots' values, in place, in [0, p). */
export function toSlots(n: number, p: number, poly: Residues): void {
  const ntt = transformOf(n, p);
  ntt.forward(poly);
  ntt.reduce(poly);
}

/** Numbers of [0, p) to the signed ones closest to 0, in place. */
export function centre(words: Int32Array, p: number): void {
  const half = p >>> 1;
  for (let i = 0; i < words.length; i++) if (words[i] > half) words[i] -= p;
}

/**
 * Residues of round(q·m/p) for the polynomial m whose slots' values are at `source`, which is overwritten: with w = q·m mod p, closest to 0,
 * it is (q·m − w)/p, so −w/p modulo each prime of q. p is none of them.
 */
export function encodeSlots(ring: Ring, source: Residues, p: number, target: Polynomial): void {
  const { arena, exports } = nttKernel();
  const { n, parameters } = ring;
  toCoefficients(n, p, source);
  const factor = Number(parameters.modulus % BigInt(p));
  exports.multiplyScalar(source, source, n, p, factor, shoupOf(factor, p));
  centre(new Int32Array(arena.memory.buffer, source, n), p);
  ring.setSigned(source, target);
  ring.multiplyScalar(
    target,
    ring.primes.map((prime) => prime - invertMod(p % prime, prime)),
    target,
  );
}
