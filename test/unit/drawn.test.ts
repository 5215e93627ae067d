// Ciphertexts that never travel (protocols/rlwe/drawn.ts): what they encrypt, who finds what, and that its numbers are uniform.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateWideWords, allocateWords, nttKernel } from '../../protocols/kernels/ntt.ts';
import type { LinearSpec } from '../../protocols/offline/correlations.ts';
import { rlweCost, rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import type { LayoutOf } from '../../protocols/offline/rlwe/kind.ts';
import { switchConstants } from '../../protocols/rlwe/answer.ts';
import { drawCiphertext, drawPlaintext } from '../../protocols/rlwe/drawn.ts';
import { SecretKey } from '../../protocols/rlwe/keys.ts';
import { errorVariance, type Parameters, parameterSets } from '../../protocols/rlwe/parameters.ts';
import { Ring } from '../../protocols/rlwe/ring.ts';
import { packedPolynomialBytes } from '../../protocols/rlwe/wire.ts';
import { type CircleNumbers, circleNumbers, copyNumber } from '../../protocols/sharing/circle.ts';
import { sampleUniform } from '../../protocols/sharing/field.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { deviationOf, drawRlweOperands, rlwePair } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';
import { fromResidues, modulo } from '../twins/ntt.ts';

const seed = new Uint8Array(32).fill(6);
const { arena, exports } = nttKernel();
const sets = parameterSets.map((parameters) => [parameters.name, parameters] as const);

/** Coefficients as integers in [0, q). */
function integers(ring: Ring, poly: ReturnType<Ring['allocate']>): bigint[] {
  const primes = ring.primes.map(BigInt);
  const residues = primes.map((_, i) => ring.residue(poly, i).slice());
  return Array.from({ length: ring.n }, (_, i) =>
    fromResidues(
      residues.map((residue) => BigInt(residue[i])),
      primes,
    ),
  );
}

/** In units of 2^-32. */
const pointOf = ({ words, fractions }: CircleNumbers, i: number) => (BigInt(words[i]) << 32n) + BigInt(fractions[i]);

/** The kernel's function on given residues and random words. */
function onCircle(
  { n, primes }: Ring,
  poly: ReturnType<Ring['allocate']>,
  parameters: Parameters,
  random: Uint32Array,
  bits: number,
) {
  const ring = Ring.of(parameters);
  const between = allocateWideWords(n);
  const [words, fractions] = [allocateWords(n), allocateWords(n)];
  arena.words(between, 2 * n).set(random);
  const step = 2 ** 43 / Number(parameters.modulus);
  const constants = switchConstants(ring, bits);
  exports.onCircle(ring.residueAddress(poly, 0), primes.length, constants, n, bits, between, step, words, fractions);
  const found = { words: arena.words(words, n).slice(), fractions: arena.words(fractions, n).slice() };
  for (const address of [between, words, fractions]) arena.release(address);
  return found;
}

describe.each(sets)('%s', (_, parameters) => {
  const ring = Ring.of(parameters);
  const { n } = ring;
  const q = parameters.modulus;

  it.each([2, 17, 31, 32])('numbers of Z_q lie where they should on a circle of 2^%s units', (bits) => {
    const random = new Prg(seed, `circle ${bits}`);
    const poly = ring.allocate();
    ring.primes.forEach((p, i) => sampleUniform(random, p, ring.residue(poly, i)));
    // The circle's seam, and the middle.
    for (const [i, p] of ring.primes.entries()) ring.residue(poly, i).set([0, 1, p - 1, 0, 0, 0]);
    const words = random.words(2 * n);
    words.set([0, 0, 0xffffffff, 0xffffffff, 0, 0, 0xffffffff, 0xffffffff], 6);
    const found = onCircle(ring, poly, parameters, words, bits);
    const circle = 1n << BigInt(bits + 32);
    const between = new BigUint64Array(words.slice().buffer);
    integers(ring, poly).forEach((x, i) => {
      // (x + u − 1/2)·2^bits/q with u of 53 bits, in units of 2^-32, and what is left.
      const scaled = modulo((x << 53n) + (between[i] >> 11n) - (1n << 52n), q << 53n) * circle;
      const off = Number(BigInt.asIntN(bits + 32, pointOf(found, i) - scaled / (q << 53n)));
      // The kernel's own units are 2^-96 of the circle; it rounds each prime's part down.
      const isAtBorder = scaled % (q << 53n) < q << 35n;
      expect(Math.abs(off)).toBeLessThanOrEqual(isAtBorder ? 1 : 0);
    });
    ring.release(poly);
  });

  it('the client finds what the owner’s ciphertext encrypts, up to a fresh error', () => {
    const key = new SecretKey(ring, new Prg(seed, 'key'));
    const [ours, theirs] = [new Prg(seed, 'shared'), new Prg(seed, 'shared')];
    const random = new Prg(seed, 'client');
    const ciphertext = ring.allocateCiphertexts();
    const phase = ring.allocate();
    const seen = new Set<string>();
    const bits = 32;
    const errors: number[] = [];
    for (let round = 0; round < 4; round++) {
      const drawn = drawPlaintext(key, ours, random, bits);
      drawCiphertext(ring, theirs, ciphertext);
      key.phase(ciphertext, phase);
      const half = 1n << BigInt(bits + 31);
      for (const [i, x] of integers(ring, phase).entries()) {
        const expected = (pointOf(drawn, i) * q + half) >> BigInt(bits + 32);
        const error = modulo(x - expected, q);
        errors.push(Number(2n * error > q ? error - q : error));
      }
      seen.add(String(drawn.words.slice(0, 8)));
      for (const numbers of [drawn.words, drawn.fractions]) {
        const counts = new Float64Array(16);
        for (const word of numbers) counts[word >>> 28]++;
        const chiSquare = counts.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0);
        expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded with probability 10^−4
      }
    }
    expect(seen.size).toBe(4);
    // Fresh errors, and a number of Z_q's being rounded, as in an honest encryption; a fraction of 32 bits is coarser than Z_q at 81 bits.
    const fraction = Number(q) / 2 ** (bits + 32);
    const variance = errorVariance + 1 / 12 + fraction ** 2 / 12;
    const bias = fraction / 2;
    expect(deviationOf(errors.map((error) => error - bias)) / Math.sqrt(variance)).toBeCloseTo(1, 1);
    expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length - bias)).toBeLessThan(
      (5 * Math.sqrt(variance)) / Math.sqrt(errors.length),
    );
    key.destroy();
    ring.release(ciphertext);
    ring.release(phase);
  });
});

