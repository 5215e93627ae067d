/**
 * SoftSpokenOT: Roy, "SoftSpokenOT: Quieter OT extension from small-field silent VOLE in the Minicrypt model" (CRYPTO 2022),
 * Figures 7 and 8 with the repetition code, k = 8; its consistency check, where asked for, is parityCheck.ts. From 128 base OTs it makes correlated OTs at 15 bits each,
 * where IKNP would take 128: those that Ferret starts from, and the few in the other direction.
 *
 * Computes: blocks M = K ⊕ c·Δ. The sender, who put Δ (least significant bit 1) into the base OTs, learns K; the receiver
 * learns random c and M. The least significant bit of K is 0, that of M is c.
 * Flights: one, receiver → sender: 16·7·32 bytes once, and 15 bits for each COT.
 * Correlations consumed: 128 random OTs, in which the roles are turned around.
 */
import { ProtocolError } from '../channel/errors.ts';
import { blockBytes, type CotKernel } from '../kernels/cot.ts';
import type { TweakSource } from '../kernels/tweaks.ts';
import { type Parities, ParityCheck } from './parityCheck.ts';

/** Bits of Δ per tree, k of the paper. */
const treeBits = 8;
const leaves = 2 ** treeBits;
const trees = 128 / treeBits;
const treeMessageBytes = (treeBits - 1) * 2 * blockBytes;
const tileBits = 2048;
/** COTs come in whole tiles; the work for one is that for all of them. */
export const softSpokenTile = tileBits;

export const baseOtCount = 128;
export const softSpokenSetupBytes = trees * treeMessageBytes;
export const softSpokenBytes = (count: number) => (trees - 1) * Math.ceil(count / 8);

/** The base OTs' choices for a given Δ: the receiver of a level's two keys must miss the side on which Δ's leaf lies. */
export function baseChoices(delta: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: baseOtCount }, (_, i) => 1 ^ ((delta[i >> 3] >> (i & 7)) & 1));
}

type BaseTweaks = ReturnType<TweakSource['baseTrees']>;

export class SoftSpokenReceiver {
  readonly #nodes: number;
  readonly #tweaks: BaseTweaks;
  #tile = 0;
  /** For the sender, once. */
  readonly setupMessage = new Uint8Array(softSpokenSetupBytes);

  /** @param keys both keys of each base OT. */
  constructor(
    private readonly kernel: CotKernel,
    keys: readonly (readonly [Uint8Array, Uint8Array])[],
    source: TweakSource,
  ) {
    this.#tweaks = source.baseTrees(leaves);
    this.#nodes = kernel.arena.allocate(trees * leaves * blockBytes);
    for (let tree = 0; tree < trees; tree++) {
      // Figure 7: the whole tree, and for every level the XORs of its two sides under the base OT's keys.
      const nodes = this.#nodes + tree * leaves * blockBytes;
      const [left, right] = keys[tree * treeBits];
      kernel.bytes(nodes, blockBytes).set(left);
      kernel.bytes(nodes + blockBytes, blockBytes).set(right);
      for (let level = 2; level <= treeBits; level++) {
        expand(kernel, this.#tweaks, nodes, tree, level);
        const half = (1 << (level - 1)) * blockBytes;
        const [key0, key1] = keys[tree * treeBits + level - 1];
        const at = tree * treeMessageBytes + (level - 2) * 2 * blockBytes;
        this.setupMessage.set(xorAll(kernel.bytes(nodes, half), key0), at);
        this.setupMessage.set(xorAll(kernel.bytes(nodes + half, half), key1), at + blockBytes);
      }
    }
  }

  /** @returns the address of `count` blocks M, which the caller releases, and the message for the sender. */
  extend(count: number): { blocks: number; message: Uint8Array } {
    const { kernel } = this;
    const { tiles, rowBytes, rows, sums, scratch, release } = workspace(kernel, count);
    for (let tree = 0; tree < trees; tree++) {
      const nodes = this.#nodes + tree * leaves * blockBytes;
      kernel.softSpokenFold(this.#tweaks.vector(tree), {
        leaves: nodes,
        bits: treeBits,
        hole: -1,
        firstTile: this.#tile,
        tiles,
        u: sums + tree * rowBytes,
        v: rows + tree * treeBits * rowBytes,
        scratch,
      });
    }
    this.#tile += tiles;
    // Figure 8 with the repetition code: every tree's u is corrected to the first one's.
    const usedBytes = Math.ceil(count / 8);
    const message = new Uint8Array(softSpokenBytes(count));
    const first = kernel.bytes(sums, rowBytes);
    for (let tree = 1; tree < trees; tree++) {
      const own = kernel.bytes(sums + tree * rowBytes, usedBytes);
      for (let i = 0; i < usedBytes; i++) message[(tree - 1) * usedBytes + i] = own[i] ^ first[i];
    }
    // Row 0 would carry a bit that nobody needs; it carries the choice instead.
    kernel.bytes(rows, rowBytes).set(first);
    return { blocks: release(), message };
  }
}

export class SoftSpokenSender {
  readonly #nodes: number;
  readonly #tweaks: BaseTweaks;
  #tile = 0;

