/**
 * Correlated OTs between client and owner, from nothing: base OTs, SoftSpokenOT, a first round of Ferret with its small parameters,
 * then as many rounds with the large ones as are asked for. A second SoftSpokenOT, whose base OTs come from the first, gives the
 * few COTs in the other direction.
 *
 * Computes: a stream of COTs, M = K ⊕ c·Δ, for which the client is the sender (Δ, K) and the owner the receiver (random c, M); and
 * one, with a Δ of its own, for which the owner is the sender.
 * Flights: setup: owner → client and back, twice; then the trees travel with what the client sends anyway.
 * Bytes: `setupCost`, `drawCost`, `reverseCost` (cotCosts.ts).
 *
 * **Consistency checks** (`checks`; parityCheck.ts), against a party that does not follow the protocol. None takes a flight of its own.
 * - SoftSpokenOT, here and in the other direction: the receiver's proof follows its corrections, and the sender reads it before
 *   it sends anything that depends on Δ.
 * - Ferret: of every draw, and with the first of the set-up's round. The owner sends the parities' choices along with what
 *   it sends next, the client the digest along with its answer. A draw's masks are the last COTs of the draw before.
 */
import type { Channel } from '../channel/channel.ts';
import { blockBytes, CotKernel } from '../kernels/cot.ts';
import type { Tweak } from '../kernels/tweaks.ts';
import type { Prg } from '../sharing/prg.ts';
import { baseOtReceive, baseOtSend } from './baseOt.ts';
import {
  bootstrapTrees,
  type CotParameters,
  codeSeedBytes,
  cotParameters,
  roundBytes,
  softSpokenLayout,
} from './cotCosts.ts';
import {
  type CheckedPiece,
  type Checks,
  CotParty,
  type CotPiece,
  checksOf,
  inconsistent,
  tweakSources,
} from './cotParty.ts';
import { FerretReceiver, FerretSender, treeMessageBytes } from './ferret.ts';
import { isSame, ParityCheck, parityCount, parityProofBytes } from './parityCheck.ts';
import {
  baseChoices,
  baseOtCount,
  extensionParities,
  SoftSpokenReceiver,
  SoftSpokenSender,
  softSpokenBytes,
  softSpokenSetupBytes,
} from './softSpoken.ts';

/** The client's side. */
export class CotClient extends CotParty {
  private constructor(
    kernel: CotKernel,
    tweaks: ReturnType<typeof tweakSources>,
    private readonly ferret: FerretSender,
    private readonly small: SoftSpokenReceiver,
    /** Address of Δ. */
    readonly delta: number,
    checks: Checks | undefined,
  ) {
    super(kernel, ferret.leaves, tweaks, checks);
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
    const { count, reverseBase, masks, drawMasks } = softSpokenLayout(parameters);
    kernel.setCode(await channel.receive(codeSeedBytes));
    const tweaks = tweakSources();
    const setup = await channel.receive(softSpokenSetupBytes);
    const softSpoken = new SoftSpokenSender(kernel, delta, keys, setup, tweaks.forward);
    const corrections = await channel.receive(softSpokenBytes(count));
    const blocks = softSpoken.extend(count, corrections);
    if (parameters.checks) {
      const parities = extensionParities(kernel, setup, corrections, blocks, masks);
      if (!parities.isProvedBy(await channel.receive(parityProofBytes), delta))
        throw inconsistent('softSpoken', 'the corrections of the base transfers');
    }
    const flips = await channel.receive(baseOtCount / 8);

    // The first round of Ferret.
    const deltaAt = kernel.put(delta);
    const trees = bootstrapTrees(parameters);
    const base = blocks + reverseBase * blockBytes;
    const reverseKeys = reverseBaseKeys(kernel, tweaks.forward.reverseBase(baseOtCount), base, flips, deltaAt);
    const small = new SoftSpokenReceiver(kernel, reverseKeys, tweaks.reverse);
    const draws = parameters.checks ? new ParityCheck(kernel, 'ferret') : undefined;
    const firstMasks = blocks + drawMasks * blockBytes;
    const checks = draws && checksOf(kernel, draws, firstMasks, small.setupMessage);
    const bootstrap = new FerretSender(kernel, parameters.bootstrap, blocks, false, tweaks.forward, deltaAt, draws);
    const current = kernel.arena.allocate(roundBytes(parameters));
    channel.send(bootstrap.extend(trees, current));
    bootstrap.release();
    channel.send(small.setupMessage);
    await channel.flush();
    const ferret = new FerretSender(kernel, parameters.main, current, true, tweaks.forward, deltaAt, draws);
    return new CotClient(kernel, tweaks, ferret, small, deltaAt, checks);
  }

