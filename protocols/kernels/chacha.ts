/**
 * ChaCha keystream: the block function and counter mode of RFC 8439 (sections 2.3 and 2.4) with 8, 12 or 20 rounds, four
 * blocks at a time in WASM SIMD. Not a cipher by itself: callers never reuse a (key, nonce, counter).
 */
import wasm from './build/chacha.ts';
import { instantiateKernel } from './instance.ts';

export type ChachaRounds = 8 | 12 | 20;

interface ChachaExports {
  keystream(state: number, lanes: number, output: number, groups: number, rounds: number): void;
}

// Addresses in the kernel's memory. 64 KiB of output per call stays within the second-level cache.
const stateAt = 4096;
const lanesAt = 4096 + 64;
const outputAt = 65536;
const outputBytes = 65536;

let kernel: { exports: ChachaExports; memory: Uint8Array; state: Uint32Array } | undefined;

function load() {
  if (kernel === undefined) {
    const memory = new WebAssembly.Memory({ initial: (outputAt + outputBytes) / 65536 });
    kernel = {
      exports: instantiateKernel<ChachaExports>(wasm, memory),
      memory: new Uint8Array(memory.buffer),
      state: new Uint32Array(memory.buffer, stateAt, 16),
    };
  }
  return kernel;
}

/**
 * A keystream read from front to back in pieces of any length; the pieces, joined, are the keystream.
 *
 * Streams share one kernel but keep nothing in it between calls, so many can be open at once.
 */
export class ChachaStream {
  /** The state's words (RFC 8439, section 2.3): constants, key, counter, nonce. */
  private readonly state = new Uint32Array(16);
  private nextBlock: number;
  /** What is left of the last block read. */
  private rest: Uint8Array = new Uint8Array(0);

  /**
   * @param key 32 bytes.
   * @param nonce 12 bytes.
   * @param counter first block, in [0, 2^32).
   * @param rounds 8, 12 or 20.
   * @throws TypeError, RangeError when an argument does not fit.
   */
  constructor(
    key: Uint8Array,
    nonce: Uint8Array,
    counter = 0,
    readonly rounds: ChachaRounds = 20,
  ) {
    checkBytes('key', key, 32);
    checkBytes('nonce', nonce, 12);
    if (!Number.isInteger(counter) || counter < 0 || counter >= 2 ** 32) {
      throw new RangeError(`counter: expected an integer in [0, 2^32), got ${counter}`);
    }
    if (rounds !== 8 && rounds !== 12 && rounds !== 20)
      throw new RangeError(`rounds: expected 8, 12 or 20, got ${rounds}`);
    const bytes = new Uint8Array(this.state.buffer);
    bytes.set(constants, 0);
    bytes.set(key, 16);
    bytes.set(nonce, 52);
    this.nextBlock = counter;
  }

  /**
   * Writes the next `target.byteLength` bytes of keystream over `target`.
   * @throws RangeError when that needs a block beyond 2^32 − 1: the counter has 32 bits, and wrapping would repeat.
   */
  fill(target: Uint8Array): void {
    const fromRest = Math.min(this.rest.length, target.length);
    const blocks = Math.ceil((target.length - fromRest) / 64);
    if (this.nextBlock + blocks > 2 ** 32) {
      throw new RangeError(`keystream: expected at most 2^32 blocks, got ${this.nextBlock + blocks}`);
    }
    target.set(this.rest.subarray(0, fromRest));
    this.rest = this.rest.subarray(fromRest);
    if (blocks === 0) return;
    const { exports, memory, state } = load();
    for (let at = fromRest; at < target.length; ) {
      const wanted = Math.min(target.length - at, outputBytes);
      const wantedBlocks = Math.ceil(wanted / 64);
      this.state[12] = this.nextBlock;
      state.set(this.state);
      exports.keystream(stateAt, lanesAt, outputAt, Math.ceil(wantedBlocks / 4), this.rounds);
      target.set(memory.subarray(outputAt, outputAt + wanted), at);
      this.nextBlock += wantedBlocks;
      at += wanted;
      // Only the last piece can end inside a block.
      if (wanted % 64 !== 0) this.rest = memory.slice(outputAt + wanted, outputAt + 64 * wantedBlocks);
    }
  }

  /** The next `length` 32-bit words (little endian). @throws RangeError like `fill`. */
  words(length: number): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(length);
    this.fill(new Uint8Array(words.buffer));
    return words;
  }
}

/**
 * The first `bytes` bytes of the keystream that begins at block `counter`.
 * @param key 32 bytes.
 * @param nonce 12 bytes.
 * @param counter in [0, 2^32).
 * @throws TypeError, RangeError when an argument does not fit or a block beyond 2^32 − 1 would be needed.
 */
export function chachaKeystream(
  key: Uint8Array,
  nonce: Uint8Array,
  counter: number,
  bytes: number,
  rounds: ChachaRounds = 20,
): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(bytes) || bytes < 0)
    throw new RangeError(`bytes: expected an integer of at least 0, got ${bytes}`);
  const stream = new ChachaStream(key, nonce, counter, rounds);
  const output = new Uint8Array(bytes);
  stream.fill(output);
  return output;
}

/** "expand 32-byte k" (RFC 8439, section 2.3). */
const constants = Uint8Array.from('expand 32-byte k', (letter) => letter.charCodeAt(0));

function checkBytes(name: string, value: Uint8Array, length: number): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name}: expected a Uint8Array, got ${typeof value}`);
  if (value.length !== length) throw new RangeError(`${name}: expected ${length} bytes, got ${value.length}`);
}
