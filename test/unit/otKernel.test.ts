import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockBytes, CotKernel, parityCount } from '../../protocols/kernels/cot.ts';
import { hashLabels } from '../../protocols/kernels/tweaks.ts';
import { pack } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { anyTweak } from '../support/tweaks.ts';
import * as twin from '../twins/cot.ts';

const kernel = new CotKernel();
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const index = fc.nat(2 ** 31);
const putBlocks = (blocks: readonly Uint8Array[]) =>
  kernel.put(Uint8Array.from(blocks.flatMap((block) => [...block])), 3 * blockBytes);
const blocksAt = (address: number, count: number) =>
  Array.from({ length: count }, (_, i) => kernel.bytes(address + i * blockBytes, blockBytes).slice());
const randomBlocks = (random: Prg, count: number) => Array.from({ length: count }, () => random.bytes(blockBytes));
const withLsb = (block: Uint8Array) => block.map((byte, i) => (i === 0 ? byte | 1 : byte));

describe('hash', () => {
  it('equals the twin, for any count, offset and index', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 13 }), index, index, index, (seed, count, low, high, column) => {
        const random = new Prg(seed, 'test');
        const blocks = randomBlocks(random, count);
        const offset = random.bytes(blockBytes);
        const input = putBlocks(blocks);
        kernel.hash(anyTweak('output', low, high, column), input, count, input, kernel.put(offset));
        expect(blocksAt(input, count)).toEqual(
          blocks.map((block, i) => twin.hash('output', twin.xor(block, offset), low + i, high, column)),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('differs for every label, with everything else the same', () => {
    const block = new Uint8Array(blockBytes);
    const values = hashLabels.map((label) => {
      const address = putBlocks([block]);
      kernel.hash(anyTweak(label, 0, 0), address, 1, address);
      expect(blocksAt(address, 1)).toEqual([twin.hash(label, block, 0, 0, 0)]);
      return String(blocksAt(address, 1)[0]);
    });
    expect(new Set(values).size).toBe(hashLabels.length);
    // A label that had to be cut could equal another.
    expect(() => twin.hash('a label too long', block, 0, 0, 0)).toThrow(RangeError);
  });

  it('gives messages of any length, masked, at any stride', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 32 }),
        (seed, count, words, bits) => {
          const blocks = randomBlocks(new Prg(seed, 'test'), count);
          const stride = 4 * words + 8;
          const output = kernel.arena.allocate(count * stride);
          const input = putBlocks(blocks);
          const mask = 2 ** bits - 1;
          kernel.hashMessages(anyTweak('message', 0, 7, 9), { input, count, words, mask, output, stride });
          blocks.forEach((block, i) => {
            const expected = new Uint32Array(twin.hash('message', block, i, 7, 9, 4 * words).slice().buffer).map(
              (word) => word & (2 ** bits - 1),
            );
            expect(kernel.words(output + i * stride, words)).toEqual(expected);
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  it('combines one key per bit into one per message', () => {
    const random = new Prg(new Uint8Array(32), 'test');
    for (let m = 1; m <= 4; m++) {
      const count = 3;
      const zeros = randomBlocks(random, count * m);
      const ones = randomBlocks(random, count * m);
      const keys = kernel.arena.allocate(2 ** m * count * blockBytes);
      kernel.combineKeys(putBlocks(zeros), putBlocks(ones), m, count, keys);
      for (let j = 0; j < 2 ** m; j++) {
        const expected = Array.from({ length: count }, (_, i) =>
          twin.xor(...Array.from({ length: m }, (_, t) => ((j >> t) & 1 ? ones : zeros)[i * m + t])),
        );
        expect(blocksAt(keys + j * count * blockBytes, count)).toEqual(expected);
      }
    }
  });
});

describe('correlated GGM trees', () => {
  it('are the twin’s at the sender, and the receiver’s but for the leaf that its choices exclude', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 7 }),
        fc.nat(127),
        fc.boolean(),
        index,
        index,
        (seed, depth, path, clearLsb, low, high) => {
          const random = new Prg(seed, 'test');
          const delta = withLsb(random.bytes(blockBytes));
          const keys = randomBlocks(random, depth);
          const choices = path & (2 ** depth - 1);
          const nodes = kernel.arena.allocate(2 ** depth * blockBytes);
          const message = kernel.arena.allocate(depth * blockBytes);
          const label = clearLsb ? 'tree' : 'vole tree';
          const tweak = anyTweak(label, low, high);
          kernel.ggmSend(tweak, { nodes, depth, bases: putBlocks(keys), message }, kernel.put(delta));
          const expected = twin.ggmTree(label, depth, keys[0], delta, low, high, clearLsb);
          const leaves = blocksAt(nodes, 2 ** depth);
          // At depth 1 nothing is expanded, and nothing cleared.
          expect(leaves).toEqual(expected.leaves);
          expect(blocksAt(message, depth - 1)).toEqual(expected.leftSums.map((sum, i) => twin.xor(sum, keys[i + 1])));
          if (depth === 1 && clearLsb) return;

          const received = keys.map((key, i) => ((choices >> i) & 1 ? twin.xor(key, delta) : key));
          const hole = kernel.ggmReceive(tweak, { nodes, depth, bases: putBlocks(received), message }, choices);
          expect(hole).toBe(2 ** depth - 1 - choices);
          const filled = clearLsb ? twin.xor(leaves[hole], delta) : new Uint8Array(blockBytes);
          expect(blocksAt(nodes, 2 ** depth)).toEqual(leaves.map((leaf, i) => (i === hole ? filled : leaf)));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('parities', () => {
  it('are the twin’s, added to what was there, for any multiple of four', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 40 }), (seed, groups) => {
        const random = new Prg(seed, 'test');
        const blocks = randomBlocks(random, 4 * groups);
        const before = randomBlocks(random, parityCount);
        const key = random.bytes(32);
        const sums = putBlocks(before);
        kernel.parities(key, putBlocks(blocks), blocks.length, sums);
        expect(blocksAt(sums, parityCount)).toEqual(
          twin.parities(key, blocks).map((parity, b) => twin.xor(parity, before[b])),
        );
      }),
      { numRuns: 20 },
    );
  });
});

