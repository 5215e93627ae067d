/**
 * The inner loops of OT extension, in WASM: correlated GGM trees, Ferret's linear code, SoftSpokenOT's sums, the hash, and
 * Gilboa's products. Blocks (16 bytes each) stay in the kernel's memory between the steps; callers hold addresses.
 *
 * **The hash.** H_label(x, index, column) is the ChaCha8 keystream under the key x ‖ label (16 + 16 bytes) and the nonce index
 * (64 bits) ‖ column (32 bits). It stands where the papers ask for a tweakable circular correlation-robust hash (Guo, Katz,
 * Wang, Yu, S&P 2020, §4): with x = K ⊕ bΔ for one secret Δ and many (index, column), its values look random. **Assumption:**
 * ChaCha8's block function behaves as a random function of its whole 48-byte input (that includes related keys). In the
 * ideal-permutation model the values of one block that we use are 16 of its 64 bytes at a fixed half-kilobit permutation
 * whose constants and label are 256 bits that the adversary cannot choose; eight rounds are the margin that Aumasson ("Too
 * much crypto", 2019) argues for, as BLAKE3's seven do for a hash on the same permutation.
 */
import { Arena } from './arena.ts';
import wasm from './build/cot.ts';
import { instantiateKernel } from './instance.ts';

export const blockBytes = 16;

/** What a hash value is for; no two uses share (label, index, column). */
export const hashLabels = [
  'tree',
  'output',
  'message',
  'base tree',
  'base vector',
  'vole tree',
  'vole vector',
] as const;
export type HashLabel = (typeof hashLabels)[number];

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
}

export class CotKernel {
  readonly arena = new Arena();
  readonly #wasm: CotExports;
  readonly #lanes = new Map<HashLabel, number>();
  readonly #codeLanes: number;
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
    this.bytes(this.zero, blockBytes).fill(0);
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

  /** output[i] = first 16 bytes of H_label(input[i] ⊕ offset, (low + i, high), column); output may be input. */
  hash(
    label: HashLabel,
    input: number,
    count: number,
    output: number,
    low: number,
    high: number,
    column = 0,
    offset = this.zero,
  ): void {
    this.#wasm.hashBlocks(input, offset, count, output, low, high, column, this.#lanes.get(label)!, this.#scratch);
  }

  /** Message i, `words` words at output + i·stride bytes, is H_message(input[i] ⊕ offset, (i, high), column), ANDed with mask. */
  hashMessages(
    input: number,
    count: number,
    words: number,
    mask: number,
    output: number,
    stride: number,
    high: number,
    column: number,
    offset = this.zero,
  ): void {
    this.#wasm.hashMessages(
      input,
      offset,
      count,
      words,
      mask,
      output,
      stride,
      high,
      column,
      this.#lanes.get('message')!,
      this.#scratch,
    );
  }

  /** keys[j·count + i] = ⊕_t (bit t of j ? ones : zeros)[i·m + t], for j < 2^m. */
  combineKeys(zeros: number, ones: number, m: number, count: number, keys: number): void {
    this.#wasm.combineKeys(zeros, ones, m, count, keys);
  }

  /** One tree of the sender; see assembly/_ggm.ts. `message` receives depth − 1 blocks. */
  ggmSend(
    nodes: number,
    depth: number,
    bases: number,
    delta: number,
    message: number,
    low: number,
    high: number,
    clearLsb: boolean,
  ): void {
    const lanes = this.#lanes.get(clearLsb ? 'tree' : 'vole tree')!;
    this.#wasm.ggmSend(nodes, depth, bases, delta, message, low, high, clearLsb ? 1 : 0, lanes, this.#scratch);
  }

  /** One tree of the receiver; returns the position of the leaf that it does not know. */
  ggmReceive(
    nodes: number,
    depth: number,
    bases: number,
    choices: number,
    message: number,
    low: number,
    high: number,
    clearLsb: boolean,
  ): number {
    const lanes = this.#lanes.get(clearLsb ? 'tree' : 'vole tree')!;
    return this.#wasm.ggmReceive(
      nodes,
      depth,
      bases,
      choices,
      message,
      low,
      high,
      clearLsb ? 1 : 0,
      lanes,
      this.#scratch,
    );
  }

  /** The public seed (32 bytes) of the linear code. */
  setCode(seed: Uint8Array): void {
    this.setRows(this.#codeLanes, 4, seed);
  }

  /** outputs[i] ⊕= the ten entries of `secret` that the code names; count a multiple of 32, 2^logSecret entries. */
  lpnEncode(outputs: number, count: number, secret: number, logSecret: number, low: number, high: number): void {
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
  softSpokenFold(
    leaves: number,
    bits: number,
    hole: number,
    firstTile: number,
    tiles: number,
    u: number,
    v: number,
    high: number,
    scratch: number,
  ): void {
    this.#wasm.softSpokenFold(
      leaves,
      bits,
      hole,
      firstTile,
      tiles,
      u,
      v,
      0,
      high,
      this.#lanes.get('base vector')!,
      scratch,
    );
  }

  transpose(rows: number, rowBytes: number, blocks: number): void {
    this.#wasm.transpose(rows, rowBytes, blocks);
  }

  /** See assembly/_gilboa.ts. `keys` must be readable 3 blocks beyond its end. */
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
  ): void {
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
      this.#lanes.get('output')!,
      this.#scratch,
    );
  }

  gilboaChoose(
    keys: number,
    factors: number,
    count: number,
    ringBits: number,
    flips: number,
    shares: number,
    low: number,
    high: number,
  ): void {
    this.#wasm.gilboaChoose(
      keys,
      factors,
      count,
      ringBits,
      flips,
      shares,
      low,
      high,
      this.#lanes.get('output')!,
      this.#scratch,
    );
  }

  gilboaFinish(message: number, factors: number, count: number, ringBits: number, shares: number): void {
    this.#wasm.gilboaFinish(message, factors, count, ringBits, shares);
  }

  /** See assembly/_vole.ts. */
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
  ): void {
    this.#wasm.voleFold(
      leaves,
      count,
      hole,
      laneBits,
      tiles,
      u,
      v,
      low,
      high,
      this.#lanes.get('vole vector')!,
      this.#scratch,
    );
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
