/**
 * Ciphertexts that never travel: both halves (b, a) come from the shared stream, sampled without a plaintext (obliviously: Damgård and Nielsen,
 * CRYPTO 2000), and the client, which has the key, takes what they encrypt for its share.
 *
 * The client's X = b − a·s + e, with a fresh error e, is uniform in Z_q, since b is. So (b, a, X, e) are distributed as in an honest encryption of
 * a uniform X: docs/rlwe.md. Its share is where X lies on a circle of 2^ringBits units, as a whole number of units and a fraction. q is no power
 * of two: a uniform number in [−1/2, 1/2) is added to X first, so that every interval of one unit is as likely as any other, up to 2^-61.
 */
import { allocateWideWords, allocateWords, nttKernel } from '../kernels/ntt.ts';
import type { CircleNumbers } from '../sharing/circle.ts';
import { switchConstants } from './answer.ts';
import { addError, type SecretKey, uniformResidues } from './keys.ts';
import type { Ciphertext, Ring } from './ring.ts';
import type { RandomWords } from './sampling.ts';

/** A ciphertext, transformed: what both sides find. @param shared their common stream. */
export function drawnResidues(ring: Ring, shared: RandomWords): { readonly b: Uint32Array; readonly a: Uint32Array } {
  const b = uniformResidues(ring, shared);
  return { b, a: uniformResidues(ring, shared) };
}

/** Draws it into the kernel's memory. */
export function drawCiphertext(ring: Ring, shared: RandomWords, target: Ciphertext): void {
  const { b, a } = drawnResidues(ring, shared);
  ring.write(b, target);
  ring.write(a, ring.maskOf(target));
}

/**
 * What the next ciphertext of the stream encrypts, coefficient by coefficient.
 * @param random the client's own.
 */
export function drawPlaintext(
  key: SecretKey,
  shared: RandomWords,
  random: RandomWords,
  ringBits: number,
): CircleNumbers {
  const { ring } = key;
  const { n, parameters } = ring;
  const { arena, exports } = nttKernel();
  return arena.scope((scope) => {
    const ciphertext = scope.adopt(ring.allocateCiphertexts());
    const phase = scope.adopt(ring.allocate());
    const between = allocateWideWords(n, scope);
    const words = allocateWords(n, scope);
    const fractions = allocateWords(n, scope);
    drawCiphertext(ring, shared, ciphertext);
    key.phase(ciphertext, phase);
    addError(ring, random, phase);
    arena.words(between, 2 * n).set(random.words(2 * n));
    // 2^96/q, of numbers of 53 bits.
    const step = 2 ** 43 / Number(parameters.modulus);
    const constants = switchConstants(ring, ringBits);
    exports.onCircle(
      ring.residueAddress(phase, 0),
      ring.primes.length,
      constants,
      n,
      ringBits,
      between,
      step,
      words,
      fractions,
    );
    const drawn = { words: arena.words(words, n).slice(), fractions: arena.words(fractions, n).slice() };
    for (const [secret, count] of [
      [words, n],
      [fractions, n],
      [between, 2 * n],
    ])
      arena.words(secret, count).fill(0);
    ring.clear(phase);
    return drawn;
  });
}
