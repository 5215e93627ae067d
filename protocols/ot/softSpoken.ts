/**
 * SoftSpokenOT without consistency checks: Roy, "SoftSpokenOT: Quieter OT extension from small-field silent VOLE in the Minicrypt
 * model" (CRYPTO 2022), Figures 7 and 8 with the repetition code, k = 8. It turns 128 base OTs into the few correlated OTs that
 * Ferret starts from, at 15 bits each, where IKNP would take 128.
 *
 * Computes: blocks M = K ⊕ c·Δ. The sender, who chose Δ with least significant bit 1 in the base OTs, learns K; the receiver learns
 * random c and M. The least significant bit of K is 0, that of M is c.
 * Flights: one, receiver → sender: 16·7·32 bytes of tree corrections, then 15 bits per OT.
 * Roles are turned around in the base OTs: their receiver is the sender here.
 * Correlations consumed: 128 random OTs.
 */
import type { Channel } from '../channel/channel.ts';
import { blockBytes, type CotKernel } from '../kernels/cot.ts';

/** Bits of Δ per tree, k of the paper. */
const treeBits = 8;
const leaves = 2 ** treeBits;
const trees = 128 / treeBits;
const treeMessageBytes = (treeBits - 1) * 2 * blockBytes;
const tileBits = 2048;

export const baseOtCount = 128;
export const softSpokenBytes = (count: number) => trees * treeMessageBytes + (trees - 1) * Math.ceil(count / 8);

/** The base OTs' choices for a given Δ: the receiver must miss the side on which Δ's leaf lies. */
export function baseChoices(delta: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: baseOtCount }, (_, i) => 1 ^ ((delta[i >> 3]! >> (i & 7)) & 1));
}

/**
 * @param keys both keys of each base OT.
 * @param slack further blocks to allocate after the result.
 * @returns the address of `count` blocks M; the caller releases it.
 */
export function softSpokenReceive(kernel: CotKernel, channel: Channel, keys: readonly (readonly [Uint8Array, Uint8Array])[], count: number): number {
  const { arena } = kernel;
  const { tiles, rowBytes, nodes, rows, sums, scratch, release } = workspace(kernel, count);
  const messages = new Uint8Array(trees * treeMessageBytes);
  for (let tree = 0; tree < trees; tree++) {
    // Figure 7: the whole tree, and for every level the two sides' XORs under the base OTs' keys.
    for (let level = 1; level <= treeBits; level++) {
      const [key0, key1] = keys[tree * treeBits + level - 1]!;
      if (level === 1) {
        kernel.bytes(nodes, blockBytes).set(key0);
        kernel.bytes(nodes + blockBytes, blockBytes).set(key1);
        continue;
      }
      expand(kernel, nodes, tree, level);
      const half = (1 << (level - 1)) * blockBytes;
      const at = tree * treeMessageBytes + (level - 2) * 2 * blockBytes;
      messages.set(xorAll(kernel.bytes(nodes, half), key0), at);
      messages.set(xorAll(kernel.bytes(nodes + half, half), key1), at + blockBytes);
    }
    kernel.softSpokenFold(nodes, treeBits, -1, tiles, sums + tree * rowBytes, rows + tree * treeBits * rowBytes, tree, scratch);
  }
  channel.send(messages);
  // Figure 8 with the repetition code: every tree's u is corrected to the first one's.
  const first = kernel.bytes(sums, rowBytes);
  for (let tree = 1; tree < trees; tree++) {
    const own = kernel.bytes(sums + tree * rowBytes, Math.ceil(count / 8));
    channel.send(own.map((byte, i) => byte ^ first[i]!));
  }
  // Row 0 would carry a bit that nobody needs; it carries the choice instead.
  kernel.bytes(rows, rowBytes).set(first);
  const blocks = arena.allocate(8 * rowBytes * blockBytes);
  kernel.transpose(rows, rowBytes, blocks);
  release();
  return blocks;
}

/**
 * @param keys of each base OT the key of `baseChoices(delta)`.
 * @returns the address of `count` blocks K; the caller releases it.
 */
