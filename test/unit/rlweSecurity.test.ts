import { describe, expect, it } from 'vitest';
import { allocateWideWords, allocateWords, nttKernel } from '../../protocols/kernels/ntt.ts';
import { rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { makeAnswer, ShareSums } from '../../protocols/rlwe/answer.ts';
import { addError, encodeMessage, PublicKey, readCiphertext, SecretKey } from '../../protocols/rlwe/keys.ts';
import { parameterSets } from '../../protocols/rlwe/parameters.ts';
import { type Polynomial, Ring } from '../../protocols/rlwe/ring.ts';
import type { RandomWords } from '../../protocols/rlwe/sampling.ts';
import { readNumbers } from '../../protocols/rlwe/wire.ts';
import { Prg, seedBytes } from '../../protocols/sharing/prg.ts';
import { drawRlweOperands, rlwePair } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';

// The client knows every `a` that it sent. These tests play a client who uses that.

const ring = Ring.of(parameterSets[0]);
const { n, primes } = ring;
const { arena } = nttKernel();
const seed = new Uint8Array(32).fill(11);

const zeros: RandomWords = { words: (count) => new Uint32Array(count), bytes: (count) => new Uint8Array(count) };

/** A client's ciphertext (b, a) of random numbers, the owner's weights, and their product, all transformed. */
function evaluate(weights: Int32Array) {
  const random = new Prg(seed, 'client');
  const key = new SecretKey(ring, random);
  const publicKey = new PublicKey(ring, key.publicKey(new Prg(seed, 'public'), random), new Prg(seed, 'public'));
  const source = allocateWords(n);
  arena.words(source, n).set(random.words(n));
  const message = ring.allocate();
  encodeMessage(ring, source, 24, message);
  const ciphertext = ring.allocateCiphertexts();
  readCiphertext(ring, key.encrypt(message, new Prg(seed, 'shared'), random), new Prg(seed, 'shared'), ciphertext);
  const plaintext = ring.allocate();
  arena.words(source, n).fill(0);
  arena.words(source, weights.length).set(weights);
  ring.setSigned(source, plaintext);
  ring.forward(plaintext, false);
  const product = ring.allocateCiphertexts();
  ring.dot([plaintext], [ciphertext], product);
  return { key, publicKey, ciphertext, product };
}

/** f/a mod p in coefficients, centred: the attack. */
function divide(f: Polynomial, a: Polynomial): Int32Array {
  const quotient = ring.allocate();
  const p = BigInt(primes[0]);
  const inverse = (x: bigint) => {
    let [result, base] = [1n, x];
    for (let e = p - 2n; e > 0n; e >>= 1n) {
      if (e & 1n) result = (result * base) % p;
      base = (base * base) % p;
    }
    return result;
  };
  const [numerator, denominator] = [ring.residue(f, 0).slice(), ring.residue(a, 0).slice()];
  ring.residue(quotient, 0).set(numerator.map((x, i) => Number((BigInt(x) * inverse(BigInt(denominator[i]))) % p)));
  ring.ntts[0].inverse(ring.residueAddress(quotient, 0));
  const result = Int32Array.from(ring.residue(quotient, 0), (x) => (x > primes[0] / 2 ? x - primes[0] : x));
  ring.release(quotient);
  return result;
}

describe('what a curious client learns from a′', () => {
  const weights = Int32Array.from(new Prg(seed, 'weights').words(n), (word) => (word % 8191) - 4095);

  it('every weight, where the encryption of zero is left out', () => {
    const { ciphertext, product } = evaluate(weights);
    expect(divide(ring.maskOf(product), ring.maskOf(ciphertext))).toEqual(weights);
  });

  it('every weight, where the owner’s randomness repeats: the difference of two answers is w·a again', () => {
    const { ciphertext, product, publicKey } = evaluate(weights);
    const other = evaluate(new Int32Array(n));
    publicKey.addZero(new Prg(seed, 'repeats'), product);
    publicKey.addZero(new Prg(seed, 'repeats'), other.product);
    ring.subtract(ring.maskOf(product), ring.maskOf(other.product), ring.maskOf(product));
    expect(divide(ring.maskOf(product), ring.maskOf(ciphertext))).toEqual(weights);
  });

  it('nothing, where it is there: the quotient is uniform', () => {
    const { ciphertext, product, publicKey } = evaluate(weights);
    const random = new Prg(seed, 'owner');
    publicKey.addZero(random, product);
    const a = ring.maskOf(product);
    ring.inverse(a);
    addError(ring, random, a);
    ring.forward(a, true);
    const found = divide(a, ring.maskOf(ciphertext));
    expect(found.filter((w, i) => w === weights[i]).length).toBeLessThan(3);
    // Weights lie below 2^12; of uniform numbers below 2^27, 2^−14 do.
    expect(found.filter((w) => Math.abs(w) < 4096).length).toBeLessThan(5);
    expect(
      chiSquare(
        found.map((w) => w + primes[0] / 2),
        primes[0],
      ),
    ).toBeLessThan(45);
  });

  // On the wire a′ is rounded to 2^bits, so that a division no longer works; but few unknown weights are found by meeting in the middle.
  const bits = 31;
  const few = Int32Array.of(1234, -987);

  function attackAnswer(answer: Uint8Array, a: Polynomial): [number, number][] {
    const words = allocateWideWords(n);
    readNumbers(answer.subarray(0, Math.ceil((n * bits) / 8)), n, bits, words);
    const seen = Array.from({ length: 4 }, (_, i) => arena.words(words, 2 * n)[2 * i] / 2 ** bits);
    arena.release(words);
    const coefficients = ring.allocate();
    ring.copy(a, coefficients);
    ring.inverse(coefficients);
    // a·X^k's coefficients as fractions of q, from both residues.
    const [p1, p2] = primes as [number, number];
    const q = BigInt(p1) * BigInt(p2);
    const fraction = (i: number) => {
      const [x1, x2] = [ring.residue(coefficients, 0)[(i + n) % n], ring.residue(coefficients, 1)[(i + n) % n]];
      const value =
        (BigInt(x1) * BigInt(p2) * inverseMod(BigInt(p2), BigInt(p1)) +
          BigInt(x2) * BigInt(p1) * inverseMod(BigInt(p1), BigInt(p2))) %
        q;
      return (Number((value << 60n) / q) / 2 ** 60) * (i < 0 ? -1 : 1);
    };
    const modOne = (x: number) => x - Math.floor(x);
    const distance = (x: number) => Math.abs(x - Math.round(x));
    const [first, second] = [fraction(0), fraction(-1)];
    // Coefficient 0 is w0·a_0 − w1·a_(n−1): list w1's part, look w0's up.
    const list = Array.from({ length: 8191 }, (_, i) => [modOne((i - 4095) * second), i - 4095] as const).sort(
      (x, y) => x[0] - y[0],
    );
    const found: [number, number][] = [];
    for (let w0 = -4095; w0 <= 4095; w0++) {
      const wanted = modOne(seen[0] - w0 * first);
      let [low, high] = [0, list.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle][0] < wanted) low = middle + 1;
        else high = middle;
      }
      for (const at of [low - 1, low]) {
        const entry = list[(at + list.length) % list.length];
        const agrees = [0, 1, 2, 3].every(
          (i) => distance(seen[i] - w0 * fraction(i) - entry[1] * fraction(i - 1)) < 2 ** -(bits - 1),
        );
        if (agrees) found.push([w0, entry[1]]);
      }
    }
    ring.release(coefficients);
    return found;
  }

  it('on the wire: two weights, where the encryption of zero is left out, and none where it is there', () => {
    const places = Uint32Array.of(0, 0);
    const bare = evaluate(few);
    const withoutZero = { addZero() {} } as unknown as PublicKey;
    const sums = new ShareSums(1, bits, 24);
    expect(
      attackAnswer(
        makeAnswer(ring, bare.product, places, sums, withoutZero, zeros, zeros),
        ring.maskOf(bare.ciphertext),
      ),
    ).toEqual([[...few]]);
    const real = evaluate(few);
    const answer = makeAnswer(ring, real.product, places, sums, real.publicKey, new Prg(seed, 'owner'), zeros);
    expect(attackAnswer(answer, ring.maskOf(real.ciphertext))).toEqual([]);
  });
});

