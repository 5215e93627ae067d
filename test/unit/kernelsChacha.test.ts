import { chacha8, chacha12, chacha20 } from '@noble/ciphers/chacha.js';
import { bytesToHex, hexToBytes } from '@noble/ciphers/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChachaStream, chachaKeystream } from '../../protocols/kernels/chacha.ts';
import { instantiateKernel, supportsSimd } from '../../protocols/kernels/instance.ts';
import { expectSame } from '../support/expectSame.ts';
import * as twin from '../twins/chacha.ts';

const rounds = [8, 12, 20] as const;
const noble = { 8: chacha8, 12: chacha12, 20: chacha20 };
const counting = Uint8Array.from({ length: 32 }, (_, i) => i);

describe('RFC 8439 vectors', () => {
  it('section 2.1.1: quarter round', () => {
    const state = new Uint32Array(16);
    state.set([0x11111111, 0x01020304, 0x9b8d6f43, 0x01234567]);
    twin.quarterRound(state, 0, 1, 2, 3);
    expect([...state.subarray(0, 4)]).toEqual([0xea2a92f4, 0xcb1cf8ce, 0x4581472e, 0x5881c4bb]);
  });

  // [source, key, nonce, counter, keystream]
  it.each([
    [
      '2.3.2',
      bytesToHex(counting),
      '000000090000004a00000000',
      1,
      '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
    ],
    [
      'A.1 #1',
      '00'.repeat(32),
      '00'.repeat(12),
      0,
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
    ],
    [
      'A.1 #2',
      '00'.repeat(32),
      '00'.repeat(12),
      1,
      '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
    ],
    [
      'A.1 #3',
      `${'00'.repeat(31)}01`,
      '00'.repeat(12),
      1,
      '3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0',
    ],
    [
      'A.1 #5',
      '00'.repeat(32),
      `${'00'.repeat(11)}02`,
      0,
      'c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c78a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d',
    ],
  ])('section %s: block function', (_, key, nonce, counter, expected) => {
    expect(bytesToHex(chachaKeystream(hexToBytes(key), hexToBytes(nonce), counter, 64, 20))).toBe(expected);
    expect(bytesToHex(twin.chachaKeystream(hexToBytes(key), hexToBytes(nonce), counter, 64, 20))).toBe(expected);
  });
});

describe('keystream', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

  it('equals the twin and @noble/ciphers for 8, 12 and 20 rounds at any length', () => {
    fc.assert(
      fc.property(
        bytes(32),
        bytes(12),
        fc.constantFrom(0, 1, 2, 3, 0x7ffffffe, 0x80000000, 0xffffffff - 40),
        fc.integer({ min: 0, max: 1500 }),
        fc.constantFrom(...rounds),
        (key, nonce, counter, length, rounds) => {
          const stream = chachaKeystream(key, nonce, counter, length, rounds);
          expectSame(stream, twin.chachaKeystream(key, nonce, counter, length, rounds));
          // noble keeps its own limit on the counter.
          if (counter < 0x7fffffff) {
            expectSame(stream, noble[rounds](key, nonce, new Uint8Array(length), undefined, counter));
          }
        },
      ),
    );
  });

  it('equals the twin beyond one kernel call (64 KiB)', () => {
    const stream = chachaKeystream(counting, counting.subarray(0, 12), 7, 200_003, 8);
    expectSame(stream, twin.chachaKeystream(counting, counting.subarray(0, 12), 7, 200_003, 8));
  });

  it('is the same read in any pieces, and by streams that take turns', () => {
    const pieces = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(64, 256, 65536, 70_000)), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(pieces, (lengths) => {
        const one = new ChachaStream(counting, new Uint8Array(12), 0, 8);
        const other = new ChachaStream(new Uint8Array(32), new Uint8Array(12), 0, 12);
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const read = { one: new Uint8Array(total), other: new Uint8Array(total) };
        let at = 0;
        for (const length of lengths) {
          one.fill(read.one.subarray(at, at + length));
          other.fill(read.other.subarray(at, at + length));
          at += length;
        }
        expectSame(read.one, chachaKeystream(counting, new Uint8Array(12), 0, total, 8));
        expectSame(read.other, chachaKeystream(new Uint8Array(32), new Uint8Array(12), 0, total, 12));
      }),
      { numRuns: 20 },
    );
  });

  it('reads words in little endian', () => {
    const stream = new ChachaStream(counting, hexToBytes('000000090000004a00000000'), 1, 20);
    expect([...stream.words(2)]).toEqual([0xe4e7f110, 0x15593bd1]);
  });

  it('never repeats: the last block can be read, the one after it cannot', () => {
    const key = counting;
    const nonce = new Uint8Array(12);
    const last = chachaKeystream(key, nonce, 0xffffffff, 64, 8);
    expect(last).toEqual(twin.chachaBlock(key, 0xffffffff, nonce, 8));
    expect(() => chachaKeystream(key, nonce, 0xffffffff, 65, 8)).toThrow(RangeError);
    const stream = new ChachaStream(key, nonce, 0xfffffffe, 8);
    stream.fill(new Uint8Array(100));
    stream.fill(new Uint8Array(28));
    expect(() => stream.fill(new Uint8Array(1))).toThrow(RangeError);
  });

  it('refuses arguments that do not fit', () => {
    const key = new Uint8Array(32);
    const nonce = new Uint8Array(12);
    expect(() => chachaKeystream(key.subarray(1), nonce, 0, 1)).toThrow(
      new RangeError('key: expected 32 bytes, got 31'),
    );
    expect(() => chachaKeystream(key, new Uint8Array(8), 0, 1)).toThrow(
      new RangeError('nonce: expected 12 bytes, got 8'),
    );
    expect(() => chachaKeystream(key, nonce, 2 ** 32, 1)).toThrow(RangeError);
    expect(() => chachaKeystream(key, nonce, -1, 1)).toThrow(RangeError);
    expect(() => chachaKeystream(key, nonce, 0, -1)).toThrow(RangeError);
    expect(() => chachaKeystream(key, nonce, 0, 1, 10 as 8)).toThrow(RangeError);
    expect(() => chachaKeystream('key' as unknown as Uint8Array, nonce, 0, 1)).toThrow(TypeError);
  });
});

describe('instantiation', () => {
  it('says so when the engine has no SIMD', () => {
    expect(supportsSimd()).toBe(true);
    const validate = WebAssembly.validate;
    WebAssembly.validate = () => false;
    try {
      expect(() => instantiateKernel('', new WebAssembly.Memory({ initial: 1 }))).toThrow(/WebAssembly SIMD/);
    } finally {
      WebAssembly.validate = validate;
    }
  });
});
