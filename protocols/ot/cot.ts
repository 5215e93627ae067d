/**
 * Correlated OTs between client and owner, from nothing: base OTs, SoftSpokenOT, a first round of Ferret with its small parameters,
 * then as many rounds with the large ones as are asked for. A second SoftSpokenOT, whose base OTs come from the first, gives the
 * few COTs in the other direction.
 *
 * Computes: a stream of COTs, M = K ⊕ c·Δ, for which the client is the sender (Δ, K) and the owner the receiver (random c, M); and
 * one, with a Δ of its own, for which the owner is the sender.
 * Flights: setup: owner → client and back, twice; then the trees travel with what the client sends anyway.
 * Bytes: `setupCost`, `drawCost`, `reverseCost`.
 */
import type { Channel } from '../channel/channel.ts';
import { blockBytes, CotKernel } from '../kernels/cot.ts';
import { type Direction, type Tweak, TweakSource } from '../kernels/tweaks.ts';
import type { Prg } from '../sharing/prg.ts';
import { baseOtCost, baseOtReceive, baseOtSend } from './baseOt.ts';
import {
  type FerretParameters,
  FerretReceiver,
  FerretSender,
  ferretBootstrap,
  ferretMain,
  refillTrees,
  roundNeeds,
  treeMessageBytes,
  treesInAll,
} from './ferret.ts';
import {
  baseChoices,
  baseOtCount,
  SoftSpokenReceiver,
  SoftSpokenSender,
  softSpokenBytes,
  softSpokenSetupBytes,
} from './softSpoken.ts';

/** The two parameter sets of a pairing; tests take small, insecure ones. */
export interface CotParameters {
  readonly bootstrap: FerretParameters;
  readonly main: FerretParameters;
}

export const cotParameters: CotParameters = Object.freeze({ bootstrap: ferretBootstrap, main: ferretMain });

const codeSeedBytes = 32;
/** The kernels read up to three blocks beyond the last. */
const slackBytes = 3 * blockBytes;

/** Trees of the small parameters that the first round of the large ones starts from. */
const bootstrapTrees = ({ bootstrap, main }: CotParameters) => Math.ceil(roundNeeds(main) / 2 ** bootstrap.treeDepth);
const bootstrapNeeds = (parameters: CotParameters) => roundNeeds(parameters.bootstrap, bootstrapTrees(parameters));
/** Bytes of a buffer that holds what a round needs, whichever parameters filled it. */
const roundBytes = (parameters: CotParameters) =>
  blockBytes *
  Math.max(
    bootstrapTrees(parameters) * 2 ** parameters.bootstrap.treeDepth,
    refillTrees(parameters.main) * 2 ** parameters.main.treeDepth,
  );
/** Those for Ferret, then the base OTs of the other direction. */
const softSpokenCount = (parameters: CotParameters) => bootstrapNeeds(parameters) + baseOtCount;

/** Bytes and flights of the set-up. */
export function setupCost(parameters = cotParameters) {
  const base = baseOtCost(baseOtCount);
  return {
    bytesOwnerToClient:
      base.bytesToReceiver +
      codeSeedBytes +
      softSpokenSetupBytes +
      softSpokenBytes(softSpokenCount(parameters)) +
      baseOtCount / 8,
    bytesClientToOwner:
      base.bytesToSender + bootstrapTrees(parameters) * treeMessageBytes(parameters.bootstrap) + softSpokenSetupBytes,
    flights: 4,
  };
}

/** Bytes from client to owner by which the stream grows from `from` to `to` COTs drawn in all. */
export function drawCost(from: number, to: number, { main } = cotParameters): number {
  const bytes = (cots: number) => treesInAll(main, Math.ceil(cots / 2 ** main.treeDepth)) * treeMessageBytes(main);
  return bytes(to) - bytes(from);
}

/** Bytes from client to owner for COTs with the owner as sender. */
export const reverseCost = softSpokenBytes;

/** A piece of the stream: `count` blocks at `address`, with three more that may be read. Released after use. */
export interface CotPiece {
  readonly address: number;
  readonly count: number;
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

/** What either side hands out, and how it ends. */
abstract class CotParty {
  protected readonly leftover: Leftover;
  protected drawnCots = 0;

