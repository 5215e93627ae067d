/**
 * Random 1-of-2^m OTs of ring elements from m COTs each: Naor and Pinkas, "Oblivious transfer and polynomial evaluation" (STOC 1999),
 * §3 (keys of a message are the XOR of one key per bit), made non-interactive by choosing randomly.
 *
 * Computes: 2^m random messages for the client, one of them and its random index for the owner.
 * Per OT: m COTs and nothing else on the wire.
 */
import { blockBytes } from '../../kernels/cot.ts';
import { maskOf } from '../../sharing/packing.ts';
import { keyText, type OtSpec } from '../correlations.ts';
import { type ClientContext, noCost, type OtKind, type OwnerContext } from './kind.ts';

/** OTs `from` … `from + count − 1` of a spec: writes their messages to `messages` (count, 2^choiceBits, words). */
function openMessages(
  { choiceBits, words, ringBits }: OtSpec,
  messages: Uint32Array,
  from: number,
  count: number,
  { kernel, cots, delta, tweaks }: ClientContext,
): void {
  kernel.arena.scope((scope) => {
    const options = 2 ** choiceBits;
    const stride = 4 * words * options;
    const output = scope.allocate(count * stride);
    const tweak = tweaks.take('message');
    const hash = { count, words, mask: maskOf(ringBits), stride };
    if (choiceBits === 1) {
      kernel.hashMessages(tweak, { ...hash, input: cots, output });
      kernel.hashMessages(tweak, { ...hash, input: cots, output: output + 4 * words, offset: delta });
    } else {
      const bytes = count * choiceBits * blockBytes;
      const zeros = scope.allocate(bytes);
      const ones = scope.allocate(bytes);
      const keys = scope.allocate(count * options * blockBytes);
      const outputs = tweaks.take('output');
      kernel.hash(outputs, cots, count * choiceBits, zeros);
      kernel.hash(outputs, cots, count * choiceBits, ones, delta);
      kernel.combineKeys(zeros, ones, choiceBits, count, keys);
      for (let j = 0; j < options; j++) {
        kernel.hashMessages(tweak, { ...hash, input: keys + j * count * blockBytes, output: output + 4 * words * j });
      }
    }
    messages.set(kernel.words(output, (count * stride) / 4), (from * stride) / 4);
  });
}

/** The owner's side of `openMessages`: its random choices, and the messages chosen. */
function chooseMessages(
  { choiceBits, words, ringBits }: OtSpec,
  choices: Uint32Array,
  messages: Uint32Array,
  from: number,
  count: number,
  { kernel, cots, tweaks }: OwnerContext,
): void {
  kernel.arena.scope((scope) => {
    const output = scope.allocate(4 * count * words);
    const keys = scope.allocate(count * choiceBits * blockBytes);
    const blocks = kernel.words(cots, 4 * count * choiceBits);
    for (let i = 0, at = 0; i < count; i++) {
      let choice = 0;
      for (let t = 0; t < choiceBits; t++, at += 4) choice |= (blocks[at] & 1) << t;
      choices[from + i] = choice;
    }
    const hash = { count, words, mask: maskOf(ringBits), output, stride: 4 * words };
    if (choiceBits === 1) {
      kernel.hashMessages(tweaks.take('message'), { ...hash, input: cots });
    } else {
      kernel.hash(tweaks.take('output'), cots, count * choiceBits, keys);
      // Summed in place: sum i lies before everything that later sums read.
      const subkeys = kernel.words(keys, 4 * count * choiceBits);
      for (let i = 0; i < count; i++) {
        for (let word = 0; word < 4; word++) {
          let sum = 0;
          for (let t = 0; t < choiceBits; t++) sum ^= subkeys[4 * (i * choiceBits + t) + word];
          subkeys[4 * i + word] = sum;
        }
      }
      kernel.hashMessages(tweaks.take('message'), { ...hash, input: keys });
    }
    messages.set(kernel.words(output, count * words), from * words);
  });
}

export const randomOt: OtKind<OtSpec> = {
  check({ key, choiceBits }) {
    if (!(choiceBits >= 1 && choiceBits <= 10))
      throw new RangeError(`${keyText(key)}: choiceBits: expected 1 to 10, got ${choiceBits}`);
  },
  // All keys of a piece, 16 bytes for every message, are in memory.
  units: ({ count, choiceBits }) => ({ size: count, cotsPerUnit: choiceBits, pieceUnits: 2 ** (18 - choiceBits) }),
  cost: ({ choiceBits }, count) => ({ ...noCost, cots: count * choiceBits }),
  work({ count, choiceBits, words }) {
    const messages = count * 2 ** choiceBits;
    const blocks = Math.ceil(words / 16);
    const cot = count * choiceBits;
    const direct = choiceBits === 1;
    return {
      client: { cot, hash: direct ? 0 : 2 * cot, block: messages * blocks, word: messages * words },
      owner: {
        cot,
        hash: direct ? 0 : cot,
        block: count * blocks,
        word: count * words,
        choice: direct ? cot : 2 * cot,
      },
    };
  },
  keptWords: ({ count, choiceBits, words }) => ({
    client: count * 2 ** choiceBits * words,
    owner: count * (words + 1),
  }),
  client({ spec }) {
    const messages = new Uint32Array(spec.count * 2 ** spec.choiceBits * spec.words);
    return {
      correlation: { messages },
      piece: (from, count) => ({
        open(context) {
          openMessages(spec, messages, from, count, context);
          return new Uint8Array(0);
        },
      }),
    };
  },
  owner({ spec }) {
    const choices = new Uint32Array(spec.count);
    const messages = new Uint32Array(spec.count * spec.words);
    return {
      correlation: { choices, messages },
      piece: (from, count) => ({
        choose(context) {
          chooseMessages(spec, choices, messages, from, count, context);
          return undefined;
        },
      }),
    };
  },
};
