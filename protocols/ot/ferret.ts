/**
 * Ferret: correlated OTs at under half a bit each. Yang, Weng, Lan, Zhang and Wang, "Ferret: Fast extension for correlated OT
 * with small communication" (CCS 2020), Figures 7 and 9 with regular noise; its consistency check, where asked for, is
 * parityCheck.ts. Its single-point COTs are correlated GGM trees (Guo et al., "Half-Tree", EUROCRYPT 2023, Figure 3), whose hole
 * is the complement of random choice bits, so that nothing travels from receiver to sender.
 *
 * Computes: blocks M = K ⊕ c·Δ. The sender knows Δ (least significant bit 1) and learns K (least significant bit 0); the receiver
 * learns random c and M (least significant bit c).
 * Flights: none of its own; `extend` gives a message for the receiver, (treeDepth − 1)·16 bytes for each 2^treeDepth COTs.
 * Correlations consumed: 2^logSecret + trees·treeDepth COTs per round, which the first trees of the round before leave behind.
 *
 * **Parameters.** 2^logSecret is LPN's secret, trees·2^treeDepth its samples, with one error in each run of 2^treeDepth. The
 * sets are those of emp-ot 1.0.0-alpha.1 (July 2026; tuning.h, ferret_b12 and ferret_b10), which its authors chose for 128 bits
 * against "the published regular-LPN attacks (Gauss / SD-ISD / BJMM / hybrid / esser / agb2) per the lpnestimator": among them the algebraic attacks on regular noise (Briaud and Øygarden, EUROCRYPT 2023; "AGB 2.0", ePrint
 * 2025/1476) and regular information-set decoding (Esser and Santini, CRYPTO 2024). The sets of Ferret's paper predate these.
 * By the cost model of lpnestimator.com BJMM-ISD binds: 136.6 and 128.6 bits, computed again by `npm run estimates`
 * (docs/estimates.md has every attack; its authors' comment calls the hybrid attack binding, which that model puts 9 bits higher).
 * Of a bootstrap round only the first trees are computed: an attacker sees fewer samples of the same instance.
 * Every round has a fresh secret and fresh errors, and its own part of one public random code.
 */
import { ProtocolError } from '../channel/errors.ts';
import { blockBytes, type CotKernel, type GgmTree } from '../kernels/cot.ts';
import type { Tweak, TweakSource } from '../kernels/tweaks.ts';
import type { ParityCheck } from './parityCheck.ts';

export interface FerretParameters {
  /** log2 of the length of LPN's secret. */
  readonly logSecret: number;
  /** log2 of the leaves of a tree; at least 5. */
  readonly treeDepth: number;
  /** Trees of a round, the weight of LPN's error. */
  readonly trees: number;
}

/** A round of 6,225,920 samples. */
export const ferretMain: FerretParameters = Object.freeze({ logSecret: 18, treeDepth: 12, trees: 1520 });
/** A round of 870,400 samples, of which as many as `ferretMain` needs to start with are computed. */
export const ferretBootstrap: FerretParameters = Object.freeze({ logSecret: 16, treeDepth: 10, trees: 850 });

/** COTs that a round of `trees` trees (all of them unless stated) consumes. */
export const roundNeeds = (p: FerretParameters, trees = p.trees) => 2 ** p.logSecret + trees * p.treeDepth;

/** Trees of each round that are kept for the next. */
export const refillTrees = (p: FerretParameters) => Math.ceil(roundNeeds(p) / 2 ** p.treeDepth);

/** Trees in all (those kept included) until `trees` have been given out since the first round began. */
export function treesInAll(p: FerretParameters, trees: number): number {
  const perRound = p.trees - refillTrees(p);
  return trees + Math.ceil(trees / perRound) * refillTrees(p);
}

export const treeMessageBytes = (p: FerretParameters) => (p.treeDepth - 1) * blockBytes;

/** What both roles share: which tree of which round comes next, and where its COTs lie. */
abstract class Ferret {
  /** LPN's secret, then treeDepth COTs for every tree. */
  #current: number;
  #next: number | undefined;
  #tree = 0;
  /** Of the round's trees. */
  #tweaks: Tweak;
  readonly leaves: number;

  /**
   * @param current address of `roundNeeds` COTs, owned by this object from now on.
   * @param refills whether rounds follow; without, `trees` trees are all there are.
   * @param source of the tweaks that tell rounds apart.
   * @param check takes every tree's message and leaves, where consistency is checked.
   */
  constructor(
    protected readonly kernel: CotKernel,
    readonly parameters: FerretParameters,
    current: number,
    private readonly refills: boolean,
    private readonly source: TweakSource,
    private readonly check?: ParityCheck,
  ) {
    this.#current = current;
    this.#tweaks = source.round(parameters.trees);
    this.leaves = 2 ** parameters.treeDepth;
  }

