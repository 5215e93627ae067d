/**
 * From a pixel to its score, for every pixel of a small picture: score = w₂·GELU(w₁·pixel + b₁), a network of one neuron.
 * Both sides run in this thread, and what they run is what two tabs run: prepared by the two of them alone (offline/twoParty.ts),
 * executed by the operations of protocols/layers, over a channel in memory. Nothing is computed a second time for display: shares are read
 * off both sides' states, messages off the wire, and what the owner can open off its correlations.
 */
import { FramedChannel } from '../../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../../protocols/channel/memory.ts';
import { stagesOf } from '../../../protocols/inference/costs.ts';
import { clientRounds, ownerRounds } from '../../../protocols/inference/execute.ts';
import { type OfflinePhase, twoParty } from '../../../protocols/inference/offline.ts';
import { prepareClient, prepareOwner } from '../../../protocols/inference/prepare.ts';
import { assignRings } from '../../../protocols/inference/rings.ts';
import { operationsOf, PlanBuilder } from '../../../protocols/layers/builder.ts';
import { input } from '../../../protocols/layers/input.ts';
import { linear } from '../../../protocols/layers/linear.ts';
import {
  type ClientState,
  correlationKey,
  type Op,
  type OwnerState,
  type OwnerWeights,
  type Value,
} from '../../../protocols/layers/op.ts';
import { protocolOf } from '../../../protocols/layers/operations.ts';
import { reveal } from '../../../protocols/layers/reveal.ts';
import { type Rounds, runRounds } from '../../../protocols/layers/rounds.ts';
import { spline } from '../../../protocols/layers/spline.ts';
import { truncate } from '../../../protocols/layers/truncate.ts';
import type {
  CorrelationKey,
  DrawingProvider,
  OtReceiverShare,
  OtSpec,
  OwnerCorrelation,
  OwnerProvider,
  ProductShare,
} from '../../../protocols/offline/correlations.ts';
import { maskOf, packedBytes, unpack } from '../../../protocols/sharing/packing.ts';
import { Prg } from '../../../protocols/sharing/prg.ts';
import {
  boxes,
  columns,
  count,
  firstFracBits,
  fracBits,
  type Shares,
  secondFracBits,
  type Transfer,
  tensors,
  type WalkRun,
  type WalkStep,
  walkSteps,
} from './walkRun.ts';

const ownerWeights: OwnerWeights = { tensor: (name) => new Uint32Array(tensors[name as keyof typeof tensors]) };

/** The network, as inference/vit.ts builds one; |first layer| < 1, |score| < 4 for pixels from 0 to 255. */
export function walkPlan() {
  const plan = new PlanBuilder();
  const at = <T>(step: WalkStep, build: () => T): T => {
    plan.step = step;
    return build();
  };
  const given = at('split', () => input(plan, count, 1));
  const multiplied = at('multiply', () => linear(plan, given.output, 'first', 1, firstFracBits));
  const shortened = at('shorten', () => truncate(plan, multiplied, 0, fracBits));
  const lookedUp = at('lookUp', () =>
    spline(plan, shortened, 'gelu', {
      ...{ minimum: -4, rangeBits: 3, digitBits: Math.log2(boxes), degree: columns - 1 },
      ...{ coefficientFracBits: 12, basisFracBits: 10, out: { fracBits, magnitudeBits: 0 } },
    }),
  );
  const score = at('again', () => truncate(plan, linear(plan, lookedUp, 'second', 1, secondFracBits), 2, fracBits));
  const end = at('reveal', () => reveal(plan, score, 2));
  const { sequence } = plan;
  assignRings(sequence);
  const operations = [...operationsOf(sequence)];
  const values: Readonly<Record<WalkStep, Value>> = {
    ...{ split: given.output, multiply: multiplied, shorten: shortened, lookUp: lookedUp, again: score, reveal: score },
  };
  return { sequence, operations, stages: stagesOf(operations), input: given, reveal: end, values };
}

interface Sent {
  readonly from: 'client' | 'owner';
  readonly step: string;
  readonly bytes: Uint8Array;
}

/** A party's rounds, unchanged; what they send is noted. */
function* noting<T>(rounds: Rounds<T>, from: Sent['from'], sent: Sent[]): Rounds<T> {
  let next = rounds.next();
  while (!next.done) {
    const request = next.value;
    if ('send' in request) sent.push({ from, step: request.step, bytes: request.send });
    next = rounds.next(yield request);
  }
  return next.value;
}

const bytesOf = (sent: readonly Sent[], step: WalkStep, from: Sent['from']): number =>
  sent.filter((each) => each.step === step && each.from === from).reduce((sum, { bytes }) => sum + bytes.length, 0);

const nameOf = ({ op, part }: CorrelationKey): string => `${op} ${part}`;

/** A provider that also lets what it gives be looked at. */
function looking(provider: OwnerProvider, given: Map<string, OwnerCorrelation>): OwnerProvider {
  return {
    source: provider.source,
    async provide(requests, progress) {
      const correlations = await provider.provide(requests, progress);
      for (const [i, { spec }] of requests.entries()) given.set(nameOf(spec.key), correlations[i]);
      return correlations;
    },
    destroy: () => provider.destroy(),
  };
}