  protected constructor(
    readonly kernel: CotKernel,
    leaves: number,
    /** Of COTs with the client as sender, and with the owner. */
    readonly tweaks: Readonly<Record<Direction, TweakSource>>,
  ) {
    this.leftover = new Leftover(kernel, leaves);
  }

  /** COTs drawn so far. */
  get drawn(): number {
    return this.drawnCots;
  }

  /** Overwrites all keys: nothing can be drawn any more. The kernel and its memory are this pairing's alone. */
  destroy(): void {
    this.kernel.destroy();
  }
}

const tweakSources = () => ({ forward: new TweakSource('forward'), reverse: new TweakSource('reverse') });

/** The client's side. */
export class CotClient extends CotParty {
  private constructor(
    kernel: CotKernel,
    tweaks: ReturnType<typeof tweakSources>,
    private readonly ferret: FerretSender,
    private readonly small: SoftSpokenReceiver,
    /** Address of Δ. */
    readonly delta: number,
  ) {
    super(kernel, ferret.leaves, tweaks);
  }

  static async setup(
    channel: Channel,
    random: Prg,
    parameters = cotParameters,
    kernel = new CotKernel(),
  ): Promise<CotClient> {
    try {
      return await CotClient.#setUp(channel, random, parameters, kernel);
    } catch (error) {
      kernel.destroy();
      throw error;
    }
  }

  static async #setUp(channel: Channel, random: Prg, parameters: CotParameters, kernel: CotKernel): Promise<CotClient> {
    // Base OTs: the client receives, with Δ as its choices.
    const delta = random.bytes(blockBytes);
    delta[0] |= 1;
    const keys = await baseOtReceive(channel, random, baseChoices(delta));

    // Of the owner: the public code, SoftSpokenOT, and its choices for the other direction's base OTs.
    const count = softSpokenCount(parameters);
    kernel.setCode(await channel.receive(codeSeedBytes));
    const tweaks = tweakSources();
    const setup = await channel.receive(softSpokenSetupBytes);
    const softSpoken = new SoftSpokenSender(kernel, delta, keys, setup, tweaks.forward);
    const blocks = softSpoken.extend(count, await channel.receive(softSpokenBytes(count)));
    const flips = await channel.receive(baseOtCount / 8);

    // The first round of Ferret.
    const deltaAt = kernel.put(delta);
    const trees = bootstrapTrees(parameters);
    const base = blocks + bootstrapNeeds(parameters) * blockBytes;
    const reverseKeys = reverseBaseKeys(kernel, tweaks.forward.reverseBase(baseOtCount), base, flips, deltaAt);
    const bootstrap = new FerretSender(kernel, parameters.bootstrap, blocks, false, tweaks.forward, deltaAt);
    const current = kernel.arena.allocate(roundBytes(parameters));
    channel.send(bootstrap.extend(trees, current));
    bootstrap.release();
    const small = new SoftSpokenReceiver(kernel, reverseKeys, tweaks.reverse);
    channel.send(small.setupMessage);
    await channel.flush();
    const ferret = new FerretSender(kernel, parameters.main, current, true, tweaks.forward, deltaAt);
    return new CotClient(kernel, tweaks, ferret, small, deltaAt);
  }

  /** The next `count` COTs (keys K), and the message by which the owner draws the same. */
  draw(count: number): { piece: CotPiece; message: Uint8Array } {
    const { piece, result } = this.leftover.draw(count, (trees, output) => this.ferret.extend(trees, output));
    this.drawnCots += count;
    return { piece, message: result };
  }

  /** `count` COTs with the owner as sender (keys M), and the message by which the owner gets the same. */
  drawReverse(count: number): { piece: CotPiece; message: Uint8Array } {
    const { blocks, message } = this.small.extend(count);
    return { piece: { address: blocks, count }, message };
  }
}

/** The owner's side. */
export class CotOwner extends CotParty {
  private constructor(
    kernel: CotKernel,
    tweaks: ReturnType<typeof tweakSources>,
    private readonly ferret: FerretReceiver,
    private readonly small: SoftSpokenSender,
    /** Address of the owner's Δ, of the COTs in the other direction. */
    readonly reverseDelta: number,
  ) {
    super(kernel, ferret.leaves, tweaks);
  }

  static async setup(
    channel: Channel,
    random: Prg,
    parameters = cotParameters,
    kernel = new CotKernel(),
  ): Promise<CotOwner> {
    try {
      return await CotOwner.#setUp(channel, random, parameters, kernel);
    } catch (error) {
      kernel.destroy();
      throw error;
    }
  }