describe('a drawn operand', () => {
  const spec: LinearSpec = {
    ...({ kind: 'linear', key: keyOf('drawn'), ringBits: 24, tokens: 64, inputs: 64, outputs: 16 } as const),
    ...{ weights: 'w', weightBits: 11, drawnInputs: 64 },
  };
  const operands = [drawRlweOperands(spec, new Prg(seed, 'operands'))];

  it('sends nothing, and the same seed never gives the same twice', async () => {
    expect(rlweCost(spec).bytesClientToOwner).toBe(0);
    const pair = await rlwePair(seed, operands);
    const sent = pair.channels.client.channel.counters.bytesSent;
    const drawn = [await pair.draw(), await pair.draw()].map(([{ client }]) => (client as { x: Uint32Array }).x);
    for (const _ of drawn) await pair.provide();
    expect(pair.channels.client.channel.counters.bytesSent).toBe(sent);
    expect(drawn[0]).not.toEqual(drawn[1]);
    pair.destroy();
  });

  it('is asked for as it was drawn: once, and in order', async () => {
    const pair = await rlwePair(seed, operands);
    await expect(pair.client.provide([operands[0].client])).rejects.toThrow('asked for without being drawn next');
    const { drawnInputs: _, ...uploaded } = spec;
    await expect(pair.client.draw([uploaded])).rejects.toThrow('not to be drawn');
    pair.destroy();
  });

  it('fills its polynomials, whatever its shape', () => {
    for (const [tokens, inputs] of [
      [1, 1],
      [3, 5000],
      [197, 192],
      [64, 768],
    ]) {
      const { parameters, uploads, decode } = rlweLayout({ ...spec, tokens, inputs, drawnInputs: inputs });
      const found = circleNumbers(tokens * inputs);
      const words = Uint32Array.from({ length: parameters.degree }, (_, i) => i + 1);
      for (let upload = 0; upload < uploads; upload++)
        decode!({ words: words.map((word) => word + upload * 2 ** 16), fractions: words }, upload, found);
      // Every number is another coefficient: negated ones are −(i + 1 + i·2^-32), rounded down.
      expect(new Set(found.words).size).toBe(tokens * inputs);
      expect(found.words).not.toContain(0);
    }
  });

  it('may be part of an operand: the others are uploaded, and nobody sends or reads more', () => {
    for (const [inputs, drawnInputs] of [
      [64, 1],
      [64, 63],
      [768, 576],
      [300, 100],
    ]) {
      const part = { ...spec, inputs, drawnInputs };
      const { parameters, uploads, drawn, isDrawn, decode, encode } = rlweLayout(part) as LayoutOf<LinearSpec>;
      const [words, fractions] = [1, 2].map((value) => new Uint32Array(parameters.degree).fill(value));
      const found = circleNumbers(spec.tokens * inputs);
      const x = Uint32Array.from({ length: spec.tokens * inputs }, (_, i) => i + 1);
      const seen = new Set<number>();
      let count = 0;
      for (let upload = 0; upload < uploads; upload++) {
        if (isDrawn!(upload)) {
          count++;
          decode!({ words, fractions }, upload, found);
        } else {
          const out = new Uint32Array(parameters.degree);
          encode({ spec: part, x }, upload, out);
          for (const word of out) if (word > 0) seen.add(word < 2 ** 23 ? word : 2 ** 24 - word);
        }
      }
      expect(count).toBe(drawn);
      expect(rlweCost(part).bytesClientToOwner).toBe((uploads - count) * packedPolynomialBytes(parameters));
      found.words.forEach((word, i) => expect(word !== 0).toBe(i % inputs < drawnInputs));
      for (let i = 0; i < x.length; i++) expect(seen.has(i + 1)).toBe(i % inputs >= drawnInputs);
    }
  });

  it('negates points of the circle', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), (word, fraction) => {
        const from = { words: Uint32Array.of(word), fractions: Uint32Array.of(fraction) };
        const to = circleNumbers(2);
        copyNumber(from, 0, to, 0, false);
        copyNumber(from, 0, to, 1, true);
        expect(BigInt.asUintN(64, pointOf(to, 0) + pointOf(to, 1))).toBe(0n);
        expect(pointOf(to, 0)).toBe(pointOf(from, 0));
      }),
    );
  });
});