describe('linear code', () => {
  it('adds the ten entries that the seed names', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 4, max: 8 }), index, index, (seed, logSecret, low, high) => {
        const random = new Prg(seed, 'test');
        const secret = randomBlocks(random, 2 ** logSecret);
        const outputs = randomBlocks(random, 64);
        kernel.setCode(seed);
        const address = putBlocks(outputs);
        kernel.lpnEncode(anyTweak('tree', low, high), address, 64, putBlocks(secret), logSecret);
        const expected = outputs.map((block, i) =>
          twin.xor(block, ...twin.codePlaces(seed, low, high, logSecret, i).map((place) => secret[place])),
        );
        expect(blocksAt(address, 64)).toEqual(expected);
      }),
      { numRuns: 10 },
    );
  });
});

describe('SoftSpokenOT’s loops', () => {
  it('sum a tree’s leaves like the twin', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: -1, max: 31 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 3 }),
        index,
        (seed, bits, missing, firstTile, tiles, high) => {
          const hole = missing < 2 ** bits ? missing : -1;
          const leaves = randomBlocks(new Prg(seed, 'test'), 2 ** bits);
          const rowBytes = 256 * tiles;
          const u = kernel.arena.allocate(rowBytes);
          const v = kernel.arena.allocate(bits * rowBytes);
          const scratch = kernel.arena.allocate(2 ** bits * 256);
          const fold = { leaves: putBlocks(leaves), bits, hole, firstTile, tiles, u, v, scratch };
          kernel.softSpokenFold(anyTweak('base vector', 0, high), fold);
          const expected = twin.softSpokenSums(leaves, bits, hole, 256 * firstTile, rowBytes, 0, high);
          expect(kernel.bytes(u, rowBytes)).toEqual(expected.u);
          for (let t = 0; t < bits; t++) expect(kernel.bytes(v + t * rowBytes, rowBytes)).toEqual(expected.v[t]);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('transpose 128 rows', () => {
    const rowBytes = 24;
    const rows = new Prg(new Uint8Array(32), 'test').bytes(128 * rowBytes);
    const blocks = kernel.arena.allocate(8 * rowBytes * blockBytes);
    kernel.transpose(kernel.put(rows), rowBytes, blocks);
    blocksAt(blocks, 8 * rowBytes).forEach((block, column) => {
      for (let row = 0; row < 128; row++) {
        expect((block[row >> 3] >> (row & 7)) & 1).toBe((rows[row * rowBytes + (column >> 3)] >> (column & 7)) & 1);
      }
    });
  });
});