export async function softSpokenSend(kernel: CotKernel, channel: Channel, keys: readonly Uint8Array[], delta: Uint8Array, count: number): Promise<number> {
  const { arena } = kernel;
  const usedBytes = Math.ceil(count / 8);
  const messages = await channel.receive(trees * treeMessageBytes);
  const corrections = await channel.receive((trees - 1) * usedBytes);
  const { tiles, rowBytes, nodes, rows, sums, scratch, release } = workspace(kernel, count);
  for (let tree = 0; tree < trees; tree++) {
    const path = delta[tree]!;
    let hole = path & 1;
    for (let level = 1; level <= treeBits; level++) {
      const key = keys[tree * treeBits + level - 1]!;
      if (level === 1) {
        kernel.bytes(nodes, 2 * blockBytes).fill(0);
        kernel.bytes(nodes + (1 - hole) * blockBytes, blockBytes).set(key);
        continue;
      }
      // All nodes but the hole's children are right; the side that the base OT opened gives the hole's sibling.
      expand(kernel, nodes, tree, level);
      const parents = 1 << (level - 1);
      const side = 1 ^ ((path >> (level - 1)) & 1);
      const at = tree * treeMessageBytes + ((level - 2) * 2 + side) * blockBytes;
      kernel.bytes(nodes + hole * blockBytes, blockBytes).fill(0);
      kernel.bytes(nodes + (hole + parents) * blockBytes, blockBytes).fill(0);
      const sum = xorAll(kernel.bytes(nodes + side * parents * blockBytes, parents * blockBytes), key);
      const sibling = sum.map((byte, i) => byte ^ messages[at + i]!);
      kernel.bytes(nodes + (hole + side * parents) * blockBytes, blockBytes).set(sibling);
      hole += (1 - side) * parents;
    }
    const u = sums;
    const v = rows + tree * treeBits * rowBytes;
    kernel.softSpokenFold(nodes, treeBits, path, tiles, u, v, tree, scratch);
    // w_t = v_t ⊕ Δ_t·u, then K's row t = w_t ⊕ Δ_t·correction.
    const fix = kernel.bytes(u, rowBytes);
    if (tree > 0) for (let i = 0; i < usedBytes; i++) fix[i]! ^= corrections[(tree - 1) * usedBytes + i]!;
    for (let t = 0; t < treeBits; t++) {
      const factor = -((path >> t) & 1);
      const row = kernel.bytes(v + t * rowBytes, rowBytes);
      for (let i = 0; i < rowBytes; i++) row[i]! ^= fix[i]! & factor;
    }
  }
  kernel.bytes(rows, rowBytes).fill(0);
  const blocks = arena.allocate(8 * rowBytes * blockBytes);
  kernel.transpose(rows, rowBytes, blocks);
  release();
  return blocks;
}

function workspace(kernel: CotKernel, count: number) {
  const { arena } = kernel;
  const tiles = Math.ceil(count / tileBits);
  const rowBytes = (tiles * tileBits) / 8;
  const nodes = arena.allocate(leaves * blockBytes);
  const rows = arena.allocate(128 * rowBytes);
  const sums = arena.allocate(trees * rowBytes);
  const scratch = arena.allocate(leaves * 256);
  return {
    tiles, rowBytes, nodes, rows, sums, scratch,
    release() {
      for (const address of [nodes, rows, sums, scratch]) {
        // Trees and rows give Δ or the choices away.
        arena.release(address);
      }
    },
  };
}

/** Both children of every node by the hash, left half and right half: level `level` from the one above. */
function expand(kernel: CotKernel, nodes: number, tree: number, level: number): void {
  const parents = 1 << (level - 1);
  kernel.hash('base tree', nodes, parents, nodes + parents * blockBytes, tree, 2 * level + 1);
  kernel.hash('base tree', nodes, parents, nodes, tree, 2 * level);
}

/** start ⊕ all blocks. */
function xorAll(blocks: Uint8Array, start: Uint8Array): Uint8Array {
  const sum = start.slice();
  for (let i = 0; i < blocks.length; i++) sum[i & 15]! ^= blocks[i]!;
  return sum;
}
