import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { allocateWideWords, allocateWords, nttKernel } from '../../protocols/kernels/ntt.ts';
import { switchModulus } from '../../protocols/rlwe/answer.ts';
import {
  AutomorphismKey,
  automorphismKeyLength,
  encodeMessage,
  halvings,
  PublicKey,
  readCiphertext,
  SecretKey,
} from '../../protocols/rlwe/keys.ts';
import {
  eventsPerResult,
  keySwitchVariance,
  maskSquares,
  maxResults,
  noiseBound,
  phaseVariance,
  tail,
} from '../../protocols/rlwe/noise.ts';
import { packingExponents, packLeaves } from '../../protocols/rlwe/packLwes.ts';
import { checkParameters, errorVariance, parameterSets } from '../../protocols/rlwe/parameters.ts';
import { type Ciphertext, type Polynomial, Ring } from '../../protocols/rlwe/ring.ts';
import { sampleError, sampleTernary } from '../../protocols/rlwe/sampling.ts';
import { packedPolynomialBytes, readPolynomial, writePolynomial } from '../../protocols/rlwe/wire.ts';
import { sampleUniform } from '../../protocols/sharing/field.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { fromResidues, modulo, multiplyNegacyclic, roundDivide, substitute } from '../twins/ntt.ts';

const seed = new Uint8Array(32).fill(3);
const { arena } = nttKernel();
const sets = parameterSets.map((parameters) => [parameters.name, parameters] as const);

/** Coefficients as integers in [0, q). */
function integers(ring: Ring, poly: Polynomial): bigint[] {
  const residues = ring.primes.map((_, i) => ring.residue(poly, i).slice());
  const primes = ring.primes.map(BigInt);
  return Array.from({ length: ring.n }, (_, i) =>
    fromResidues(
      residues.map((residue) => BigInt(residue[i])),
      primes,
    ),
  );
}

const centred = (x: bigint, q: bigint) => Number(2n * x > q ? x - q : x);

/** An encryption of the words, in the owner's hands. */
function encryptWords(ring: Ring, key: SecretKey, words: Uint32Array, bits: number, label: string) {
  const source = allocateWords(ring.n);
  arena.words(source, ring.n).set(words);
  const message = ring.allocate();
  encodeMessage(ring, source, bits, message);
  const bytes = key.encrypt(message, new Prg(seed, label), new Prg(seed, `${label} error`));
  const ciphertext = ring.allocateCiphertexts();
  readCiphertext(ring, bytes, new Prg(seed, label), ciphertext);
  arena.release(source);
  ring.release(message);
  return ciphertext;
}

/** Phase − round(q·m/2^bits), centred. */
function phaseErrors(
  ring: Ring,
  key: SecretKey,
  ciphertext: Ciphertext,
  words: ArrayLike<number | bigint>,
  bits: number,
): number[] {
  const phase = ring.allocate();
  key.phase(ciphertext, phase);
  const q = ring.parameters.modulus;
  const t = 1n << BigInt(bits);
  const errors = integers(ring, phase).map((x, i) =>
    centred(modulo(x - roundDivide(q * modulo(BigInt(words[i]), t), t), q), q),
  );
  ring.release(phase);
  return errors;
}

const deviationOf = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

describe('parameters', () => {
  it.each(sets)('%s is within the standard’s bound and frozen', (_, parameters) => {
    const bound = { 2048: 54, 4096: 109, 8192: 218 }[parameters.degree]!;
    expect(parameters.modulusBits).toBeLessThanOrEqual(bound);
    expect(parameters.modulus).toBe(parameters.primes.reduce((product, p) => product * BigInt(p), 1n));
    expect(Object.isFrozen(parameters) && Object.isFrozen(parameters.primes)).toBe(true);
  });

  it('refuses what is insecure or does not work', () => {
    const literal = { name: 'x', degree: 2048, primes: [134176769, 134111233], digitsPerPrime: 3 };
    expect(() => checkParameters({ ...literal, primes: [1073692673, 1073668097] })).toThrow(
      'log2 q: expected at most 54 for degree 2048, got 60.00',
    );
    expect(() => checkParameters({ ...literal, degree: 512 })).toThrow(
      'degree: expected one of 1024, 2048, 4096, 8192, got 512',
    );
    expect(() => checkParameters({ ...literal, primes: [134176769, 134176769] })).toThrow(
      'expected 2 to 8 distinct ones',
    );
    expect(() => checkParameters({ ...literal, primes: [134176769, 1032193] })).toThrow('within a factor of 2');
    expect(() => checkParameters({ ...literal, primes: [134176769, 134176771] })).toThrow('1 mod 4096');
    expect(() => checkParameters({ ...literal, digitsPerPrime: 0 })).toThrow(
      'digitsPerPrime: expected an integer from 1 to 8, got 0',
    );
  });
});

