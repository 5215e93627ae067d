/**
 * Answers: what the owner returns, and what both sides keep. The owner re-randomises a ciphertext, switches its modulus down to 2^k, and
 * masks every coefficient that it returns uniformly modulo 2^k (Huang et al., "Cheetah", USENIX Security 2022, figure 5, with the mask over
 * all of Z_2^k in place of noise flooding); both sides round their share from 2^k to the result's ring.
 */
import { invertMod, multiplyMod, nttKernel, shoupOf } from '../kernels/ntt.ts';
import { addError, type PublicKey, type SecretKey } from './keys.ts';
import type { Ciphertext, Ring } from './ring.ts';
import type { RandomWords } from './sampling.ts';
import { packedNumbersBytes, readNumbers, writeNumbers } from './wire.ts';

/** Bytes of an answer that returns `count` coefficients: all of a', of b' only those. */
export const answerBytes = (degree: number, count: number, bits: number): number =>
  packedNumbersBytes(degree, bits) + packedNumbersBytes(count, bits);

/** For `switchModulus`: by ring and width. */
const constants = new Map<Ring, Map<number, number>>();

function switchConstants(ring: Ring, bits: number): number {
  let byBits = constants.get(ring);
  if (byBits === undefined) constants.set(ring, (byBits = new Map()));
  let address = byBits.get(bits);
  if (address === undefined) {
    const { arena } = nttKernel();
    address = arena.allocate(24 * ring.primes.length);
    const view = new DataView(arena.memory.buffer, address, 24 * ring.primes.length);
    ring.primes.forEach((p, i) => {
      // (q/p)⁻¹ mod p: the inverse of the product of the other primes.
      const rest = ring.primes.reduce(
        (product, other) => (other === p ? product : multiplyMod(product, other % p, p)),
        1,
      );
      const inverse = invertMod(rest, p);
      view.setUint32(24 * i, p, true);
      view.setUint32(24 * i + 4, inverse, true);
      view.setUint32(24 * i + 8, shoupOf(inverse, p), true);
      view.setUint32(24 * i + 12, 0, true);
      view.setFloat64(24 * i + 16, 2 ** bits / p, true);
    });
    byBits.set(bits, address);
  }
  return address;
}

/** round(2^bits·x/q) mod 2^bits of a polynomial's coefficients, as 64-bit words at `target` (8·n bytes). */
export function switchModulus(ring: Ring, poly: number, bits: number, target: number): void {
  const { exports } = nttKernel();
  exports.switchModulus(poly, ring.primes.length, switchConstants(ring, bits), ring.n, bits, target);
}

export interface OwnerAnswer {
  readonly bytes: Uint8Array;
  /** The owner's shares modulo 2^bits of the coefficients returned, in order. */
  readonly shares: Float64Array;
}

/**
 * The owner's last steps for one answer. `ciphertext` is overwritten.
 * @param positions the coefficients to return.
 * @param bits k, at most 50.
 * @param random the owner's own.
 */
export function makeAnswer(
  ring: Ring,
  ciphertext: Ciphertext,
  positions: Uint32Array,
  bits: number,
  publicKey: PublicKey,
  random: RandomWords,
): OwnerAnswer {
  const { arena } = nttKernel();
  const { n } = ring;
  // The client made every a, so their combination alone would reveal the weights: add a fresh encryption of zero.
  publicKey.addZero(random, ciphertext);
  ring.inverse(ciphertext);
  const a = ring.maskOf(ciphertext);
  ring.inverse(a);
  addError(ring, random, a);
  const switched = arena.allocate(8 * n);
  switchModulus(ring, a, bits, switched);
  const aBytes = writeNumbers(switched, n, bits);
  // b' + r leaves, −r stays: what the client sees of b' is uniform, whatever its noise.
  switchModulus(ring, ciphertext, bits, switched);
  const words = arena.words(switched, 2 * n);
  const mask = random.words(2 * positions.length);
  const shares = new Float64Array(positions.length);
  const out = new Uint32Array(2 * positions.length);
  const modulus = 2 ** bits;
  for (let i = 0; i < positions.length; i++) {
    const at = 2 * positions[i]!;
    const r = lowBits(mask[2 * i]!, mask[2 * i + 1]!, bits);
    let sum = lowBits(words[at]!, words[at + 1]!, bits) + r;
    if (sum >= modulus) sum -= modulus;
    out[2 * i] = sum;
    out[2 * i + 1] = Math.floor(sum / 2 ** 32);
    shares[i] = r === 0 ? 0 : modulus - r;
  }
  words.fill(0);
  words.set(out);
  const bBytes = writeNumbers(switched, positions.length, bits);
  arena.release(switched);
  const bytes = new Uint8Array(aBytes.length + bBytes.length);
  bytes.set(aBytes);
  bytes.set(bBytes, aBytes.length);
  return { bytes, shares };
}

/**
 * The client's shares modulo 2^bits of the coefficients returned: b' + r − a'·s.
 * @throws ProtocolError `length`.
 */
export function openAnswer(key: SecretKey, bytes: Uint8Array, positions: Uint32Array, bits: number): Float64Array {
  const { arena } = nttKernel();
  const { n } = key.ring;
  const a = arena.allocate(8 * n);
  const product = arena.allocate(8 * n);
  const b = arena.allocate(8 * positions.length);
  const split = packedNumbersBytes(n, bits);
  readNumbers(bytes.subarray(0, split), n, bits, a);
  readNumbers(bytes.subarray(split), positions.length, bits, b);
  key.multiplyInteger(a, product);
  const products = arena.words(product, 2 * n);
  const masked = arena.words(b, 2 * positions.length);
  const modulus = 2 ** bits;
  const shares = new Float64Array(positions.length);
  for (let i = 0; i < positions.length; i++) {
    const at = 2 * positions[i]!;
    const share = lowBits(masked[2 * i]!, masked[2 * i + 1]!, bits) - lowBits(products[at]!, products[at + 1]!, bits);
    shares[i] = share < 0 ? share + modulus : share;
  }
  products.fill(0);
  for (const address of [a, product, b]) arena.release(address);
  return shares;
}

/** The low `bits` (at most 52) bits of a 64-bit word. */
const lowBits = (low: number, high: number, bits: number): number =>
  bits <= 32 ? low % 2 ** bits : (high % 2 ** (bits - 32)) * 2 ** 32 + low;

/** round(share·2^ringBits/2^bits) mod 2^ringBits of a share in [0, 2^bits): both sides' local step. */
export function roundShare(share: number, bits: number, ringBits: number): number {
  return Math.floor((share + 2 ** (bits - ringBits - 1)) / 2 ** (bits - ringBits)) % 2 ** ringBits;
}