  static async #setUp(channel: Channel, random: Prg, parameters: CotParameters, kernel: CotKernel): Promise<CotOwner> {
    const code = random.bytes(codeSeedBytes);
    kernel.setCode(code);
    const keys = await baseOtSend(channel, random, baseOtCount);

    const tweaks = tweakSources();
    const softSpoken = new SoftSpokenReceiver(kernel, keys, tweaks.forward);
    const { blocks, message } = softSpoken.extend(softSpokenCount(parameters));
    const delta = random.bytes(blockBytes);
    delta[0] |= 1;
    const base = blocks + bootstrapNeeds(parameters) * blockBytes;
    const { flips, keys: reverseKeys } = chooseReverseBase(
      kernel,
      tweaks.forward.reverseBase(baseOtCount),
      base,
      baseChoices(delta),
    );
    for (const bytes of [code, softSpoken.setupMessage, message, flips]) channel.send(bytes);

    const trees = bootstrapTrees(parameters);
    const bootstrapMessage = await channel.receive(trees * treeMessageBytes(parameters.bootstrap));
    const setup = await channel.receive(softSpokenSetupBytes);
    const small = new SoftSpokenSender(kernel, delta, reverseKeys, setup, tweaks.reverse);
    const bootstrap = new FerretReceiver(kernel, parameters.bootstrap, blocks, false, tweaks.forward);
    const current = kernel.arena.allocate(roundBytes(parameters));
    bootstrap.extend(trees, bootstrapMessage, current);
    bootstrap.release();
    const ferret = new FerretReceiver(kernel, parameters.main, current, true, tweaks.forward);
    return new CotOwner(kernel, tweaks, ferret, small, kernel.put(delta));
  }

  /** Bytes of the message that `draw(count)` takes. */
  messageBytes(count: number): number {
    return this.ferret.messageTrees(this.leftover.trees(count)) * treeMessageBytes(this.ferret.parameters);
  }

  /** The next `count` COTs (keys M). @throws ProtocolError `length` when the message is not `messageBytes(count)` long. */
  draw(count: number, message: Uint8Array): CotPiece {
    const { piece } = this.leftover.draw(count, (trees, output) => this.ferret.extend(trees, message, output));
    this.drawnCots += count;
    return piece;
  }

  /** `count` COTs with the owner as sender (keys K). @throws ProtocolError `length`. */
  drawReverse(count: number, message: Uint8Array): CotPiece {
    return { address: this.small.extend(count, message), count };
  }
}

/** The client's 128 pairs of keys out of as many COTs; a flipped choice swaps the pair. */
function reverseBaseKeys(
  kernel: CotKernel,
  tweak: Tweak,
  cots: number,
  flips: Uint8Array,
  delta: number,
): [Uint8Array, Uint8Array][] {
  return kernel.arena.scope((scope) => {
    const zeros = scope.allocate(baseOtCount * blockBytes);
    const ones = scope.allocate(baseOtCount * blockBytes);
    kernel.hash(tweak, cots, baseOtCount, zeros);
    kernel.hash(tweak, cots, baseOtCount, ones, delta);
    const pairs = Array.from({ length: baseOtCount }, (_, i): [Uint8Array, Uint8Array] => {
      const pair = [zeros, ones].map((address) => kernel.bytes(address + i * blockBytes, blockBytes).slice());
      const flip = (flips[i >> 3] >> (i & 7)) & 1;
      return [pair[flip], pair[1 - flip]];
    });
    return pairs;
  });
}

/** The owner's 128 keys, and by which flips they are those of `choices`. */
function chooseReverseBase(kernel: CotKernel, tweak: Tweak, cots: number, choices: Uint8Array) {
  return kernel.arena.scope((scope) => {
    const hashed = scope.allocate(baseOtCount * blockBytes);
    kernel.hash(tweak, cots, baseOtCount, hashed);
    const flips = new Uint8Array(baseOtCount / 8);
    const keys = Array.from(choices, (choice, i) => {
      const random = kernel.bytes(cots + i * blockBytes, 1)[0] & 1;
      flips[i >> 3] |= (random ^ choice) << (i & 7);
      return kernel.bytes(hashed + i * blockBytes, blockBytes).slice();
    });
    return { flips, keys };
  });
}
