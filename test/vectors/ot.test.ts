/** Against ot.json, which ot.py computes from the papers without our code. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { blockBytes, CotKernel } from '../../protocols/kernels/cot.ts';
import type { HashLabel } from '../../protocols/kernels/tweaks.ts';
import { pack } from '../../protocols/sharing/packing.ts';
import { anyTweak } from '../support/tweaks.ts';
import vectors from './ot.json' with { type: 'json' };

const kernel = new CotKernel();
const putHex = (hex: string) => kernel.put(hexToBytes(hex), 3 * blockBytes);

describe('OT extension against vectors', () => {
  it('has vectors', () => {
    for (const list of Object.values(vectors)) expect(list.length).toBeGreaterThan(0);
  });

  it.each(vectors.hashes)('hash $label', ({ label, input, low, high, column, output }) => {
    const address = putHex(input);
    kernel.hash(anyTweak(label as HashLabel, low, high, column), address, 1, address);
    expect(kernel.bytes(address, blockBytes)).toEqual(hexToBytes(output));
  });

  it.each(vectors.trees)('tree of depth $depth', ({ depth, clear, root, delta, low, high, leaves, sums }) => {
    // With keys of zeros beyond the first, the message is the sums.
    const nodes = kernel.arena.allocate(2 ** depth * blockBytes);
    const message = kernel.arena.allocate(depth * blockBytes);
    const tree = { nodes, depth, bases: putHex(root + '00'.repeat(depth * blockBytes)), message };
    kernel.ggmSend(anyTweak(clear ? 'tree' : 'vole tree', low, high), tree, putHex(delta));
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
    kernel.lpnEncode(anyTweak('tree', low, high), outputs, 32, secret, logSecret);
    for (let i = 0; i < 32; i++) {
      const expected = places.slice(10 * i, 10 * i + 10).reduce((sum, place) => sum ^ place, 0);
      expect(kernel.words(outputs + i * blockBytes, 1)[0]).toBe(expected);
    }
  });

  it.each(vectors.products)('product in $bits bits', ({ bits, keys, delta, factor, flips, low, high, share, messages }) => {
    const message = kernel.arena.allocate(80);
    const shareAt = kernel.arena.allocate(4);
    const factorAt = kernel.put(new Uint8Array(Uint32Array.of(factor).buffer));
    const flipsAt = kernel.put(pack(Uint32Array.from(flips), 1), 8);
    const product = { keys: putHex(keys), factors: factorAt, count: 1, ringBits: bits, flips: flipsAt, shares: shareAt };
    kernel.gilboaSend(anyTweak('output', low, high), product, putHex(delta), message);
    expect(((kernel.words(shareAt, 1)[0] << (32 - bits)) >>> (32 - bits)) >>> 0).toBe(share);
    // Message b has bits − b bits, one after another.
    const bytes = kernel.bytes(message, 72);
    let at = 0;
    for (const [b, expected] of messages.entries()) {
      let value = 0;
      for (let bit = 0; bit < bits - b; bit++, at++) value += ((bytes[at >> 3] >> (at & 7)) & 1) * 2 ** bit;
      expect(value).toBe(expected);
    }
  });
});
