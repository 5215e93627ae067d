/** What both parties of the stream of correlated OTs (cot.ts) have: what is left of the last tree, checks, tweaks, and the end. */
import { ProtocolError } from '../channel/errors.ts';
import { blockBytes, type CotKernel } from '../kernels/cot.ts';
import { type Direction, TweakSource } from '../kernels/tweaks.ts';
import { cotsOfDraw } from './cotCosts.ts';
import { type Parities, ParityCheck, parityCount } from './parityCheck.ts';

/** The kernels read up to three blocks beyond the last. */
export const slackBytes = 3 * blockBytes;

/** A piece of the stream: `count` blocks at `address`, with three more that may be read. Released after use. */
export interface CotPiece {
  readonly address: number;
  readonly count: number;
}

/** With checks: choices for the client, and what it answers, in time before a COT of the piece shows in anything that is revealed. */
export interface CheckedPiece extends CotPiece {
  readonly check?: {
    readonly choices: Uint8Array;
    /** @throws ProtocolError `value` when the client's trees were not consistent. */
    verify(digest: Uint8Array): void;
  };
}

/** Whole trees in, any number of COTs out: what is left of the last tree waits for the next draw. */
class Leftover {
  readonly #address: number;
  #count = 0;

  constructor(
    private readonly kernel: CotKernel,
    private readonly leaves: number,
  ) {
    this.#address = kernel.arena.allocate(leaves * blockBytes);
  }

  /** Trees needed beside what is left. */
  trees(count: number): number {
    return Math.max(0, Math.ceil((count - this.#count) / this.leaves));
  }

  /** @param fill writes `trees` trees of blocks at an address. */
  draw<T>(count: number, fill: (trees: number, output: number) => T): { piece: CotPiece; result: T } {
    const { kernel, leaves } = this;
    const trees = this.trees(count);
    const held = this.#count;
    const address = kernel.arena.allocate((held + trees * leaves) * blockBytes + slackBytes);
    const result = fill(trees, address + held * blockBytes);
    kernel.bytes(address, held * blockBytes).set(kernel.bytes(this.#address, held * blockBytes));
    this.#count = held + trees * leaves - count;
    kernel
      .bytes(this.#address, this.#count * blockBytes)
      .set(kernel.bytes(address + count * blockBytes, this.#count * blockBytes));
    return { piece: { address, count }, result };
  }
}

/** Checks of what is drawn, either side's. */
export interface Checks {
  /** Of Ferret's trees. */
  readonly draws: ParityCheck;
  /** Address of the COTs that mask the next draw's. */
  readonly drawMasks: number;
  /** Of SoftSpokenOT in the other direction. */
  readonly reverse: ParityCheck;
}

/** What either side hands out, and how it ends. */
export abstract class CotParty {
  readonly #leftover: Leftover;
  #drawn = 0;
  #reverseMasks: number | undefined;

  protected constructor(
    readonly kernel: CotKernel,
    leaves: number,
    /** Of COTs with the client as sender, and with the owner. */
    readonly tweaks: Readonly<Record<Direction, TweakSource>>,
    protected readonly checks: Checks | undefined,
  ) {
    this.#leftover = new Leftover(kernel, leaves);
  }

  /** COTs drawn so far, the checks' included. */
  get drawn(): number {
    return this.#drawn;
  }

  /** Trees that a draw of `count` COTs needs. */
  protected treesFor(count: number): number {
    return this.#leftover.trees(cotsOfDraw(count, this.checks !== undefined));
  }

  /** As Leftover.draw; where draws are checked, with the parities of what was filled. */
  protected fill<T>(count: number, fill: (trees: number, output: number) => T) {
    const { kernel, checks } = this;
    const all = cotsOfDraw(count, checks !== undefined);
    const { piece, result } = this.#leftover.draw(all, fill);
    this.#drawn += all;
    if (!checks) return { piece, result };
    const parities = checks.draws.finish(checks.drawMasks);
    const maskBytes = parityCount * blockBytes;
    kernel.bytes(checks.drawMasks, maskBytes).set(kernel.bytes(piece.address + count * blockBytes, maskBytes));
    return { piece: { address: piece.address, count }, result, parities };
  }

  /** Begins a check of COTs in the other direction. @param masks of its parities; released at the end. */
  protected beginReverse(message: Uint8Array, masks: number): void {
    this.checks!.reverse.absorb(message);
    this.#reverseMasks = masks;
  }

  protected endReverse(): Parities {
    const parities = this.checks!.reverse.finish(this.#reverseMasks!);
    this.kernel.arena.release(this.#reverseMasks!);
    this.#reverseMasks = undefined;
    return parities;
  }

  /** Overwrites all keys: nothing can be drawn any more. The kernel and its memory are this pairing's alone. */
  destroy(): void {
    this.kernel.destroy();
  }
}

/** Puts the masks of the first draw's check where those of later ones will be. */
export function checksOf(kernel: CotKernel, draws: ParityCheck, firstMasks: number, reverseSetup: Uint8Array): Checks {
  const drawMasks = kernel.put(kernel.bytes(firstMasks, parityCount * blockBytes).slice());
  const reverse = new ParityCheck(kernel, 'softSpoken reverse');
  reverse.absorb(reverseSetup);
  return { draws, drawMasks, reverse };
}

export const inconsistent = (protocol: string, what: string) =>
  new ProtocolError('value', protocol, `${what} are not consistent: the other side does not follow the protocol`);

export const tweakSources = () => ({ forward: new TweakSource('forward'), reverse: new TweakSource('reverse') });