const reduced = (words: Uint32Array, bits: number) => words.map((word) => word & maskOf(bits));

const sharesOf = (value: Value, client: ClientState, owner: OwnerState): Shares => ({
  ringBits: value.ringBits,
  fracBits: value.fracBits,
  client: reduced(client.share(value), value.ringBits),
  owner: reduced(owner.share(value), value.ringBits),
});

/** The oblivious transfer that an operation begins with: the owner's choices first, then all that the client sealed. */
function transfer(op: Op, sent: readonly Sent[], given: ReadonlyMap<string, OwnerCorrelation>): Transfer {
  const { key, choiceBits, words, ringBits } = protocolOf(op)
    .correlations(op)
    .find(({ kind }) => kind === 'ot') as OtSpec;
  const ot = given.get(nameOf(key)) as OtReceiverShare;
  const message = (from: Sent['from']) => sent.find((each) => each.from === from && each.step === op.step)!.bytes;
  const options = 2 ** choiceBits;
  const hidden = unpack(message('owner').subarray(0, packedBytes(count, choiceBits)), count, choiceBits);
  const entries = count * options * words;
  const sealed = unpack(message('client').subarray(0, packedBytes(entries, ringBits)), entries, ringBits);
  const choices = hidden.map((word, i) => word ^ ot.choices[i]);
  const opened = ot.messages.map((mask, at) => {
    const [i, word] = [Math.floor(at / words), at % words];
    return (sealed[(i * options + choices[i]) * words + word] - mask) & maskOf(ringBits);
  });
  return { ringBits, hidden, choices, sealed, opened };
}

export class Walk {
  private constructor(
    private readonly plan: ReturnType<typeof walkPlan>,
    private readonly channels: { readonly client: FramedChannel; readonly owner: FramedChannel },
    private readonly random: { readonly client: Prg; readonly owner: Prg },
    private readonly client: DrawingProvider,
    private readonly owner: OwnerProvider,
    private readonly given: Map<string, OwnerCorrelation>,
  ) {}

  /** Sets up both sides, as a pairing does. @param seed 32 bytes, of which each side's randomness is made. */
  static async open(
    offline: OfflinePhase = twoParty,
    seed: Uint8Array = crypto.getRandomValues(new Uint8Array(32)),
  ): Promise<Walk> {
    const plan = walkPlan();
    const [clientWire, ownerWire] = memoryWirePair();
    const channels = { client: new FramedChannel(clientWire), owner: new FramedChannel(ownerWire) };
    const random = { client: new Prg(seed, 'client'), owner: new Prg(seed, 'owner') };
    const [client, owner] = await Promise.all([
      offline.client(channels.client, plan, random.client, {}),
      offline.owner(channels.owner, plan, ownerWeights, random.owner, {}),
    ]);
    const given = new Map<string, OwnerCorrelation>();
    return new Walk(plan, channels, random, client, looking(owner, given), given);
  }

  /**
   * Prepares one inference and runs it; one at a time.
   * @param pixels 64 values from 0 to 255, row by row.
   * @throws RangeError when there are more or fewer, or one is outside.
   */
  async run(pixels: Int32Array): Promise<WalkRun> {
    if (pixels.length !== count) throw new RangeError(`pixels: expected ${count}, got ${pixels.length}`);
    for (const pixel of pixels)
      if (!(pixel >= 0 && pixel <= 255)) throw new RangeError(`pixel: expected 0 to 255, got ${pixel}`);
    const { plan, channels, random, given } = this;
    const { bytesSent, bytesReceived } = channels.client.counters;
    const [client, owner] = await Promise.all([
      prepareClient(plan, this.client, random.client, () => {}),
      prepareOwner(plan, ownerWeights, this.owner, random.owner, () => {}),
    ]);
    const preparation = {
      clientToOwner: channels.client.counters.bytesSent - bytesSent,
      ownerToClient: channels.client.counters.bytesReceived - bytesReceived,
    };
    const sent: Sent[] = [];
    const [learned] = await Promise.all([
      runRounds(noting(clientRounds(plan, client, pixels), 'client', sent), channels.client),
      runRounds(noting(ownerRounds(plan, owner), 'owner', sent), channels.owner),
    ]);
    const first = (kind: string): Op => plan.operations.find((op) => op.kind === kind)!;
    const byStep = <T>(of: (step: WalkStep) => T) =>
      Object.fromEntries(walkSteps.map((step) => [step, of(step)])) as Record<WalkStep, T>;
    return {
      pixels,
      shares: byStep((step) => sharesOf(plan.values[step], client, owner)),
      masks: reduced(
        (given.get(nameOf(correlationKey(first('linear')))) as ProductShare).share,
        plan.values.multiply.ringBits,
      ),
      correction: transfer(first('truncate'), sent, given),
      lookUp: transfer(first('spline'), sent, given),
      scores: Float64Array.from(learned, (score) => score / 2 ** fracBits),
      traffic: byStep((step) => ({
        clientToOwner: bytesOf(sent, step, 'client'),
        ownerToClient: bytesOf(sent, step, 'owner'),
      })),
      preparation,
    };
  }

  async close(): Promise<void> {
    this.client.destroy();
    this.owner.destroy();
    await Promise.all([this.channels.client.close(), this.channels.owner.close()]);
  }
}
