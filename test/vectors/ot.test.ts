/** Against ot.json, which ot.py computes from the papers without our code. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { blockBytes, CotKernel, type HashLabel } from '../../protocols/kernels/cot.ts';
import { pack } from '../../protocols/sharing/packing.ts';
import vectors from './ot.json' with { type: 'json' };

const kernel = new CotKernel();
const putHex = (hex: string) => kernel.put(hexToBytes(hex), 3 * blockBytes);

describe('OT extension against vectors', () => {
  it('has vectors', () => {
    for (const list of Object.values(vectors)) expect(list.length).toBeGreaterThan(0);
  });

  it.each(vectors.hashes)('hash $label', ({ label, input, low, high, column, output }) => {
    const address = putHex(input);
    kernel.hash(label as HashLabel, address, 1, address, low, high, column);
    expect(kernel.bytes(address, blockBytes)).toEqual(hexToBytes(output));
  });

  it.each(vectors.trees)('tree of depth $depth', ({ depth, clear, root, delta, low, high, leaves, sums }) => {
    // With keys of zeros beyond the first, the message is the sums.
    const nodes = kernel.arena.allocate(2 ** depth * blockBytes);
    const message = kernel.arena.allocate(depth * blockBytes);
    kernel.ggmSend(nodes, depth, putHex(root + '00'.repeat(depth * blockBytes)), putHex(delta), message, low, high, clear);
    expect(kernel.bytes(nodes, 2 ** depth * blockBytes)).toEqual(hexToBytes(leaves));
    expect(kernel.bytes(message, (depth - 1) * blockBytes)).toEqual(hexToBytes(sums));
  });

  it.each(vectors.codes)('linear code', ({ seed, low, high, logSecret, places }) => {
    // Entry j is the number j, so that outputs of zeros become the XOR of the places.
    const secret = kernel.arena.allocate(2 ** logSecret * blockBytes);
    const words = kernel.words(secret, 4 * 2 ** logSecret);
    words.fill(0);
    for (let j = 0; j < 2 ** logSecret; j++) words[4 * j] = j;
    const outputs = kernel.arena.allocate(32 * blockBytes);
    kernel.bytes(outputs, 32 * blockBytes).fill(0);
    kernel.setCode(hexToBytes(seed));
    kernel.lpnEncode(outputs, 32, secret, logSecret, low, high);
    for (let i = 0; i < 32; i++) {
      const expected = places.slice(10 * i, 10 * i + 10).reduce((sum, place) => sum ^ place, 0);
      expect(kernel.words(outputs + i * blockBytes, 1)[0]).toBe(expected);
    }
  });

  it.each(vectors.products)('product in $bits bits', ({ bits, keys, delta, factor, flips, low, high, share, messages }) => {
    const message = kernel.arena.allocate(80);
    const shareAt = kernel.arena.allocate(4);
    const factorAt = kernel.put(new Uint8Array(Uint32Array.of(factor).buffer));
    kernel.gilboaSend(putHex(keys), putHex(delta), factorAt, 1, bits, kernel.put(pack(Uint32Array.from(flips), 1), 8), message, shareAt, low, high);
    expect(((kernel.words(shareAt, 1)[0]! << (32 - bits)) >>> (32 - bits)) >>> 0).toBe(share);
    // Message b has bits − b bits, one after another.
    const bytes = kernel.bytes(message, 72);
    let at = 0;
    for (const [b, expected] of messages.entries()) {
      let value = 0;
      for (let bit = 0; bit < bits - b; bit++, at++) value += ((bytes[at >> 3]! >> (at & 7)) & 1) * 2 ** bit;
      expect(value).toBe(expected);
    }
  });
});
