import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { expect, it } from 'vitest';
import { allocateWords, nttKernel } from '../../protocols/kernels/ntt.ts';
import { makeAnswer, openAnswer, ShareSums } from '../../protocols/rlwe/answer.ts';
import { encodeMessage, PublicKey, readCiphertext, SecretKey } from '../../protocols/rlwe/keys.ts';
import { parameterSets } from '../../protocols/rlwe/parameters.ts';
import { Ring } from '../../protocols/rlwe/ring.ts';
import type { RandomWords } from '../../protocols/rlwe/sampling.ts';
import vectors from './rlwe.json' with { type: 'json' };

/** The generator of rlwe.py: a counter through murmur3's finaliser. Not random. */
class CounterWords implements RandomWords {
  private counter: number;
  constructor(seed: number) {
    this.counter = seed * 2 ** 24;
  }
  words(count: number): Uint32Array {
    return Uint32Array.from({ length: count }, () => {
      let h = this.counter++;
      h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      return h ^ (h >>> 16);
    });
  }
  bytes(count: number): Uint8Array {
    return new Uint8Array(this.words(Math.ceil(count / 4)).buffer).slice(0, count);
  }
}

const digest = (bytes: Uint8Array) => bytesToHex(sha256(bytes));

it('has vectors', () => {
  expect(vectors.length).toBeGreaterThan(0);
});

it.each(vectors)('keys, encryption and an answer in $parameters equal the Python reference', (vector) => {
  const ring = Ring.of(parameterSets.find(({ name }) => name === vector.parameters)!);
  const { n } = ring;
  const { arena } = nttKernel();
  const [client, shared, owner] = [1, 2, 3].map((seed) => new CounterWords(seed));
  const sharedByOwner = new CounterWords(2);
  const key = new SecretKey(ring, client);

  const publicBytes = key.publicKey(shared, client);
  expect(digest(publicBytes)).toBe(vector.publicKey);
  const publicKey = new PublicKey(ring, publicBytes, sharedByOwner);

  expect(digest(key.automorphismKey(vector.exponent, shared, client))).toBe(vector.automorphismKey);
  const ciphertext = ring.allocateCiphertexts();
  // The reading side draws the same masks for the key.
  const keyLength = ring.primes.length * ring.parameters.digitsPerPrime;
  for (let i = 0; i < keyLength; i++) new PublicKey(ring, publicBytes, sharedByOwner).release();

  const source = allocateWords(n);
  arena.words(source, n).set(new CounterWords(4).words(n));
  const message = ring.allocate();
  encodeMessage(ring, source, vector.messageBits, message);
  const bytes = key.encrypt(message, shared, client);
  expect(digest(bytes)).toBe(vector.ciphertext);

  readCiphertext(ring, bytes, sharedByOwner, ciphertext);
  const weights = Int32Array.from(new CounterWords(5).words(16), (word) => (word % 8191) - 4095);
  new Int32Array(arena.memory.buffer, source, 16).set(weights);
  const leaf = ring.allocateCiphertexts();
  ring.shortProducts(source, 16, [ciphertext], leaf);
  const places = Uint32Array.from({ length: n / 8 }, (_, i) => (i % 2 === 0 ? 8 * i : (i - 1) / 2));
  const [ownerSums, clientSums] = [0, 1].map(() => new ShareSums(n / 16, vector.answerBits, vector.messageBits));
  const answer = makeAnswer(ring, leaf, places, ownerSums, publicKey, owner, new CounterWords(6));
  expect(digest(answer)).toBe(vector.answer);

  openAnswer(key, answer, places, clientSums, new CounterWords(6));
  const [ownerShares, clientShares] = [ownerSums.round(), clientSums.round()];
  expect([...ownerShares.subarray(0, 8)]).toEqual(vector.ownerShares);
  expect([...clientShares.subarray(0, 8)]).toEqual(vector.clientShares);
  vector.results.forEach((result, i) => {
    const shift = 32 - vector.messageBits;
    expect(Math.abs(((ownerShares[i] + clientShares[i] - result) << shift) >> shift)).toBeLessThanOrEqual(1);
  });
});
