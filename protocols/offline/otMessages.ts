/**
 * Random 1-of-2^m OTs of ring elements from m COTs each: Naor and Pinkas, "Oblivious transfer and polynomial evaluation" (STOC 1999),
 * §3 (keys of a message are the XOR of one key per bit), made non-interactive by choosing randomly.
 *
 * Computes: 2^m random messages for the client, one of them and its random index for the owner.
 * Per OT: m COTs and nothing else on the wire.
 */
import { blockBytes } from '../kernels/cot.ts';
import { maskOf } from '../sharing/packing.ts';
import type { OtSpec } from './correlations.ts';
import {
  type ClientContext,
  type ClientPart,
  noCost,
  type OwnerContext,
  type OwnerPart,
  type PartCost,
} from './otPart.ts';

export const otPartCost = ({ choiceBits }: OtSpec, count: number): PartCost => ({
  ...noCost,
  cots: count * choiceBits,
});

/** OTs `from` … `from + count − 1` of a spec: writes their messages to `messages` (count, 2^choiceBits, words). */
export class OtMessagesClient implements ClientPart {
  readonly cost: PartCost;

  constructor(
    private readonly spec: OtSpec,
    private readonly messages: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = otPartCost(spec, count);
  }

  open({ kernel, cots, delta, low, high, column }: ClientContext): Uint8Array {
    const { arena } = kernel;
    const { count } = this;
    const { choiceBits, words, ringBits } = this.spec;
    const options = 2 ** choiceBits;
    const stride = 4 * words * options;
    const output = arena.allocate(count * stride);
    if (choiceBits === 1) {
      kernel.hashMessages(cots, count, words, maskOf(ringBits), output, stride, high, column);
      kernel.hashMessages(cots, count, words, maskOf(ringBits), output + 4 * words, stride, high, column, delta);
    } else {
      const bytes = count * choiceBits * blockBytes;
      const zeros = arena.allocate(bytes);
      const ones = arena.allocate(bytes);
      const keys = arena.allocate(count * options * blockBytes);
      kernel.hash('output', cots, count * choiceBits, zeros, low, high);
      kernel.hash('output', cots, count * choiceBits, ones, low, high, 0, delta);
      kernel.combineKeys(zeros, ones, choiceBits, count, keys);
      for (let j = 0; j < options; j++) {
        kernel.hashMessages(
          keys + j * count * blockBytes,
          count,
          words,
          maskOf(ringBits),
          output + 4 * words * j,
          stride,
          high,
          column,
        );
      }
      for (const address of [zeros, ones, keys]) arena.release(address);
    }
    this.messages.set(kernel.words(output, (count * stride) / 4), (this.from * stride) / 4);
    arena.release(output);
    return new Uint8Array(0);
  }
}

/** The owner's side of `OtMessagesClient`. */
export class OtMessagesOwner implements OwnerPart {
  readonly cost: PartCost;

  constructor(
    private readonly spec: OtSpec,
    private readonly choices: Uint32Array,
    private readonly messages: Uint32Array,
    private readonly from: number,
    private readonly count: number,
  ) {
    this.cost = otPartCost(spec, count);
  }

  choose({ kernel, cots, low, high, column }: OwnerContext): undefined {
    const { arena } = kernel;
    const { from, count } = this;
    const { choiceBits, words, ringBits } = this.spec;
    const output = arena.allocate(4 * count * words);
    const keys = arena.allocate(count * choiceBits * blockBytes);
    const blocks = kernel.words(cots, 4 * count * choiceBits);
    for (let i = 0, at = 0; i < count; i++) {
      let choice = 0;
      for (let t = 0; t < choiceBits; t++, at += 4) choice |= (blocks[at]! & 1) << t;
      this.choices[from + i] = choice;
    }
    if (choiceBits === 1) {
      kernel.hashMessages(cots, count, words, maskOf(ringBits), output, 4 * words, high, column);
    } else {
      kernel.hash('output', cots, count * choiceBits, keys, low, high);
      // Summed in place: sum i lies before everything that later sums read.
      const subkeys = kernel.words(keys, 4 * count * choiceBits);
      for (let i = 0; i < count; i++) {
        for (let word = 0; word < 4; word++) {
          let sum = 0;
          for (let t = 0; t < choiceBits; t++) sum ^= subkeys[4 * (i * choiceBits + t) + word]!;
          subkeys[4 * i + word] = sum;
        }
      }
      kernel.hashMessages(keys, count, words, maskOf(ringBits), output, 4 * words, high, column);
    }
    this.messages.set(kernel.words(output, count * words), from * words);
    arena.release(output);
    arena.release(keys);
    return undefined;
  }
}