describe('what a curious client learns from all that it receives', () => {
  it('is the same whatever the weights: every part of the answers is uniform, and no two agree', async () => {
    const spec = {
      kind: 'linear',
      key: keyOf('l'),
      ringBits: 24,
      tokens: 64,
      inputs: 64,
      outputs: 256,
      weights: 'w',
      weightBits: 12,
    } as const;
    const { bits, parameters, answers } = rlweLayout(spec);
    const seen: Uint8Array[] = [];
    const halves: string[] = [];
    for (const choice of ['zero', 'largest', 'random'] as const) {
      const operands = drawRlweOperands(spec, new Prg(seed, 'operands'), choice);
      const pair = await rlwePair(seed, [{ ...operands, client: { spec, x: new Uint32Array(64 * 64) } }]);
      await pair.provide();
      pair.destroy();
      const bytes = pair.channels.client.recording.bytes('received');
      seen.push(bytes);
      // A seed, and a′ of every answer: nothing that depends on b′.
      const length = Math.ceil((parameters.degree * bits) / 8);
      expect(bytes.length).toBe(seedBytes + answers.length * length);
      const words = allocateWideWords(parameters.degree);
      for (let answer = 0; answer < answers.length; answer++) {
        const half = bytes.subarray(seedBytes + answer * length, seedBytes + (answer + 1) * length);
        halves.push(half.join());
        readNumbers(half, parameters.degree, bits, words);
        const low = Int32Array.from(
          { length: parameters.degree },
          (_, i) => arena.words(words, 2 * parameters.degree)[2 * i] >>> (bits - 24),
        );
        expect(chiSquare(low, bits >= 32 ? 2 ** (32 - bits + 24) : 2 ** 24)).toBeLessThan(45);
      }
      arena.release(words);
    }
    expect(new Set(seen.map((bytes) => bytes.length)).size).toBe(1);
    expect(new Set(halves).size).toBe(halves.length);
  });
});

/** Against the uniform distribution over [0, range), in 16 cells; above 45 with probability 10^−4. */
function chiSquare(values: Int32Array, range: number): number {
  const counts = new Float64Array(16);
  for (const value of values) counts[Math.min(15, Math.floor((value * 16) / range))]++;
  const expected = values.length / 16;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function inverseMod(x: bigint, p: bigint): bigint {
  let [result, base] = [1n, x % p];
  for (let e = p - 2n; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * base) % p;
    base = (base * base) % p;
  }
  return result;
}
