/**
 * The inner loops of OT extension, in WASM: correlated GGM trees, Ferret's linear code, SoftSpokenOT's sums, the hash,
 * Gilboa's products, and random parities. Blocks (16 bytes each) stay in the kernel's memory between the steps; callers hold
 * addresses.
 *
 * **The hash.** H_label(x, index, column) is the ChaCha8 keystream under the key x ‖ label (16 + 16 bytes) and the nonce index
 * (64 bits) ‖ column (32 bits). It stands where the papers ask for a tweakable circular correlation-robust hash (Guo, Katz,
 * Wang, Yu, S&P 2020, §4): with x = K ⊕ bΔ for one secret Δ and many (index, column), its values look random. **Assumption:**
 * ChaCha8's block function behaves as a random function of its whole 48-byte input (that includes related keys). In the
 * ideal-permutation model the values of one block that we use are 16 of its 64 bytes at a fixed half-kilobit permutation
 * whose constants and label are 256 bits that the adversary cannot choose; eight rounds are the margin that Aumasson ("Too
 * much crypto", 2019) argues for, as BLAKE3's seven do for a hash on the same permutation.
 *
 * Longer than other files: one declaration, one descriptor and one method for each function of the kernel.
 */
import { Arena } from './arena.ts';
import wasm from './build/cot.ts';
import { instantiateKernel } from './instance.ts';
import { type HashLabel, hashLabels, type Tweak } from './tweaks.ts';

export const blockBytes = 16;
/** Random parities that `parities` gives. */
export const parityCount = 128;

/** A label as it stands in the key. @throws RangeError when it does not fit: cut, two labels could become equal. */
function labelBlock(label: HashLabel): Uint8Array {
  const bytes = new TextEncoder().encode(`bs/${label}`);
  if (bytes.length > blockBytes)
    throw new RangeError(`label: expected at most ${blockBytes} bytes, got ${bytes.length} (bs/${label})`);
  const block = new Uint8Array(blockBytes);
  block.set(bytes);
  return block;
}

interface CotExports {
  hashBlocks(
    input: number,
    offset: number,
    count: number,
    output: number,
    low: number,
    high: number,
    column: number,
    lanes: number,
    scratch: number,
  ): void;
  hashMessages(
    input: number,
    offset: number,
    count: number,
    words: number,
    mask: number,
    output: number,
    stride: number,
    high: number,
    column: number,
    lanes: number,
    scratch: number,
  ): void;
  combineKeys(zeros: number, ones: number, m: number, count: number, keys: number): void;
  ggmSend(
    nodes: number,
    depth: number,
    bases: number,
    delta: number,
    message: number,
    low: number,
    high: number,
    clearLsb: number,
    lanes: number,
    scratch: number,
  ): void;
  ggmReceive(
    nodes: number,
    depth: number,
    bases: number,
    choices: number,
    message: number,
    low: number,
    high: number,
    clearLsb: number,
    lanes: number,
    scratch: number,
  ): number;
  lpnEncode(
    outputs: number,
    count: number,
    secret: number,
    placeMask: number,
    low: number,
    high: number,
    lanes: number,
    scratch: number,
  ): void;
  softSpokenFold(
    leaves: number,
    bits: number,
    hole: number,
    firstTile: number,
    tiles: number,
    u: number,
    v: number,
    low: number,
    high: number,
    lanes: number,
    scratch: number,
  ): void;
  transpose(rows: number, rowBytes: number, blocks: number): void;
  gilboaSend(
    keys: number,
    delta: number,
    factors: number,
    count: number,
    ringBits: number,
    flips: number,
    message: number,
    shares: number,
    low: number,
    high: number,
    lanes: number,
    scratch: number,
  ): void;
  gilboaChoose(
    keys: number,
    factors: number,
    count: number,
    ringBits: number,
    flips: number,
    shares: number,
    low: number,
    high: number,
    lanes: number,
    scratch: number,
  ): void;
  gilboaFinish(message: number, factors: number, count: number, ringBits: number, shares: number): void;
  ringCotSend(
    zeros: number,
    ones: number,
    factors: number,
    count: number,
    bits: number,
    keys: number,
    stride: number,
    message: number,
  ): void;
  ringCotReceive(
    cots: number,
    hashes: number,
    message: number,
    count: number,
    bits: number,
    bit: number,
    keys: number,
    stride: number,
    choices: number,
  ): void;
  voleFold(
    leaves: number,
    count: number,
    hole: number,
    laneBits: number,
    tiles: number,
    u: number,
    v: number,
    low: number,
    high: number,
    lanes: number,
    scratch: number,
  ): void;
  parities(blocks: number, count: number, sums: number, lanes: number, scratch: number): void;
}

/** Addresses and sizes of `hashMessages`. */
export interface MessageHash {
  readonly input: number;
  readonly count: number;
  readonly words: number;
  readonly mask: number;
  readonly output: number;
  /** Bytes from one message to the next. */
  readonly stride: number;
  readonly offset?: number;
}

/** A correlated GGM tree: room for 2^depth blocks, the COTs that it grows from, and its message. */
export interface GgmTree {
  readonly nodes: number;
  readonly depth: number;
  readonly bases: number;
  readonly message: number;
}