  /**
   * The next `count` COTs (keys K), and the message by which the owner draws the same. With checks also `prove`, which makes of
   * the owner's choices the digest that it waits for.
   */
  draw(count: number): { piece: CotPiece; message: Uint8Array; prove?: (choices: Uint8Array) => Uint8Array } {
    const { piece, result, parities } = this.fill(count, (trees, output) => this.ferret.extend(trees, output));
    if (!parities) return { piece, message: result };
    const delta = this.kernel.bytes(this.delta, blockBytes).slice();
    return { piece, message: result, prove: (choices) => parities.digestFor(choices, delta) };
  }

  /** `count` COTs with the owner as sender (keys M), and the message by which the owner gets the same. */
  drawReverse(count: number): { piece: CotPiece; message: Uint8Array } {
    const { blocks, message } = this.small.extend(count);
    this.checks?.reverse.add(message, blocks, count);
    return { piece: { address: blocks, count }, message };
  }

  /** With checks, before the draws in the other direction that one proof is to cover. @returns the message for the owner. */
  openReverse(): Uint8Array {
    const { blocks, message } = this.small.extend(parityCount);
    this.beginReverse(message, blocks);
    return message;
  }

  /** After them. @returns the proof. */
  closeReverse(): Uint8Array {
    return this.endReverse().proof();
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
    checks: Checks | undefined,
  ) {
    super(kernel, ferret.leaves, tweaks, checks);
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
    const { count, reverseBase, masks, drawMasks } = softSpokenLayout(parameters);
    const { blocks, message } = softSpoken.extend(count);
    const delta = random.bytes(blockBytes);
    delta[0] |= 1;
    const base = blocks + reverseBase * blockBytes;
    const { flips, keys: reverseKeys } = chooseReverseBase(
      kernel,
      tweaks.forward.reverseBase(baseOtCount),
      base,
      baseChoices(delta),
    );
    for (const bytes of [code, softSpoken.setupMessage, message]) channel.send(bytes);
    if (parameters.checks)
      channel.send(extensionParities(kernel, softSpoken.setupMessage, message, blocks, masks).proof());
    channel.send(flips);

    const trees = bootstrapTrees(parameters);
    const bootstrapMessage = await channel.receive(trees * treeMessageBytes(parameters.bootstrap));
    const setup = await channel.receive(softSpokenSetupBytes);
    const small = new SoftSpokenSender(kernel, delta, reverseKeys, setup, tweaks.reverse);
    const draws = parameters.checks ? new ParityCheck(kernel, 'ferret') : undefined;
    const checks = draws && checksOf(kernel, draws, blocks + drawMasks * blockBytes, setup);
    const bootstrap = new FerretReceiver(kernel, parameters.bootstrap, blocks, false, tweaks.forward, draws);
    const current = kernel.arena.allocate(roundBytes(parameters));
    bootstrap.extend(trees, bootstrapMessage, current);
    bootstrap.release();
    const ferret = new FerretReceiver(kernel, parameters.main, current, true, tweaks.forward, draws);
    return new CotOwner(kernel, tweaks, ferret, small, kernel.put(delta), checks);
  }

  /** Bytes of the message that `draw(count)` takes. */
  messageBytes(count: number): number {
    return this.ferret.messageTrees(this.treesFor(count)) * treeMessageBytes(this.ferret.parameters);
  }

  /** The next `count` COTs (keys M). @throws ProtocolError `length` when the message is not `messageBytes(count)` long. */
  draw(count: number, message: Uint8Array): CheckedPiece {
    const { piece, parities } = this.fill(count, (trees, output) => this.ferret.extend(trees, message, output));
    if (!parities) return piece;
    const expected = parities.digest();
    const verify = (digest: Uint8Array) => {
      if (!isSame(digest, expected)) throw inconsistent('ferret', 'the trees of the transfers');
    };
    return { ...piece, check: { choices: parities.choices(), verify } };
  }

  /** `count` COTs with the owner as sender (keys K). @throws ProtocolError `length`. */
  drawReverse(count: number, message: Uint8Array): CotPiece {
    const address = this.small.extend(count, message);
    this.checks?.reverse.add(message, address, count);
    return { address, count };
  }

  /** With the message of the client's `openReverse`. @throws ProtocolError `length`. */
  openReverse(message: Uint8Array): void {
    this.beginReverse(message, this.small.extend(parityCount, message));
  }

  /** Before anything leaves that depends on keys drawn since. @throws ProtocolError `value` when the proof does not fit. */
  closeReverse(proof: Uint8Array): void {
    const parities = this.endReverse();
    if (!parities.isProvedBy(proof, this.kernel.bytes(this.reverseDelta, blockBytes)))
      throw inconsistent('softSpoken', 'the corrections of the transfers in the other direction');
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
