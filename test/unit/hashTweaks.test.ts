// One owner of the hash's tweaks: a protocol that tries to use one twice, or to make its own, is stopped.
import { describe, expect, it } from 'vitest';
import { CotKernel } from '../../protocols/kernels/cot.ts';
import { PieceTweaks, Tweak, TweakSource } from '../../protocols/kernels/tweaks.ts';
import { otPair } from '../ideal/otPair.ts';
import { keyOf } from '../support/keys.ts';

const source = () => new TweakSource('forward');
const indexOf = ({ label, low, high, column }: Tweak) => `${label} ${low} ${high} ${column}`;

describe('hash tweaks', () => {
  it('cannot be taken twice', () => {
    const piece = source().segment().piece(8);
    piece.take('output');
    expect(() => piece.take('output')).toThrow("tweaks of 'output': taken twice");
    const forward = source();
    forward.reverseBase(128);
    expect(() => forward.reverseBase(128)).toThrow('taken twice');
    forward.baseTrees(256);
    expect(() => forward.baseTrees(256)).toThrow('taken twice');
  });

  it('cannot be stretched beyond the COTs that they were made for, or used for another label', () => {
    const kernel = new CotKernel();
    const input = kernel.arena.allocate(64 * 16);
    const tweak = source().segment().piece(8).take('output');
    expect(() => kernel.hash(tweak, input, 9, input)).toThrow(RangeError);
    expect(() => tweak.part(4, 5)).toThrow(RangeError);
    const messages = { input, count: 8, words: 1, mask: 0xffffffff, output: input, stride: 4 };
    expect(() => kernel.hashMessages(tweak, messages)).toThrow("expected 8 indices for 'message'");
    const products = { keys: input, factors: input, count: 1, ringBits: 9, flips: input, shares: input };
    expect(() => kernel.gilboaChoose(tweak, products)).toThrow(RangeError);
  });

  it('cannot be made elsewhere', () => {
    const own = { label: 'output', low: 0, high: 0, column: 0, count: 8 };
    // Without the compiler's help, too.
    const forged = Object.assign(Object.create(Tweak.prototype), own) as Tweak;
    const kernel = new CotKernel();
    const input = kernel.arena.allocate(8 * 16);
    expect(() => kernel.hash(forged, input, 8, input)).toThrow(RangeError);
    expect(() => Reflect.construct(Tweak, [Symbol('minted'), 'output', 0, 0, 0, 8])).toThrow(TypeError);
    expect(() => Reflect.construct(PieceTweaks, [undefined, 0, 8, 0, 0])).toThrow(TypeError);
  });

  it('differ among pieces, segments, directions, rounds and base trees', () => {
    const seen = new Set<string>();
    let count = 0;
    for (const direction of ['forward', 'reverse'] as const) {
      const tweaks = new TweakSource(direction);
      const all: Tweak[] = [];
      for (let segment = 0; segment < 3; segment++) {
        const each = tweaks.segment();
        for (let piece = 0; piece < 4; piece++) {
          const { length } = all;
          const piece = each.piece(5);
          for (const label of ['output', 'message', 'vole tree', 'vole vector'] as const) all.push(piece.take(label));
          expect(all.length).toBe(length + 4);
        }
      }
      for (let round = 0; round < 2; round++) all.push(tweaks.round(5));
      if (direction === 'forward') all.push(tweaks.reverseBase(5));
      for (const tweak of all) {
        for (let i = 0; i < 5; i++) {
          // Trees of rounds have keys of their own in either direction; segments may not rely on that.
          const index = indexOf(tweak.part(i, 1));
          seen.add(tweak.label === 'tree' ? `${direction} ${index}` : index);
          count++;
        }
      }
    }
    expect(seen.size).toBe(count);
  });

  it('are one for each use in a whole pairing: no (label, index, column) is hashed twice with the same key', async () => {
    const pair = await otPair(new Uint8Array(32).fill(21));
    const uses = new Map<string, number>();
    const { kernel } = (pair.client as unknown as { cots: { kernel: CotKernel } }).cots;
    for (const name of ['hash', 'hashMessages', 'gilboaSend', 'ggmSend', 'voleFold'] as const) {
      const original = kernel[name].bind(kernel) as (tweak: Tweak, ...rest: unknown[]) => unknown;
      Object.assign(kernel, {
        [name]: (tweak: Tweak, ...rest: unknown[]) => {
          const use = `${indexOf(tweak)} ${JSON.stringify(rest)}`;
          uses.set(use, (uses.get(use) ?? 0) + 1);
          return original(tweak, ...rest);
        },
      });
    }
    const scale = { kind: 'scale', key: keyOf('scale'), ringBits: 20, rows: 9, cols: 5 } as const;
    const square = { kind: 'square', key: keyOf('square'), ringBits: 20, count: 30 } as const;
    const ot = { kind: 'ot', key: keyOf('ot'), ringBits: 8, count: 30, choiceBits: 3, words: 2 } as const;
    const words = (count: number) => new Uint32Array(count);
    for (let stage = 0; stage < 2; stage++) {
      await Promise.all([
        pair.client.provide([{ spec: scale, s: words(9), x: words(45) }, { spec: square, x: words(30) }, { spec: ot }]),
        pair.owner.provide([
          { spec: scale, sMask: words(9), xMask: words(45) },
          { spec: square, xMask: words(30) },
          { spec: ot },
        ]),
      ]);
    }
    expect(uses.size).toBeGreaterThan(100);
    expect([...uses].filter(([, times]) => times > 1)).toEqual([]);
  });
});