export interface SoftSpokenFold {
  readonly leaves: number;
  readonly bits: number;
  /** The leaf that is not known; −1 for none. */
  readonly hole: number;
  readonly firstTile: number;
  readonly tiles: number;
  readonly u: number;
  readonly v: number;
  readonly scratch: number;
}

export interface VoleFold {
  readonly leaves: number;
  readonly count: number;
  /** The leaf that is not known; −1 for none. */
  readonly hole: number;
  readonly laneBits: 8 | 16 | 32;
  /** Of 256 bytes. */
  readonly tiles: number;
  readonly u: number;
  readonly v: number;
}

/** `count` products of `ringBits` COTs each. */
export interface Gilboa {
  readonly keys: number;
  readonly factors: number;
  readonly count: number;
  readonly ringBits: number;
  /** A bit for every COT. */
  readonly flips: number;
  readonly shares: number;
}

/** One bit of `count` factors, of which `bits` bits travel; the last message needs 4 bytes of slack. */
export interface RingCotBit {
  readonly count: number;
  readonly bits: number;
  readonly keys: number;
  /** Bytes from one key to the next. */
  readonly stride: number;
  readonly message: number;
}

export class CotKernel {
  readonly arena = new Arena();
  readonly #wasm: CotExports;
  readonly #lanes = new Map<HashLabel, number>();
  readonly #codeLanes: number;
  readonly #parityLanes: number;
  readonly #scratch: number;
  /** Address of a block of zeros. */
  readonly zero: number;

  /** @throws Error when the engine has no WebAssembly SIMD. */
  constructor() {
    this.#wasm = instantiateKernel<CotExports>(wasm, this.arena.memory);
    this.#scratch = this.arena.allocate(4096);
    this.zero = this.arena.allocate(blockBytes);
    for (const label of hashLabels) {
      const lanes = this.arena.allocate(256);
      this.setRows(lanes, 8, labelBlock(label));
      this.#lanes.set(label, lanes);
    }
    this.#codeLanes = this.arena.allocate(256);
    this.#parityLanes = this.arena.allocate(256);
    this.bytes(this.zero, blockBytes).fill(0);
  }

  /** Overwrites everything in the kernel's memory, constants included: it is of no use any more. */
  destroy(): void {
    this.arena.clear();
  }

