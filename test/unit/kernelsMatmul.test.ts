import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  multiplyMatrices,
  multiplyTransposed,
  PackedMatrix,
  residentMatrixBytes,
} from '../../protocols/kernels/matmul.ts';
import { expectSame } from '../support/expectSame.ts';
import * as twin from '../twins/matmul.ts';

/** Distinct words in a fixed order, every bit in use. */
function words(length: number, seed: number): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => Math.imul(i + 1, 2654435761) ^ Math.imul(seed + 1, 40503));
}

const edges = [0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff];

describe('matrix product', () => {
  it('has the size of a small example worked by hand', () => {
    const a = Uint32Array.of(1, 2, 3, 4, 5, 6);
    const b = Uint32Array.of(7, 8, 9, 10, 11, 12);
    expect([...multiplyMatrices(a, b, 2, 3, 2)]).toEqual([58, 64, 139, 154]);
    expect([...multiplyTransposed(a, b, 2, 3, 2)]).toEqual([50, 68, 122, 167]);
  });

  it.each([
    [1, 1, 1],
    [1, 7, 1],
    [3, 5, 9],
    [4, 8, 8],
    [5, 1, 17],
    [7, 13, 7],
    [65, 33, 31],
    [64, 192, 768],
    [2, 1024, 10],
  ])('equals the twin for %i × %i × %i', (n, k, m) => {
    const a = words(n * k, 1);
    const b = words(k * m, 2);
    expectSame(multiplyMatrices(a, b, n, k, m), twin.multiplyMatrices(a, b, n, k, m));
    expectSame(multiplyTransposed(a, b, n, k, m), twin.multiplyTransposed(a, b, n, k, m));
  });

  it('equals the twin for any size and any words, the edges among them', () => {
    const word = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: 0xffffffff }));
    const size = fc.integer({ min: 0, max: 19 });
    const operands = fc.tuple(size, size, size).chain(([n, k, m]) =>
      fc.record({
        n: fc.constant(n),
        k: fc.constant(k),
        m: fc.constant(m),
        a: fc.array(word, { minLength: n * k, maxLength: n * k }).map((list) => Uint32Array.from(list)),
        b: fc.array(word, { minLength: k * m, maxLength: k * m }).map((list) => Uint32Array.from(list)),
      }),
    );
    fc.assert(
      fc.property(operands, ({ n, k, m, a, b }) => {
        expectSame(multiplyMatrices(a, b, n, k, m), twin.multiplyMatrices(a, b, n, k, m));
        expectSame(multiplyTransposed(a, b, n, k, m), twin.multiplyTransposed(a, b, n, k, m));
      }),
    );
  });

  it('sums k products of (2^32 − 1)² to k', () => {
    const k = 1000;
    const ones = new Uint32Array(9 * k).fill(0xffffffff);
    expect(multiplyMatrices(ones, ones, 9, k, 9)).toEqual(new Uint32Array(81).fill(k));
  });

  it('takes subarrays, and leaves its operands alone', () => {
    const a = words(100, 3);
    const b = words(100, 4);
    const before = [a.slice(), b.slice()];
    const part = multiplyMatrices(a.subarray(5, 5 + 12), b.subarray(1, 1 + 20), 3, 4, 5);
    expect(part).toEqual(twin.multiplyMatrices(a.slice(5, 17), b.slice(1, 21), 3, 4, 5));
    expect([a, b]).toEqual(before);
  });

  it('keeps packed operands apart while memory grows, and gives their memory back', () => {
    const before = residentMatrixBytes();
    const sizes = [3, 64, 200, 17].map((size) => ({ size, b: words(size * size, size) }));
    const packed = sizes.map(({ size, b }) => PackedMatrix.fromTransposed(b, size, size));
    for (let i = sizes.length; i-- > 0; ) {
      const { size, b } = sizes[i];
      const a = words(5 * size, 9);
      expect(packed[i].multiply(a, 5)).toEqual(twin.multiplyTransposed(a, b, 5, size, size));
    }
    packed[1].release();
    const again = PackedMatrix.fromRows(sizes[1].b, 64, 64);
    expect(packed[2].multiply(words(400, 1), 2)).toEqual(
      twin.multiplyTransposed(words(400, 1), sizes[2].b, 2, 200, 200),
    );
    for (const matrix of [...packed, again]) matrix.release();
    expect(residentMatrixBytes()).toBe(before);
  });

  it('refuses operands of the wrong type or size, and use after release', () => {
    const a = new Uint32Array(6);
    expect(() => multiplyMatrices(a, a, 2, 3, 3)).toThrow(new RangeError('b: expected 9 entries, got 6'));
    expect(() => multiplyMatrices(a, a, 3, 3, 2)).toThrow(new RangeError('a: expected 9 entries, got 6'));
    expect(() => multiplyMatrices(a, a, 2, 1.5, 4)).toThrow(RangeError);
    expect(() => multiplyTransposed(a, a, -2, -3, -2)).toThrow(RangeError);
    expect(() => multiplyMatrices(a, [1, 2] as unknown as Uint32Array, 3, 2, 1)).toThrow(TypeError);
    const packed = PackedMatrix.fromRows(a, 3, 2);
    packed.release();
    packed.release();
    expect(() => packed.multiply(a, 2)).toThrow(/release/);
    expect(residentMatrixBytes()).toBe(0);
  });
});