describe('sampling', () => {
  const count = 1 << 16;

  it('errors are centred binomial', () => {
    const address = allocateWords(count);
    sampleError(new Prg(seed, 'error'), count, address);
    const errors = Array.from(new Int32Array(arena.memory.buffer, address, count));
    arena.release(address);
    expect(Math.abs(errors.reduce((sum, e) => sum + e, 0) / count)).toBeLessThan(4 * Math.sqrt(errorVariance / count));
    expect(deviationOf(errors) ** 2).toBeCloseTo(errorVariance, 0);
    expect(Math.max(...errors.map(Math.abs))).toBeLessThanOrEqual(21);
    // Probability of 0 is C(42, 21)/2^42 = 0.1224.
    expect(errors.filter((e) => e === 0).length / count).toBeCloseTo(0.1224, 2);
  });

  it('ternary numbers are uniform', () => {
    const numbers = sampleTernary(new Prg(seed, 'ternary'), count);
    for (const value of [-1, 0, 1]) expect(numbers.filter((x) => x === value).length / count).toBeCloseTo(1 / 3, 1.9);
  });

  it('uniform numbers stay below p and fill the range', () => {
    for (const p of [134176769, 16515073]) {
      const numbers = new Uint32Array(count);
      sampleUniform(new Prg(seed, 'uniform'), p, numbers);
      expect(Math.max(...numbers)).toBeLessThan(p);
      expect(numbers.reduce((sum, x) => sum + x, 0) / count / p).toBeCloseTo(0.5, 2);
    }
  });
});

