/**
 * The steps of OT extension as the papers write them, on arrays of 16-byte blocks and with one hash call at a time: the oracle of
 * ../cot.ts.
 */
import { chachaKeystream } from './chacha.ts';

export type Block = Uint8Array;

/** H_label(x, index, column): `bytes` bytes of ChaCha8 keystream under x ‖ label and index (64 bits) ‖ column. */
export function hash(
  label: string,
  x: Block,
  low: number,
  high: number,
  column: number,
  bytes = 16,
  counter = 0,
): Uint8Array {
  const key = new Uint8Array(32);
  key.set(x);
  // Throws when the label is longer than 16 bytes.
  key.set(new TextEncoder().encode(`bs/${label}`), 16);
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  [low, high, column].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return chachaKeystream(key, nonce, counter, bytes, 8);
}

export const xor = (...blocks: readonly Block[]): Block =>
  blocks.reduce((sum, block) => sum.map((byte, i) => byte ^ block[i]));
const lsbCleared = (block: Block): Block => block.map((byte, i) => (i === 0 ? byte & 0xfe : byte));

/**
 * Half-Tree, Figure 3, sender: the leaves in the order of their paths (level 1's bit is the least significant), and of every level from
 * the second the XOR of its left nodes.
 */
export function ggmTree(
  label: string,
  depth: number,
  root: Block,
  delta: Block,
  low: number,
  high: number,
  clearLsb: boolean,
) {
  let nodes = [root, xor(root, delta)];
  const leftSums: Block[] = [];
  for (let level = 2; level <= depth; level++) {
    const end = (block: Block) => (clearLsb && level === depth ? lsbCleared(block) : block);
    const left = nodes.map((parent) => hash(label, parent, low, high, level));
    const right = nodes.map((parent, i) => xor(parent, left[i]));
    leftSums.push(xor(...left.map(end)));
    nodes = [...left, ...right].map(end);
  }
  return { leaves: nodes, leftSums };
}

/** Ferret's 10-local code: the ten places of output i, of 2^logSecret. */
export function codePlaces(seed: Uint8Array, low: number, high: number, logSecret: number, i: number): number[] {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, low, true);
  view.setUint32(4, high, true);
  const words = new DataView(chachaKeystream(seed, nonce, 0, 40 * (i + 1), 8).buffer);
  // Bits 4 and up of a word: a place times the block's 16 bytes.
  return Array.from({ length: 10 }, (_, j) => (words.getUint32(40 * i + 4 * j, true) >>> 4) & (2 ** logSecret - 1));
}

/** SoftSpokenOT, Figure 7, over bits: u = ⊕ r_x and v_t = ⊕ r_x over the x with bit t; `hole` counts as zeros. */
export function softSpokenSums(
  leaves: readonly Block[],
  bits: number,
  hole: number,
  firstByte: number,
  bytes: number,
  low: number,
  high: number,
) {
  const u = new Uint8Array(bytes);
  const v = Array.from({ length: bits }, () => new Uint8Array(bytes));
  leaves.forEach((leaf, x) => {
    if (x === hole) return;
    const r = hash('base vector', leaf, low, high, 0, bytes, firstByte / 64);
    for (let i = 0; i < bytes; i++) {
      u[i] ^= r[i];
      for (let t = 0; t < bits; t++) if ((x >> t) & 1) v[t][i] ^= r[i];
    }
  });
  return { u, v };
}

/** The same over Z_2^laneBits: u = Σ r_x and v = Σ x·r_x. */
export function voleSums(
  leaves: readonly Block[],
  hole: number,
  count: number,
  laneBits: 8 | 16 | 32,
  low: number,
  high: number,
) {
  const Lanes = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[laneBits];
  const u = new Lanes(count);
  const v = new Lanes(count);
  leaves.forEach((leaf, x) => {
    if (x === hole) return;
    const bytes = new DataView(hash('vole vector', leaf, low, high, 0, (count * laneBits) / 8).buffer);
    for (let i = 0; i < count; i++) {
      const r =
        laneBits === 8
          ? bytes.getUint8(i)
          : laneBits === 16
            ? bytes.getUint16(2 * i, true)
            : bytes.getUint32(4 * i, true);
      u[i] += r;
      v[i] += Math.imul(x, r);
    }
  });
  return { u, v };
}

/** 128 parities of blocks by the Toeplitz matrix of a key's ChaCha8 bits: row b has bit i + b in column i. */
export function parities(key: Uint8Array, blocks: readonly Block[]): Block[] {
  const bits = chachaKeystream(key, new Uint8Array(12), 0, blocks.length / 8 + 17, 8);
  const zero = new Uint8Array(16);
  return Array.from({ length: 128 }, (_, b) =>
    xor(zero, ...blocks.filter((_, i) => (bits[(i + b) >> 3] >> ((i + b) & 7)) & 1)),
  );
}

/** Gilboa, §4.1, sender: minus its share, and for each bit b of the other's factor the message h0 + x − h1 mod 2^(ringBits − b). */
export function gilboaSender(
  keys: readonly Block[],
  delta: Block,
  x: number,
  ringBits: number,
  flips: readonly number[],
  low: number,
  high: number,
) {
  let share = 0;
  const messages = keys.map((key, b) => {
    const [zero, one] = [key, xor(key, delta)].map((block) => firstWord(hash('output', block, low + b, high, 0)));
    const [h0, h1] = flips[b] ? [one, zero] : [zero, one];
    share -= modulo(h0, ringBits - b) * 2 ** b;
    return modulo(h0 + x - h1, ringBits - b);
  });
  return { share: modulo(share, ringBits), messages };
}

/** The receiver's share: Σ_b (h + (bit b ? message : 0))·2^b. */
export function gilboaReceiver(
  keys: readonly Block[],
  factor: number,
  ringBits: number,
  messages: readonly number[],
  low: number,
  high: number,
): number {
  const terms = keys.map(
    (key, b) =>
      modulo(firstWord(hash('output', key, low + b, high, 0)) + ((factor >>> b) & 1) * messages[b], ringBits - b) *
      2 ** b,
  );
  return modulo(
    terms.reduce((sum, term) => sum + term, 0),
    ringBits,
  );
}

const firstWord = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const modulo = (value: number, bits: number) => ((value % 2 ** bits) + 2 ** bits) % 2 ** bits;
