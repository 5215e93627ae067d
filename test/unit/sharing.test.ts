import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { maskOf, pack, packedBytes, unpack } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import {
  elementAt,
  elementsOf,
  limbsOf,
  modulo,
  packWide,
  timesModulo,
  unpackWide,
  wideBytes,
  wordsOf,
} from '../../protocols/sharing/wide.ts';

describe('packing', () => {
  it('returns what was packed, for every width', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 32 }),
        fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 70 }),
        (bits, list) => {
          const words = Uint32Array.from(list);
          const bytes = pack(words, bits);
          expect(bytes.length).toBe(packedBytes(words.length, bits));
          expect(unpack(bytes, words.length, bits)).toEqual(words.map((word) => (word & maskOf(bits)) >>> 0));
        },
      ),
      { numRuns: 500 },
    );
  });
  it('puts the least significant bit first', () => {
    expect([...pack(Uint32Array.of(1, 0, 1, 1), 1)]).toEqual([0b1101]);
    expect([...pack(Uint32Array.of(0xabc, 0x123), 12)]).toEqual([0xbc, 0x3a, 0x12]);
  });
  it('refuses another length and another width', () => {
    expect(() => unpack(new Uint8Array(3), 3, 7)).not.toThrow();
    expect(() => unpack(new Uint8Array(4), 3, 7)).toThrow(ProtocolError);
    expect(() => unpack(new Uint8Array(2), 3, 7)).toThrow(/expected 3 bytes/);
    expect(() => pack(new Uint32Array(1), 33)).toThrow(RangeError);
  });
});

describe('elements of wide rings', () => {
  const element = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });
  const bits = fc.integer({ min: 1, max: 52 });

  it('are integers modulo 2^bits', () => {
    fc.assert(
      fc.property(bits, element, element, fc.nat(2 ** 26), (k, x, y, factor) => {
        const ring = (v: bigint) => Number(BigInt.asUintN(k, v));
        expect(modulo(Number(x) - Number(y), k)).toBe(ring(x - y));
        expect(modulo(ring(x) + ring(y), k)).toBe(ring(x + y));
        expect(timesModulo(ring(x), factor, k)).toBe(ring(x * BigInt(factor)));
      }),
      { numRuns: 1000 },
    );
  });

  it('are the same as words, and on the wire', () => {
    fc.assert(
      fc.property(bits, fc.array(element, { maxLength: 40 }), (k, list) => {
        const elements = Float64Array.from(list, (x) => Number(BigInt.asUintN(k, x)));
        const words = wordsOf(elements, k);
        expect(words.length).toBe(list.length * limbsOf(k));
        expect(elementsOf(words, k)).toEqual(elements);
        // Garbage above the ring is cut off.
        const cut = Math.ceil(k / 2);
        elements.forEach((x, i) => expect(elementAt(words, i, k, cut)).toBe(x % 2 ** cut));
        const bytes = packWide(elements, k);
        expect(bytes.length).toBe(wideBytes(list.length, k));
        expect(unpackWide(bytes, list.length, k)).toEqual(elements);
        if (bytes.length > 0) expect(() => unpackWide(bytes.subarray(1), list.length, k)).toThrow(ProtocolError);
      }),
    );
  });
});

describe('Prg', () => {
  const seed = new Uint8Array(32).fill(7);
  it('gives one stream however it is drawn', () => {
    const whole = new Prg(seed, 'a').bytes(100_000);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 8 }), (sizes) => {
        const prg = new Prg(seed, 'a');
        let at = 0;
        for (const size of sizes) {
          if (at + size > whole.length) break;
          expect(Buffer.compare(prg.bytes(size), whole.subarray(at, at + size))).toBe(0);
          at += size;
        }
      }),
    );
  });
  it('separates labels and seeds, and refuses a short seed', () => {
    expect(new Prg(seed, 'a').words(4)).not.toEqual(new Prg(seed, 'b').words(4));
    expect(new Prg(seed, 'a').words(4)).not.toEqual(new Prg(new Uint8Array(32), 'a').words(4));
    expect(() => new Prg(new Uint8Array(31), 'a')).toThrow(/expected 32 bytes, got 31/);
  });
});