  /** Trees that `extend(trees)` takes messages for: those kept for the next round included. */
  messageTrees(trees: number): number {
    const { trees: perRound } = this.parameters;
    const refill = this.refills ? refillTrees(this.parameters) : 0;
    let tree = this.#tree;
    let messages = 0;
    for (let left = trees; left > 0; ) {
      if (tree === perRound) tree = 0;
      if (tree === 0) {
        tree = refill;
        messages += refill;
      }
      const some = Math.min(left, perRound - tree);
      tree += some;
      messages += some;
      left -= some;
    }
    return messages;
  }

  /** Puts `trees` · 2^treeDepth COTs at `output`, tree by tree; the trees' messages lie one after the other at `message`. */
  protected run(trees: number, output: number, message: number, perTree: (tree: GgmTree, tweak: Tweak) => void): void {
    const { parameters, kernel, leaves } = this;
    const { treeDepth: depth, logSecret } = parameters;
    const bytesPerTree = leaves * blockBytes;
    const messageBytes = treeMessageBytes(parameters);
    let at = message;
    const one = (nodes: number) => {
      const bases = this.#current + (2 ** logSecret + this.#tree * depth) * blockBytes;
      const tweak = this.#tweaks.part(this.#tree, 1);
      perTree({ nodes, depth, bases, message: at }, tweak);
      this.check?.add(kernel.bytes(at, messageBytes), nodes, leaves);
      kernel.lpnEncode(tweak, nodes, leaves, this.#current, logSecret);
      at += messageBytes;
      this.#tree++;
    };
    for (let done = 0; done < trees; done++) {
      if (this.#tree === parameters.trees) this.#turn();
      if (this.#tree === 0 && this.refills) {
        const next = this.#next!;
        for (let tree = 0; tree < refillTrees(parameters); tree++) one(next + tree * bytesPerTree);
      }
      one(output + done * bytesPerTree);
    }
  }

  /** Room for the next round's COTs, before a run (an allocation may detach views). */
  protected prepare(): void {
    if (this.refills)
      this.#next ??= this.kernel.arena.allocate(refillTrees(this.parameters) * this.leaves * blockBytes);
  }

  #turn(): void {
    if (!this.refills) throw new RangeError(`ferret: expected at most ${this.parameters.trees} trees`);
    const used = this.#current;
    this.#current = this.#next!;
    this.#next = used;
    this.#tree = 0;
    this.#tweaks = this.source.round(this.parameters.trees);
  }

  release(): void {
    this.kernel.arena.release(this.#current);
    if (this.#next !== undefined) this.kernel.arena.release(this.#next);
  }
}

export class FerretSender extends Ferret {
  /** @param delta address of Δ. */
  constructor(
    kernel: CotKernel,
    parameters: FerretParameters,
    current: number,
    refills: boolean,
    source: TweakSource,
    private readonly delta: number,
    check?: ParityCheck,
  ) {
    super(kernel, parameters, current, refills, source, check);
  }

  /** Writes `trees` · 2^treeDepth blocks K at `output`. @returns the message for the receiver. */
  extend(trees: number, output: number): Uint8Array {
    const { kernel, parameters } = this;
    this.prepare();
    const length = this.messageTrees(trees) * treeMessageBytes(parameters);
    const message = kernel.arena.allocate(length);
    this.run(trees, output, message, (tree, tweak) => kernel.ggmSend(tweak, tree, this.delta));
    const bytes = kernel.bytes(message, length).slice();
    kernel.arena.release(message);
    return bytes;
  }
}

export class FerretReceiver extends Ferret {
  /**
   * Writes `trees` · 2^treeDepth blocks M at `output`.
   * @throws ProtocolError `length` when the sender's message is not as long as `messageTrees(trees)` asks.
   */
  extend(trees: number, message: Uint8Array, output: number): void {
    const { kernel, parameters } = this;
    this.prepare();
    const expected = this.messageTrees(trees) * treeMessageBytes(parameters);
    if (message.length !== expected)
      throw new ProtocolError('length', 'ferret', `expected ${expected} bytes, got ${message.length}`);
    const address = kernel.put(message);
    this.run(trees, output, address, (tree, tweak) => {
      const keys = kernel.words(tree.bases, 4 * tree.depth);
      let choices = 0;
      for (let level = 0; level < tree.depth; level++) choices |= (keys[4 * level] & 1) << level;
      kernel.ggmReceive(tweak, tree, choices);
    });
    kernel.arena.release(address);
  }
}