describe('products', () => {
  it('equal the twin’s shares and messages, and add up', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 1, max: 9 }),
        index,
        (seed, ringBits, count, high) => {
          const random = new Prg(seed, 'test');
          const delta = withLsb(random.bytes(blockBytes));
          const keys = randomBlocks(random, count * ringBits).map((key) =>
            key.map((byte, i) => (i === 0 ? byte & 0xfe : byte)),
          );
          const choices = random.bytes(count * ringBits).map((byte) => byte & 1);
          const x = random.words(count);
          const factors = random.words(count);
          const low = 40;

          const flips = kernel.arena.allocate(count * 4 + 8);
          const shares = kernel.arena.allocate(4 * count);
          const address = (words: Uint32Array) => kernel.put(new Uint8Array(words.buffer));
          const received = putBlocks(keys.map((key, i) => (choices[i] ? twin.xor(key, delta) : key)));
          const tweak = anyTweak('output', low, high);
          const products = { count, ringBits, flips };
          kernel.gilboaChoose(tweak, { ...products, keys: received, factors: address(factors), shares });
          const wanted = Uint32Array.from(
            { length: count * ringBits },
            (_, i) => choices[i] ^ ((factors[Math.floor(i / ringBits)] >>> (i % ringBits)) & 1),
          );
          const flipBytes = pack(wanted, 1);
          expect(kernel.bytes(flips, flipBytes.length)).toEqual(flipBytes);

          const message = kernel.arena.allocate(count * 66 * 8 + 8);
          const clientShares = kernel.arena.allocate(4 * count);
          const sent = { ...products, keys: putBlocks(keys), factors: address(x), shares: clientShares };
          kernel.gilboaSend(tweak, sent, kernel.put(delta), message);
          kernel.gilboaFinish(message, address(factors), count, ringBits, shares);
          const mask = ringBits === 32 ? 0xffffffff : 2 ** ringBits - 1;
          for (let i = 0; i < count; i++) {
            const own = keys.slice(i * ringBits, (i + 1) * ringBits);
            const expected = twin.gilboaSender(
              own,
              delta,
              x[i],
              ringBits,
              [...wanted.subarray(i * ringBits, (i + 1) * ringBits)],
              low + i * ringBits,
              high,
            );
            const client = kernel.words(clientShares, count)[i];
            const owner = kernel.words(shares, count)[i];
            expect((client & mask) >>> 0).toBe(expected.share);
            const theirs = own.map((key, b) => (choices[i * ringBits + b] ? twin.xor(key, delta) : key));
            expect((owner & mask) >>> 0).toBe(
              twin.gilboaReceiver(theirs, factors[i], ringBits, expected.messages, low + i * ringBits, high),
            );
            expect((client + owner - Math.imul(x[i], factors[i])) & mask).toBe(0);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('sum vectors over a tree’s leaves like the twin', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: -1, max: 20 }),
        fc.constantFrom<8 | 16 | 32>(8, 16, 32),
        fc.integer({ min: 1, max: 3 }),
        index,
        index,
        (seed, count, missing, laneBits, tiles, low, high) => {
          const hole = missing < count ? missing : -1;
          const leaves = randomBlocks(new Prg(seed, 'test'), count);
          const u = kernel.arena.allocate(256 * tiles);
          const v = kernel.arena.allocate(256 * tiles);
          const fold = { leaves: putBlocks(leaves), count, hole, laneBits, tiles, u, v };
          kernel.voleFold(anyTweak('vole vector', low, high), fold);
          const expected = twin.voleSums(leaves, hole, (2048 * tiles) / laneBits, laneBits, low, high);
          expect(kernel.bytes(u, 256 * tiles)).toEqual(new Uint8Array(expected.u.buffer));
          expect(kernel.bytes(v, 256 * tiles)).toEqual(new Uint8Array(expected.v.buffer));
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('one bit of correlated OTs over the ring', () => {
  it('gives keys at any stride, and the message and choices that the protocol says, for any width', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 0, max: 31 }),
        fc.integer({ min: 1, max: 5 }),
        (seed, count, bits, bit, places) => {
          const random = new Prg(seed, 'test');
          const [zeros, ones, factors, cots] = [4, 4, 1, 4].map((words) => random.words(words * count));
          const masked = (x: number) => (bits === 32 ? x : x & (2 ** bits - 1)) >>> 0;
          const bytes = Math.ceil((count * bits) / 8);
          const address = {
            keys: kernel.arena.allocate(4 * places * count),
            message: kernel.arena.allocate(bytes + 8),
          };
          const shape = { count, bits, ...address, stride: 4 * places };
          const keysAt = () =>
            Array.from({ length: count }, (_, i) => kernel.words(address.keys + 4 * places * i, 1)[0]);

          kernel.ringCotSend(shape, {
            zeros: kernel.putWords(zeros),
            ones: kernel.putWords(ones),
            factors: kernel.putWords(factors),
          });
          const h0 = Array.from({ length: count }, (_, i) => zeros[4 * i]);
          const corrections = h0.map((h, i) => masked(h + factors[i] - ones[4 * i]));
          expect(keysAt()).toEqual(h0);
          expect(kernel.bytes(address.message, bytes).slice()).toEqual(pack(Uint32Array.from(corrections), bits));

          const before = random.words(count).map((word) => word & ~(1 << bit));
          const choices = kernel.putWords(before);
          // Where the receiver chose 1 it has the other hash.
          const hashes = zeros.map((word, i) => (cots[i - (i % 4)] & 1 ? ones[i] : word));
          kernel.ringCotReceive(shape, { cots: kernel.putWords(cots), hashes: kernel.putWords(hashes), choices, bit });
          const chosen = h0.map((_, i) => cots[4 * i] & 1);
          expect([...kernel.words(choices, count)]).toEqual(chosen.map((x, i) => (before[i] | (x << bit)) >>> 0));
          expect(keysAt().map(masked)).toEqual(h0.map((h, i) => masked(h + chosen[i] * factors[i])));
        },
      ),
    );
  });
});
