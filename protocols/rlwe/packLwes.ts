/**
 * Merging ciphertexts whose results sit at every S-th coefficient into one whose results lie side by side: Chen, Dai, Kim and Song,
 * "Efficient Homomorphic Conversion Between (Ring) LWE Ciphertexts" (ACNS 2021), algorithm 2 (PackLWEs), in the interleaved form of Lu et
 * al., "BumbleBee" (NDSS 2025).
 *
 * One step turns two ciphertexts with results at the multiples of s into one with results at the multiples of s/2: with σ: X → X^(1 + 2n/s),
 *   (e + X^(s/2)·o) + σ(e − X^(s/2)·o).
 * σ fixes X^s and negates X^(s/2), so both halves' results double and what lay between them cancels. Results therefore come out times
 * 2^levels; the caller divides by that beforehand (q is odd).
 */
import type { AutomorphismKey } from './keys.ts';
import type { Ciphertext, Ring } from './ring.ts';

/** The exponents of the automorphisms that packing from stride `stride` by `levels` levels takes. */
export function packingExponents(degree: number, stride: number, levels: number): number[] {
  return Array.from({ length: levels }, (_, level) => 1 + (2 * degree) / (stride / 2 ** level));
}

/**
 * Packs 2^levels leaves; the result of leaf r at coefficient S·u comes to lie at S·u + r·S/2^levels, times 2^levels.
 * Depth first, so that about 2·levels ciphertexts are held at a time.
 * @param leaf makes leaf r in freshly allocated memory, or returns undefined when there is none (its coefficients are garbage).
 * @param keys by exponent.
 * @returns a ciphertext that the caller releases.
 */
export function packLeaves(
  ring: Ring,
  stride: number,
  levels: number,
  leaf: (index: number) => Ciphertext | undefined,
  keys: ReadonlyMap<number, AutomorphismKey>,
): Ciphertext {
  const pack = (level: number, first: number, step: number): Ciphertext | undefined => {
    if (level === 0) return leaf(first);
    const even = pack(level - 1, first, 2 * step);
    const odd = pack(level - 1, first + step, 2 * step);
    if (even === undefined) return undefined;
    if (odd === undefined) {
      // Nothing to merge with: doubling keeps the scale, and the coefficients between the results are not used.
      ring.add(even, even, even);
      ring.add(ring.maskOf(even), ring.maskOf(even), ring.maskOf(even));
      return even;
    }
    const s = stride / 2 ** (level - 1);
    const key = keys.get(1 + (2 * ring.n) / s);
    if (key === undefined)
      throw new RangeError(`keys: expected one for the exponent ${1 + (2 * ring.n) / s}, got none`);
    ring.fork(even, odd, s / 2, even, odd);
    key.addAutomorphism(odd, even);
    ring.release(odd);
    return even;
  };
  const packed = pack(levels, 0, 1);
  if (packed === undefined) throw new RangeError('leaves: expected at least one, got none');
  return packed;
}
