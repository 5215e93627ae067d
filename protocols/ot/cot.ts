/**
 * Correlated OTs between client and owner, from nothing: base OTs, SoftSpokenOT, a first round of Ferret with its small parameters,
 * then as many rounds with the large ones as are asked for.
 *
 * Computes: a stream of COTs, M = K ⊕ c·Δ. The client is the sender (Δ, K), the owner the receiver (random c, M).
 * Flights: setup: owner → client, client → owner, owner → client; then the client sends the trees with what it sends anyway.
 * Bytes: `setupCost`, `drawCost`.
 */
import type { Channel } from '../channel/channel.ts';
import { blockBytes, CotKernel } from '../kernels/cot.ts';
import type { Prg } from '../sharing/prg.ts';
import { baseOtCost, baseOtReceive, baseOtSend } from './baseOt.ts';
import { type FerretParameters, ferretBootstrap, ferretMain, FerretReceiver, FerretSender, refillTrees, roundNeeds, treeMessageBytes, treesInAll } from './ferret.ts';
import { baseChoices, baseOtCount, softSpokenBytes, softSpokenReceive, softSpokenSend } from './softSpoken.ts';

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
/** Bytes of a buffer that holds what a round needs, whichever parameters filled it. */
const roundBytes = (parameters: CotParameters) =>
  blockBytes *
  Math.max(
    bootstrapTrees(parameters) * 2 ** parameters.bootstrap.treeDepth,
    refillTrees(parameters.main) * 2 ** parameters.main.treeDepth,
  );
const softSpokenCount = (parameters: CotParameters) => roundNeeds(parameters.bootstrap, bootstrapTrees(parameters));

/** Bytes and flights of the set-up. */
export function setupCost(parameters = cotParameters) {
  const base = baseOtCost(baseOtCount);
  return {
    bytesOwnerToClient: base.bytesToReceiver + codeSeedBytes + softSpokenBytes(softSpokenCount(parameters)),
    bytesClientToOwner: base.bytesToSender + bootstrapTrees(parameters) * treeMessageBytes(parameters.bootstrap),
    flights: 4,
  };
}

/** Bytes from client to owner by which the stream grows from `from` to `to` COTs drawn in all. */
export function drawCost(from: number, to: number, { main } = cotParameters): number {
  const bytes = (cots: number) => treesInAll(main, Math.ceil(cots / 2 ** main.treeDepth)) * treeMessageBytes(main);
  return bytes(to) - bytes(from);
}

/** A piece of the stream: `count` blocks at `address`, with three more that may be read. Released after use. */
export interface CotPiece {
  readonly address: number;
  readonly count: number;
}

/** Whole trees in, any number of COTs out: what is left of the last tree waits for the next draw. */
class Leftover {
  #address: number;
  count = 0;

  constructor(
    private readonly kernel: CotKernel,
    private readonly leaves: number,
  ) {
    this.#address = kernel.arena.allocate(leaves * blockBytes);
  }

  /** Trees needed beside what is left. */
  trees(count: number): number {
    return Math.max(0, Math.ceil((count - this.count) / this.leaves));
  }

  /** @param fill writes `trees` trees of blocks at an address. */
  draw<T>(count: number, fill: (trees: number, output: number) => T): { piece: CotPiece; result: T } {
    const { kernel, leaves } = this;
    const trees = this.trees(count);
    const held = this.count;
    const address = kernel.arena.allocate((held + trees * leaves) * blockBytes + slackBytes);
    const result = fill(trees, address + held * blockBytes);
    kernel.bytes(address, held * blockBytes).set(kernel.bytes(this.#address, held * blockBytes));
    this.count = held + trees * leaves - count;
    kernel.bytes(this.#address, this.count * blockBytes).set(kernel.bytes(address + count * blockBytes, this.count * blockBytes));
    return { piece: { address, count }, result };
  }
}

export class CotSender {
  readonly #leftover: Leftover;
  /** COTs drawn so far. */
  drawn = 0;

  private constructor(
    readonly kernel: CotKernel,
    private readonly ferret: FerretSender,
    /** Address of Δ. */
    readonly delta: number,
  ) {
    this.#leftover = new Leftover(kernel, ferret.leaves);
  }

  /** The client's side of the set-up. */
  static async setup(channel: Channel, random: Prg, parameters = cotParameters, kernel = new CotKernel()): Promise<CotSender> {
    const delta = random.bytes(blockBytes);
    delta[0]! |= 1;
    const keys = await baseOtReceive(channel, random, baseChoices(delta));
    kernel.setCode(await channel.receive(codeSeedBytes));
    const deltaAt = kernel.put(delta);
    const trees = bootstrapTrees(parameters);
    const small = await softSpokenSend(kernel, channel, keys, delta, softSpokenCount(parameters));
    const bootstrap = new FerretSender(kernel, parameters.bootstrap, small, false, 0, deltaAt);
    const current = kernel.arena.allocate(roundBytes(parameters));
    channel.send(bootstrap.extend(trees, current));
    await channel.flush();
    bootstrap.release();
    return new CotSender(kernel, new FerretSender(kernel, parameters.main, current, true, 1, deltaAt), deltaAt);
  }

  /** The next `count` COTs, and the message by which the receiver draws the same. */
  draw(count: number): { piece: CotPiece; message: Uint8Array } {
    const { piece, result } = this.#leftover.draw(count, (trees, output) => this.ferret.extend(trees, output));
    this.drawn += count;
    return { piece, message: result };
  }
}

export class CotReceiver {
  readonly #leftover: Leftover;
  drawn = 0;

  private constructor(
    readonly kernel: CotKernel,
    private readonly ferret: FerretReceiver,
  ) {
    this.#leftover = new Leftover(kernel, ferret.leaves);
  }

  /** The owner's side of the set-up. */
  static async setup(channel: Channel, random: Prg, parameters = cotParameters, kernel = new CotKernel()): Promise<CotReceiver> {
    const code = random.bytes(codeSeedBytes);
    kernel.setCode(code);
    const keys = await baseOtSend(channel, random, baseOtCount);
    channel.send(code);
    const trees = bootstrapTrees(parameters);
    const small = softSpokenReceive(kernel, channel, keys, softSpokenCount(parameters));
    const message = await channel.receive(trees * treeMessageBytes(parameters.bootstrap));
    const bootstrap = new FerretReceiver(kernel, parameters.bootstrap, small, false, 0);
    const current = kernel.arena.allocate(roundBytes(parameters));
    bootstrap.extend(trees, message, current);
    bootstrap.release();
    return new CotReceiver(kernel, new FerretReceiver(kernel, parameters.main, current, true, 1));
  }

  /** Bytes of the message that `draw(count)` takes. */
  messageBytes(count: number): number {
    return this.ferret.messageTrees(this.#leftover.trees(count)) * treeMessageBytes(this.ferret.parameters);
  }

  /** @throws ProtocolError `length` when the message is not `messageBytes(count)` long. */
  draw(count: number, message: Uint8Array): CotPiece {
    const { piece } = this.#leftover.draw(count, (trees, output) => this.ferret.extend(trees, message, output));
    this.drawn += count;
    return piece;
  }
}