describe.each(sets)('%s', (_, parameters) => {
  const ring = Ring.of(parameters);
  const { n } = ring;
  const key = new SecretKey(ring, new Prg(seed, 'key'));
  const random = new Prg(seed, 'numbers');

  it('encodes round(q·m/2^bits) exactly', () => {
    const source = allocateWords(n);
    const poly = ring.allocate();
    for (const bits of [2, 17, 22, 31, 32]) {
      const words = random.words(n);
      words.set([0, 1, 2 ** (bits - 1), 2 ** bits - 1]);
      arena.words(source, n).set(words);
      encodeMessage(ring, source, bits, poly);
      const t = 1n << BigInt(bits);
      const expected = Array.from(
        words,
        (word) => roundDivide(parameters.modulus * modulo(BigInt(word), t), t) % parameters.modulus,
      );
      expect(integers(ring, poly)).toEqual(expected);
    }
    arena.release(source);
    ring.release(poly);
  });

  it('multiplies as the schoolbook does', () => {
    const [x, y] = [ring.allocate(), ring.allocate()];
    const sparse = new Uint32Array(n);
    for (const i of [0, 3, n - 1]) sparse[i] = 1000 + i;
    const source = allocateWords(n);
    arena.words(source, n).set(random.words(n));
    ring.setSigned(source, x);
    arena.words(source, n).set(sparse);
    ring.setSigned(source, y);
    const [xs, ys] = [integers(ring, x), integers(ring, y)];
    ring.forward(x, false);
    ring.forward(y, true);
    const product = ring.allocateCiphertexts();
    const factor = ring.allocateCiphertexts();
    for (const half of [factor, ring.maskOf(factor)]) ring.copy(y, half);
    ring.dot([x], [factor], product);
    ring.inverse(product);
    expect(integers(ring, product)).toEqual(multiplyNegacyclic(ys, xs, parameters.modulus));
    for (const address of [x, y, factor, product]) ring.release(address);
    arena.release(source);
  });

  it('sums beyond 64 bits are cut and added', () => {
    const count = 300;
    const x = ring.allocate();
    const ciphertext = ring.allocateCiphertexts();
    for (let i = 0; i < ring.primes.length; i++) {
      ring.residue(x, i).fill(0xffffffff);
      ring.residue(ciphertext, i).fill(ring.primes[i] - 1);
      ring.residue(ring.maskOf(ciphertext), i).fill(1);
    }
    const sum = ring.allocateCiphertexts();
    ring.dot(new Array<Polynomial>(count).fill(x), new Array<Ciphertext>(count).fill(ciphertext), sum);
    ring.primes.forEach((p, i) => {
      const expected = (BigInt(count) * 0xffffffffn) % BigInt(p);
      expect(BigInt(ring.residue(sum, i)[7])).toBe(modulo(-expected, BigInt(p)));
      expect(BigInt(ring.residue(ring.maskOf(sum), i)[n - 1])).toBe(expected);
    });
    for (const address of [x, ciphertext, sum]) ring.release(address);
  });

  it('decrypts up to a fresh error', () => {
    const words = random.words(n);
    const ciphertext = encryptWords(ring, key, words, 28, 'fresh');
    const errors = phaseErrors(ring, key, ciphertext, words, 28);
    expect(Math.max(...errors.map(Math.abs))).toBeLessThanOrEqual(21);
    expect(deviationOf(errors) ** 2).toBeGreaterThan(0.85 * errorVariance);
    expect(deviationOf(errors) ** 2).toBeLessThan(1.15 * errorVariance);
    ring.release(ciphertext);
  });

  it('encrypts zero afresh', () => {
    const publicKey = new PublicKey(ring, key.publicKey(new Prg(seed, 'public'), random), new Prg(seed, 'public'));
    const words = random.words(n);
    const ciphertext = encryptWords(ring, key, words, 28, 'zero');
    const before = ring.residue(ring.maskOf(ciphertext), 0).slice();
    publicKey.addZero(random, ciphertext);
    expect(ring.residue(ring.maskOf(ciphertext), 0)).not.toEqual(before);
    // e_pk·u and the fresh error: √(2n/3)·σ.
    const deviation = deviationOf(phaseErrors(ring, key, ciphertext, words, 28));
    expect(deviation / Math.sqrt(((2 * n) / 3) * errorVariance)).toBeGreaterThan(0.8);
    expect(deviation / Math.sqrt(((2 * n) / 3) * errorVariance)).toBeLessThan(1.25);
    publicKey.release();
    ring.release(ciphertext);
  });

  it('automorphisms act on the plaintext, with the key switch’s error', () => {
    for (const g of [n + 1, 1 + n / 8]) {
      const shared = new Prg(seed, `automorphism ${g}`);
      const bytes = key.automorphismKey(g, new Prg(seed, `automorphism ${g}`), random);
      expect(bytes.length).toBe(automorphismKeyLength(ring) * packedPolynomialBytes(parameters));
      const automorphism = new AutomorphismKey(ring, g, bytes, shared);
      const words = random.words(n);
      const source = encryptWords(ring, key, words, 32, 'image');
      const target = ring.allocateCiphertexts();
      ring.clear(target, 2);
      automorphism.addAutomorphism(source, target);
      const image = substitute(Array.from(words, BigInt), g, 1n << 32n);
      const deviation = deviationOf(phaseErrors(ring, key, target, image, 32));
      const analysed = Math.sqrt(keySwitchVariance(parameters) + errorVariance);
      expect(deviation).toBeLessThan(1.1 * analysed);
      expect(deviation).toBeGreaterThan(0.5 * analysed);
      automorphism.release();
      ring.release(source);
      ring.release(target);
    }
  });

  it.each([0, 1, 3])('packs 2^%i leaves side by side', (levels) => {
    const stride = 32;
    const random = new Prg(seed, `pack ${levels}`);
    const keys = new Map(
      packingExponents(n, stride, levels).map((g) => [
        g,
        new AutomorphismKey(
          ring,
          g,
          key.automorphismKey(g, new Prg(seed, `pack ${g}`), random),
          new Prg(seed, `pack ${g}`),
        ),
      ]),
    );
    // The last leaf is missing where there is more than one; its places are not looked at.
    const leaves = Array.from({ length: levels === 0 ? 1 : 2 ** levels - 1 }, () => random.words(n));
    const packed = packLeaves(
      ring,
      stride,
      levels,
      (index) => {
        if (index >= leaves.length) return undefined;
        const leaf = encryptWords(ring, key, leaves[index], 20, `leaf ${index}`);
        for (const half of [leaf, ring.maskOf(leaf)]) ring.multiplyScalar(half, halvings(ring, levels), half);
        return leaf;
      },
      keys,
    );
    const expected = new Array<bigint>(n).fill(0n);
    leaves.forEach((words, r) => {
      for (let i = 0; i < n; i += stride) expected[i + (r * stride) / 2 ** levels] = BigInt(words[i]);
    });
    const errors = phaseErrors(ring, key, packed, expected, 20);
    const used = leaves.flatMap((_, r) =>
      Array.from({ length: n / stride }, (_, u) => errors[u * stride + (r * stride) / 2 ** levels]),
    );
    const analysed = Math.sqrt(phaseVariance(parameters, { ringBits: 20, squares: 1, levels, parts: 1 }));
    expect(Math.max(...used.map(Math.abs))).toBeLessThan(tail * analysed);
    for (const each of keys.values()) each.release();
    ring.release(packed);
  });

  it('switches the modulus to the nearest', () => {
    const poly = ring.allocate();
    ring.primes.forEach((p, i) => sampleUniform(random, p, ring.residue(poly, i)));
    for (let i = 0; i < ring.primes.length; i++) ring.residue(poly, i).set([0, 1, ring.primes[i] - 1]);
    const switched = allocateWideWords(n);
    for (const bits of [24, 31, 40]) {
      switchModulus(ring, poly, bits, switched);
      const found = new BigUint64Array(arena.memory.buffer, switched, n);
      const t = 1n << BigInt(bits);
      integers(ring, poly).forEach((x, i) => {
        // Doubles: nearest, up to 2^−10 beside a half.
        const twice = 2n ** 20n;
        const exact = roundDivide(x * t * twice, parameters.modulus);
        const difference = modulo(found[i] * twice - exact + (t * twice) / 2n, t * twice) - (t * twice) / 2n;
        expect(Math.abs(Number(difference)) / 2 ** 20).toBeLessThan(0.501);
      });
    }
    arena.release(switched);
    ring.release(poly);
  });

  it('multiplies integers by s exactly', () => {
    const source = allocateWideWords(n);
    const target = allocateWideWords(n);
    const bits = 36;
    const words = random.words(2 * n).map((word, i) => (i % 2 === 0 ? word : word % 2 ** (bits - 32)));
    arena.words(source, 2 * n).set(words);
    const integersOf = Array.from(new BigUint64Array(words.buffer.slice(0)));
    key.multiplyInteger(source, target);
    const found = Array.from(new BigInt64Array(arena.memory.buffer, target, n));
    // s itself: times 1.
    arena.words(source, 2 * n).fill(0);
    arena.words(source, 1)[0] = 1;
    key.multiplyInteger(source, target);
    const s = Array.from(new BigInt64Array(arena.memory.buffer, target, n));
    expect(new Set(s)).toEqual(new Set([-1n, 0n, 1n]));
    const wide = 1n << 80n;
    expect(found.map((x) => modulo(x, wide))).toEqual(multiplyNegacyclic(s, integersOf, wide));
    arena.release(source);
    arena.release(target);
  });

  it('reads what it wrote, and refuses other lengths and residues', () => {
    const poly = ring.allocate();
    ring.primes.forEach((p, i) => sampleUniform(random, p, ring.residue(poly, i)));
    const before = ring.primes.map((_, i) => ring.residue(poly, i).slice());
    const bytes = writePolynomial(ring, poly);
    ring.clear(poly);
    readPolynomial(ring, bytes, poly);
    expect(ring.primes.map((_, i) => ring.residue(poly, i).slice())).toEqual(before);
    expect(() => readPolynomial(ring, bytes.subarray(1), poly)).toThrow(ProtocolError);
    expect(() => readPolynomial(ring, new Uint8Array(bytes.length).fill(255), poly)).toThrow(
      'expected residues below their prime',
    );
    ring.release(poly);
  });
});

