/** Polynomials as bytes: residues of ⌈log2 p⌉ bits each, prime after prime; switched coefficients of a given width. */
import { ProtocolError } from '../channel/errors.ts';
import { nttKernel, type WideWords } from '../kernels/ntt.ts';
import type { Parameters } from './parameters.ts';
import type { Polynomial, Ring } from './ring.ts';

const bytesOf = (count: number, bits: number) => Math.ceil((count * bits) / 8);

/** Bytes of a polynomial modulo q. */
export const packedPolynomialBytes = ({ degree, residueBits }: Parameters): number =>
  residueBits.reduce((sum, bits) => sum + bytesOf(degree, bits), 0);

/** Packs a polynomial with entries in [0, p). */
export function writePolynomial(ring: Ring, poly: Polynomial): Uint8Array {
  const { arena, exports } = nttKernel();
  return arena.scope((scope) => {
    const out = new Uint8Array(packedPolynomialBytes(ring.parameters));
    const buffer = scope.allocate(4 * ring.n + 8);
    let at = 0;
    ring.parameters.residueBits.forEach((bits, i) => {
      const length = bytesOf(ring.n, bits);
      const bytes = new Uint8Array(arena.memory.buffer, buffer, 4 * ring.n + 8);
      bytes.fill(0);
      exports.pack32(ring.residueAddress(poly, i), ring.n, bits, buffer);
      out.set(bytes.subarray(0, length), at);
      at += length;
    });
    return out;
  });
}

/** @throws ProtocolError `length`; `value` when a residue is not below its prime. */
export function readPolynomial(ring: Ring, bytes: Uint8Array, target: Polynomial): void {
  const { arena, exports } = nttKernel();
  arena.scope((scope) => {
    const expected = packedPolynomialBytes(ring.parameters);
    if (bytes.length !== expected)
      throw new ProtocolError('length', 'rlwe', `expected ${expected} bytes for a polynomial, got ${bytes.length}`);
    const buffer = scope.allocate(4 * ring.n + 8);
    let at = 0;
    let largest = 0;
    ring.parameters.residueBits.forEach((bits, i) => {
      const length = bytesOf(ring.n, bits);
      new Uint8Array(arena.memory.buffer, buffer, length).set(bytes.subarray(at, at + length));
      largest = Math.max(
        largest,
        (exports.unpack32(buffer, ring.n, bits, ring.residueAddress(target, i)) >>> 0) / ring.primes[i],
      );
      at += length;
    });
    if (largest >= 1) throw new ProtocolError('value', 'rlwe', 'expected residues below their prime');
  });
}

/** Packs 64-bit words at `source` of `bits` (33 to 57, or fewer) bits. */
export function writeNumbers(source: WideWords, count: number, bits: number): Uint8Array {
  const { arena, exports } = nttKernel();
  return arena.scope((scope) => {
    const length = bytesOf(count, bits);
    const buffer = scope.allocate(length + 16);
    new Uint8Array(arena.memory.buffer, buffer, length + 16).fill(0);
    exports.pack64(source, count, bits, buffer);
    return new Uint8Array(arena.memory.buffer, buffer, length).slice();
  });
}

/** @throws ProtocolError `length`. */
export function readNumbers(bytes: Uint8Array, count: number, bits: number, target: WideWords): void {
  const { arena, exports } = nttKernel();
  arena.scope((scope) => {
    const expected = bytesOf(count, bits);
    if (bytes.length !== expected)
      throw new ProtocolError(
        'length',
        'rlwe',
        `expected ${expected} bytes for ${count} numbers of ${bits} bits, got ${bytes.length}`,
      );
    const buffer = scope.allocate(expected + 16);
    new Uint8Array(arena.memory.buffer, buffer, expected).set(bytes);
    exports.unpack64(buffer, count, bits, target);
  });
}

/** Bytes of `count` numbers of `bits` bits. */
export const packedNumbersBytes = bytesOf;