  /**
   * @param keys of each base OT the key of `baseChoices(delta)`.
   * @param setupMessage the receiver's.
   */
  constructor(
    private readonly kernel: CotKernel,
    private readonly delta: Uint8Array,
    keys: readonly Uint8Array[],
    setupMessage: Uint8Array,
    source: TweakSource,
  ) {
    this.#tweaks = source.baseTrees(leaves);
    checkLength(setupMessage, softSpokenSetupBytes);
    this.#nodes = kernel.arena.allocate(trees * leaves * blockBytes);
    for (let tree = 0; tree < trees; tree++) {
      const nodes = this.#nodes + tree * leaves * blockBytes;
      const path = delta[tree];
      let hole = path & 1;
      kernel.bytes(nodes, 2 * blockBytes).fill(0);
      kernel.bytes(nodes + (1 - hole) * blockBytes, blockBytes).set(keys[tree * treeBits]);
      for (let level = 2; level <= treeBits; level++) {
        // All nodes but the hole's children are right; the side that the base OT opened gives the hole's sibling.
        expand(kernel, this.#tweaks, nodes, tree, level);
        const parents = 1 << (level - 1);
        const side = 1 ^ ((path >> (level - 1)) & 1);
        kernel.bytes(nodes + hole * blockBytes, blockBytes).fill(0);
        kernel.bytes(nodes + (hole + parents) * blockBytes, blockBytes).fill(0);
        const at = tree * treeMessageBytes + ((level - 2) * 2 + side) * blockBytes;
        const sum = xorAll(
          kernel.bytes(nodes + side * parents * blockBytes, parents * blockBytes),
          keys[tree * treeBits + level - 1],
        );
        kernel
          .bytes(nodes + (hole + side * parents) * blockBytes, blockBytes)
          .set(sum.map((byte, i) => byte ^ setupMessage[at + i]));
        hole += (1 - side) * parents;
      }
    }
  }

  /** @returns the address of `count` blocks K, which the caller releases. @throws ProtocolError `length`. */
  extend(count: number, message: Uint8Array): number {
    const { kernel } = this;
    checkLength(message, softSpokenBytes(count));
    const usedBytes = Math.ceil(count / 8);
    const { tiles, rowBytes, rows, sums, scratch, release } = workspace(kernel, count);
    for (let tree = 0; tree < trees; tree++) {
      const nodes = this.#nodes + tree * leaves * blockBytes;
      const path = this.delta[tree];
      const v = rows + tree * treeBits * rowBytes;
      kernel.softSpokenFold(this.#tweaks.vector(tree), {
        leaves: nodes,
        bits: treeBits,
        hole: path,
        firstTile: this.#tile,
        tiles,
        u: sums,
        v,
        scratch,
      });
      // w_t = v_t ⊕ Δ_t·u, and K's row t is w_t ⊕ Δ_t·correction.
      const fix = kernel.bytes(sums, rowBytes);
      if (tree > 0) for (let i = 0; i < usedBytes; i++) fix[i] ^= message[(tree - 1) * usedBytes + i];
      for (let t = 0; t < treeBits; t++) {
        const factor = -((path >> t) & 1);
        const row = kernel.bytes(v + t * rowBytes, rowBytes);
        for (let i = 0; i < rowBytes; i++) row[i] ^= fix[i] & factor;
      }
    }
    this.#tile += tiles;
    kernel.bytes(rows, rowBytes).fill(0);
    return release();
  }
}

/**
 * Either side's parities of the first `count` blocks of an extension (a multiple of 4), masked by the `parityCount` after them.
 * @param setup and `message` are the receiver's.
 */
export function extensionParities(
  kernel: CotKernel,
  setup: Uint8Array,
  message: Uint8Array,
  blocks: number,
  count: number,
): Parities {
  const check = new ParityCheck(kernel, 'softSpoken forward');
  check.absorb(setup);
  check.add(message, blocks, count);
  const parities = check.finish(blocks + count * blockBytes);
  check.release();
  return parities;
}

function workspace(kernel: CotKernel, count: number) {
  const { arena } = kernel;
  const tiles = Math.ceil(count / tileBits);
  const rowBytes = (tiles * tileBits) / 8;
  const rows = arena.allocate(128 * rowBytes);
  const sums = arena.allocate(trees * rowBytes);
  const scratch = arena.allocate(leaves * 256);
  return {
    tiles,
    rowBytes,
    rows,
    sums,
    scratch,
    /** Gives everything back but the blocks that the rows, transposed, are. */
    release(): number {
      const blocks = arena.allocate(8 * rowBytes * blockBytes);
      kernel.transpose(rows, rowBytes, blocks);
      for (const address of [rows, sums, scratch]) arena.release(address);
      return blocks;
    },
  };
}

/** Both children of every node by the hash, left half and right half: level `level` from the one above. */
function expand(kernel: CotKernel, tweaks: BaseTweaks, nodes: number, tree: number, level: number): void {
  const parents = 1 << (level - 1);
  kernel.hash(tweaks.tree(tree, level, 1), nodes, parents, nodes + parents * blockBytes);
  kernel.hash(tweaks.tree(tree, level, 0), nodes, parents, nodes);
}

/** start ⊕ all blocks. */
function xorAll(blocks: Uint8Array, start: Uint8Array): Uint8Array {
  const sum = start.slice();
  for (let i = 0; i < blocks.length; i++) sum[i & 15] ^= blocks[i];
  return sum;
}

function checkLength(message: Uint8Array, expected: number): void {
  if (message.length !== expected) {
    throw new ProtocolError('length', 'softSpoken', `expected ${expected} bytes, got ${message.length}`);
  }
}