describe('noise', () => {
  it('leaves the results of one inference right, except with probability 2^-40 for all that can go wrong', () => {
    const oneTail = Math.exp((-tail * tail) / 2);
    // Each result's tails, and the norm of each key's secret.
    const events = maxResults * eventsPerResult + parameterSets.length;
    expect(Math.log2(events * oneTail)).toBeLessThan(-40);
  });

  it('takes proxies that bound what is summed', () => {
    // E[exp(λ(x − E[x]))] ≤ exp(λ²·proxy/2), of the square of a number uniform in [−1, 1] and of a ternary number's square.
    const steps = 2000;
    for (let lambda = 0.05; lambda < 40; lambda += 0.05) {
      let square = 0;
      for (let i = 0; i < steps; i++) square += Math.exp(lambda * (((i + 0.5) / steps) ** 2 - 1 / 3)) / steps;
      expect(Math.log(square)).toBeLessThan((lambda * lambda * 0.0979) / 2);
      const ternary = Math.exp((-2 * lambda) / 3) / 3 + (2 / 3) * Math.exp(lambda / 3);
      expect(Math.log(ternary)).toBeLessThanOrEqual((lambda * lambda * 0.2405) / 2);
    }
    expect(0.0783).toBeGreaterThanOrEqual(Math.sqrt(0.0979) / 4);
    expect(0.939).toBeGreaterThanOrEqual(Math.sqrt(0.0979) / (1 / 3));
  });

  it('narrower answers for smaller rings, and none where the error would not fit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 32 }), fc.integer({ min: 0, max: 6 }), (ringBits, levels) => {
        for (const parameters of parameterSets) {
          const of = (ringBits: number) =>
            noiseBound(parameters, { ringBits, squares: 256 * 4 ** 12, levels, parts: 1 });
          const [bound, narrower] = [of(ringBits), of(ringBits - 1)];
          if (bound === undefined) continue;
          expect(narrower!.bits).toBeLessThan(bound.bits);
          expect(bound.bound).toBeLessThan(1);
          expect(bound.bits).toBeGreaterThan(ringBits);
        }
      }),
    );
    expect(
      noiseBound(parameterSets[0], { ringBits: 30, squares: maskSquares(128, 30), levels: 0, parts: 2 }),
    ).toBeUndefined();
  });
});