  /** A view of kernel memory; valid until the next allocation. */
  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, address, length);
  }

  words(address: number, length: number): Uint32Array {
    return this.arena.words(address, length);
  }

  /** Copies bytes into fresh kernel memory, with `slack` further bytes of undefined content. */
  put(bytes: Uint8Array, slack = 0): number {
    const address = this.arena.allocate(bytes.length + slack);
    this.bytes(address, bytes.length).set(bytes);
    return address;
  }

  putWords(words: Uint32Array, slack = 0): number {
    return this.put(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), slack);
  }

  /** output[i] = first 16 bytes of H(input[i] ⊕ offset) under the tweak's index i; output may be input. */
  hash(tweak: Tweak, input: number, count: number, output: number, offset = this.zero): void {
    tweak.require(tweak.label, count);
    const { low, high, column, label } = tweak;
    this.#wasm.hashBlocks(input, offset, count, output, low, high, column, this.#lanes.get(label)!, this.#scratch);
  }

  /** Message i, `words` words at output + i·stride bytes, is H(input[i] ⊕ offset) under the tweak's index i, ANDed with mask. */
  hashMessages(tweak: Tweak, { input, count, words, mask, output, stride, offset = this.zero }: MessageHash): void {
    tweak.require('message', count);
    const { high, column } = tweak;
    const lanes = this.#lanes.get('message')!;
    this.#wasm.hashMessages(input, offset, count, words, mask, output, stride, high, column, lanes, this.#scratch);
  }

  /** keys[j·count + i] = ⊕_t (bit t of j ? ones : zeros)[i·m + t], for j < 2^m. */
  combineKeys(zeros: number, ones: number, m: number, count: number, keys: number): void {
    this.#wasm.combineKeys(zeros, ones, m, count, keys);
  }

  /**
   * One tree of the sender; see assembly/_ggm.ts. `message` receives depth − 1 blocks.
   * @param tweak one index; of Ferret's trees ('tree') the leaves' lowest bits are cleared.
   */
  ggmSend(tweak: Tweak, { nodes, depth, bases, message }: GgmTree, delta: number): void {
    const { low, high, isFerret, lanes } = this.#tree(tweak);
    this.#wasm.ggmSend(nodes, depth, bases, delta, message, low, high, isFerret, lanes, this.#scratch);
  }

  /** One tree of the receiver; returns the position of the leaf that it does not know. */
  ggmReceive(tweak: Tweak, { nodes, depth, bases, message }: GgmTree, choices: number): number {
    const { low, high, isFerret, lanes } = this.#tree(tweak);
    return this.#wasm.ggmReceive(nodes, depth, bases, choices, message, low, high, isFerret, lanes, this.#scratch);
  }

  #tree(tweak: Tweak) {
    const { label, low, high } = tweak;
    const isFerret = label === 'tree';
    tweak.require(isFerret ? 'tree' : 'vole tree', 1);
    return { low, high, isFerret: isFerret ? 1 : 0, lanes: this.#lanes.get(label)! };
  }

  /** The public seed (32 bytes) of the linear code. */
  setCode(seed: Uint8Array): void {
    this.setRows(this.#codeLanes, 4, seed);
  }

  /** outputs[i] ⊕= the ten entries of `secret` that the code names for a tree; count a multiple of 32, 2^logSecret entries. */
  lpnEncode({ low, high }: Tweak, outputs: number, count: number, secret: number, logSecret: number): void {
    this.#wasm.lpnEncode(
      outputs,
      count,
      secret,
      (2 ** logSecret - 1) * blockBytes,
      low,
      high,
      this.#codeLanes,
      this.#scratch,
    );
  }

  /** See assembly/_softSpoken.ts; `scratch` is 2^bits · 256 bytes. */
  softSpokenFold(tweak: Tweak, { leaves, bits, hole, firstTile, tiles, u, v, scratch }: SoftSpokenFold): void {
    tweak.require('base vector', 1);
    const lanes = this.#lanes.get('base vector')!;
    const { low, high } = tweak;
    this.#wasm.softSpokenFold(leaves, bits, hole, firstTile, tiles, u, v, low, high, lanes, scratch);
  }

  transpose(rows: number, rowBytes: number, blocks: number): void {
    this.#wasm.transpose(rows, rowBytes, blocks);
  }

  /** See assembly/_gilboa.ts. `keys` must be readable 3 blocks beyond its end. */
  gilboaSend(
    tweak: Tweak,
    { keys, factors, count, ringBits, flips, shares }: Gilboa,
    delta: number,
    message: number,
  ): void {
    tweak.require('output', count * ringBits);
    const { low, high } = tweak;
    const lanes = this.#lanes.get('output')!;
    this.#wasm.gilboaSend(
      keys,
      delta,
      factors,
      count,
      ringBits,
      flips,
      message,
      shares,
      low,
      high,
      lanes,
      this.#scratch,
    );
  }

  gilboaChoose(tweak: Tweak, { keys, factors, count, ringBits, flips, shares }: Gilboa): void {
    tweak.require('output', count * ringBits);
    const { low, high } = tweak;
    const lanes = this.#lanes.get('output')!;
    this.#wasm.gilboaChoose(keys, factors, count, ringBits, flips, shares, low, high, lanes, this.#scratch);
  }

  gilboaFinish(message: number, factors: number, count: number, ringBits: number, shares: number): void {
    this.#wasm.gilboaFinish(message, factors, count, ringBits, shares);
  }

  /** See assembly/_ringCot.ts; the hashes of both messages of each COT are at `zeros` and `ones`. */
  ringCotSend(
    { count, bits, keys, stride, message }: RingCotBit,
    { zeros, ones, factors }: { zeros: number; ones: number; factors: number },
  ): void {
    this.#wasm.ringCotSend(zeros, ones, factors, count, bits, keys, stride, message);
  }

  ringCotReceive(
    { count, bits, keys, stride, message }: RingCotBit,
    { cots, hashes, choices, bit }: { cots: number; hashes: number; choices: number; bit: number },
  ): void {
    this.#wasm.ringCotReceive(cots, hashes, message, count, bits, bit, keys, stride, choices);
  }

  /** See assembly/_vole.ts. */
  voleFold(tweak: Tweak, { leaves, count, hole, laneBits, tiles, u, v }: VoleFold): void {
    tweak.require('vole vector', 1);
    const { low, high } = tweak;
    const lanes = this.#lanes.get('vole vector')!;
    this.#wasm.voleFold(leaves, count, hole, laneBits, tiles, u, v, low, high, lanes, this.#scratch);
  }

  /**
   * sums[b] ⊕= ⊕_i t[i + b]·blocks[i] for b < `parityCount` and i < count, a multiple of 4.
   * @param key 32 bytes of which the bits t come: public, and random after the blocks were fixed.
   * @throws RangeError when count is no multiple of 4: the last blocks would go unchecked.
   */
  parities(key: Uint8Array, blocks: number, count: number, sums: number): void {
    if (count % 4 !== 0) throw new RangeError(`parities: count: expected a multiple of 4, got ${count}`);
    this.arena.scope((scope) => {
      const scratch = scope.allocate(4096 + 2 * (count + parityCount) + 1024);
      this.setRows(this.#parityLanes, 4, key);
      this.#wasm.parities(blocks, count, sums, this.#parityLanes, scratch);
    });
  }

  /** Constants, and `bytes` from state word `row` on, in all four lanes. */
  private setRows(lanes: number, row: number, bytes: Uint8Array): void {
    const rows = this.words(lanes, 64);
    [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574].forEach((word, i) => {
      rows.fill(word, 4 * i, 4 * i + 4);
    });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; 4 * i < bytes.length; i++) rows.fill(view.getUint32(4 * i, true), 4 * (row + i), 4 * (row + i + 1));
  }
}
