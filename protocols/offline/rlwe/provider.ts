/**
 * Correlations from ring-LWE: Huang et al., "Cheetah" (USENIX Security 2022), figure 5, with packed answers (Lu et al., "BumbleBee", NDSS
 * 2025). What stands where, for each kind: blocks.ts and rows.ts.
 *
 * The client learns its share of every result, the owner its own; both shares are uniform. The client sees the owner's weights and masks only
 * under a fresh encryption of zero, the owner sees the client's operands only encrypted. The sum of the shares is the
 * result up to ±1 unit, except with probability 2^−40 per inference (rlwe/noise.ts). Of `ole` the shares are cut, see carry.ts.
 *
 * Once per pairing: client → owner, a seed and keys. For each stage, two flights: client → owner, ciphertexts (b only; a comes from the
 * seed; nothing where the operand is drawn, rlwe/drawn.ts); owner → client, for each correlation a seed and answers (a' only). `rlweCost` gives the exact bytes.
 */
import type { Channel } from '../../channel/channel.ts';
import { ProtocolError } from '../../channel/errors.ts';
import { allocateWords, nttKernel, type Residues } from '../../kernels/ntt.ts';
import { answerBytes, makeAnswer, openAnswer, ShareSums } from '../../rlwe/answer.ts';
import { drawPlaintext } from '../../rlwe/drawn.ts';
import { AutomorphismKey, automorphismKeyLength, encodeMessage, PublicKey, SecretKey } from '../../rlwe/keys.ts';
import { packLeaves } from '../../rlwe/packLwes.ts';
import type { Parameters } from '../../rlwe/parameters.ts';
import { Ring } from '../../rlwe/ring.ts';
import { type RandomWords, SampleStream } from '../../rlwe/sampling.ts';
import { encodeSlots } from '../../rlwe/slots.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import { type CircleNumbers, circleNumbers } from '../../sharing/circle.ts';
import { Prg, seedBytes } from '../../sharing/prg.ts';
import {
  type ClientRequestOf,
  keyText,
  type LinearSpec,
  type OwnerRequestOf,
  type ProductShare,
  type ProgressListener,
  type RlweSpec,
} from '../correlations.ts';
import { rlweKind } from '../kinds.ts';
import { keysFor, rlweLayout } from './costs.ts';
import type { LayoutOf, OwnerInput, WeightSource } from './kind.ts';
import { uploadBytes } from './layout.ts';
import { LeafEvaluator, type SharedStreams } from './leaves.ts';

export type RlweClientRequest = ClientRequestOf<RlweSpec>;
export type RlweOwnerRequest = OwnerRequestOf<RlweSpec>;

export interface RlweOptions {
  /** Checked between chunks: an abort ends the stage with a ProtocolError `cancelled`. */
  readonly signal?: AbortSignal;
}

/** The streams that both sides draw from. */
function sharedStreams(seed: Uint8Array): SharedStreams {
  const stream = (label: string) => new SampleStream(new Prg(seed, label).bytes(seedBytes));
  return { halves: stream('rlwe/uniform'), ciphertexts: stream('rlwe/drawn') };
}

/**
 * The client's role. Call `setup` once with every spec that will be asked for, then `provide` for each stage, with the same specs in the
 * same order as the owner.
 */
export class RlweClient {
  readonly #keys = new Map<Parameters, SecretKey>();
  readonly #random: RandomWords;
  #shared: SharedStreams | undefined;
  /** What was drawn and not asked for yet, in order. */
  #drawn: LinearSpec[] = [];

  /** @param random the client's own randomness: keys, errors. */
  constructor(
    private readonly channel: Channel,
    random: RandomWords,
    private readonly options: RlweOptions = {},
  ) {
    this.#random = new SampleStream(random.bytes(seedBytes));
  }

  /** Makes keys and sends what the owner needs of them. */
  async setup(specs: readonly RlweSpec[]): Promise<void> {
    this.destroy();
    const seed = this.#random.bytes(seedBytes);
    this.#shared = sharedStreams(seed);
    this.channel.send(seed);
    for (const { parameters, exponents } of keysFor(specs)) {
      const key = new SecretKey(Ring.of(parameters), this.#random);
      this.#keys.set(parameters, key);
      this.channel.send(key.publicKey(this.#shared.halves, this.#random));
      for (const exponent of exponents) {
        await pause(this.options);
        this.channel.send(key.automorphismKey(exponent, this.#shared.halves, this.#random));
      }
    }
    await this.channel.flush();
  }

  /** See `DrawingProvider`. @throws RangeError for a spec that is not drawn; Error before `setup`. */
  async draw(specs: readonly LinearSpec[]): Promise<CircleNumbers[]> {
    const drawn: CircleNumbers[] = [];
    for (const spec of specs) {
      const layout = rlweLayout(spec);
      if (!layout.drawn) throw new RangeError(`${keyText(spec.key)}: not to be drawn`);
      const key = this.#keyOf(layout.parameters);
      const x = circleNumbers(spec.tokens * spec.inputs);
      for (let upload = 0; upload < layout.uploads; upload++) {
        if (layout.isDrawn!(upload))
          layout.decode!(drawPlaintext(key, this.#shared!.ciphertexts, this.#random, layout.ringBits), upload, x);
        if (upload % 16 === 15) await pause(this.options);
      }
      this.#drawn.push(spec);
      drawn.push(x);
    }
    return drawn;
  }

  /** One stage: `send`, then `receive`. */
  async provide(
    requests: readonly RlweClientRequest[],
    progress: ProgressListener = () => {},
  ): Promise<ProductShare[]> {
    await this.send(requests);
    return this.receive(requests, progress);
  }

  /**
   * The stage's first flight: encrypts every request's operands (figure 5, step 1).
   * @throws TypeError, RangeError when an operand does not fit its spec; Error before `setup`.
   */
  async send(requests: readonly RlweClientRequest[]): Promise<void> {
    for (const request of requests) rlweKind(request.spec).checkClient(request);
    for (const request of requests) {
      const layout = rlweLayout(request.spec);
      const key = this.#keyOf(layout.parameters);
      if (layout.drawn) {
        const next = this.#drawn.shift();
        if (next === undefined || JSON.stringify(next) !== JSON.stringify(request.spec))
          throw new RangeError(`${keyText(request.spec.key)}: asked for without being drawn next`);
      }
      for (let upload = 0; upload < layout.uploads; upload++) {
        if (!layout.isDrawn?.(upload)) this.channel.send(this.#encrypt(request, layout, key, upload));
        if (upload % 16 === 15) await pause(this.options);
      }
      await this.channel.flush();
      await pause(this.options);
    }
  }

  /** The stage's second flight: decrypts the answers (step 4). @throws ProtocolError */
  async receive(
    requests: readonly RlweClientRequest[],
    progress: ProgressListener = () => {},
  ): Promise<ProductShare[]> {
    const total = totalWork(requests);
    const results: ProductShare[] = [];
    for (const { spec } of requests) {
      const layout = rlweLayout(spec);
      const key = this.#keyOf(layout.parameters);
      const sums = new ShareSums(layout.results, layout.bits, layout.ringBits);
      try {
        const drawn = new SampleStream(await this.channel.receive(seedBytes));
        const length = answerBytes(layout.parameters.degree, layout.bits);
        for (const { places } of layout.answers) {
          openAnswer(key, await this.channel.receive(length), places, sums, drawn);
          if (this.options.signal?.aborted) throw cancelled();
        }
        results.push({ share: layout.prime === undefined ? sums.round() : sums.cut(layout.prime, 0) });
      } finally {
        sums.release();
      }
      progress(spec.key, layout.work / total);
    }
    return results;
  }

  /** Overwrites the keys; `setup` may be called again. */
  destroy(): void {
    for (const key of this.#keys.values()) key.destroy();
    this.#keys.clear();
    this.#shared = undefined;
    this.#drawn = [];
  }

  #keyOf(parameters: Parameters): SecretKey {
    const key = this.#keys.get(parameters);
    if (key === undefined)
      throw new Error(`RlweClient: setup did not include a spec with the parameters ${parameters.name}`);
    return key;
  }

  #encrypt(request: RlweClientRequest, layout: LayoutOf, key: SecretKey, upload: number): Uint8Array {
    const { ring } = key;
    const { arena } = nttKernel();
    const plaintext = new Uint32Array(ring.n);
    layout.encode(request, upload, plaintext);
    return arena.scope((scope) => {
      const source = allocateWords(ring.n, scope);
      arena.words(source, ring.n).set(plaintext);
      const message = scope.adopt(ring.allocate());
      if (layout.prime === undefined) encodeMessage(ring, source, layout.ringBits, message);
      else encodeSlots(ring, source as Residues, layout.prime, message);
      const bytes = key.encrypt(message, this.#shared!.halves, this.#random);
      arena.words(source, ring.n).fill(0);
      ring.clear(message);
      return bytes;
    });
  }
}

/** The owner's role; see `RlweClient`. */
export class RlweOwner {
  readonly #publicKeys = new Map<Parameters, PublicKey>();
  readonly #automorphismKeys = new Map<Parameters, Map<number, AutomorphismKey>>();
  readonly #random: RandomWords;
  #shared: SharedStreams | undefined;

  /** @param random the owner's own randomness: encryptions of zero, seeds of what is drawn with answers. */
  constructor(
    private readonly channel: Channel,
    random: RandomWords,
    private readonly weights: WeightSource,
    private readonly options: RlweOptions = {},
  ) {
    this.#random = new SampleStream(random.bytes(seedBytes));
  }

  /** Receives the client's keys. @throws ProtocolError */
  async setup(specs: readonly RlweSpec[]): Promise<void> {
    this.destroy();
    this.#shared = sharedStreams(await this.channel.receive(seedBytes));
    for (const { parameters, exponents } of keysFor(specs)) {
      const ring = Ring.of(parameters);
      const each = packedPolynomialBytes(parameters);
      this.#publicKeys.set(parameters, new PublicKey(ring, await this.channel.receive(each), this.#shared.halves));
      const keys = new Map<number, AutomorphismKey>();
      this.#automorphismKeys.set(parameters, keys);
      for (const exponent of exponents) {
        const bytes = await this.channel.receive(each * automorphismKeyLength(ring));
        keys.set(exponent, new AutomorphismKey(ring, exponent, bytes, this.#shared.halves));
      }
    }
  }

  /** One stage: `receive`, then `send`. */
  async provide(requests: readonly RlweOwnerRequest[], progress: ProgressListener = () => {}): Promise<ProductShare[]> {
    return this.send(requests, await this.receive(requests), progress);
  }

  /**
   * The stage's first flight: every request's ciphertexts, as bytes.
   * @throws ProtocolError; TypeError, RangeError when an operand does not fit its spec.
   */
  async receive(requests: readonly RlweOwnerRequest[]): Promise<Uint8Array[]> {
    for (const request of requests) rlweKind(request.spec).ownerInput(request, this.weights, this.#random);
    const uploads: Uint8Array[] = [];
    for (const { spec } of requests) {
      const layout = rlweLayout(spec);
      const length = uploadBytes(layout);
      uploads.push(length > 0 ? await this.channel.receive(length) : new Uint8Array(0));
      if (this.options.signal?.aborted) throw cancelled();
    }
    return uploads;
  }

  /** The stage's second flight: evaluates and answers (figure 5, steps 2 and 3). @param uploads what `receive` returned. */
  async send(
    requests: readonly RlweOwnerRequest[],
    uploads: readonly Uint8Array[],
    progress: ProgressListener = () => {},
  ): Promise<ProductShare[]> {
    const total = totalWork(requests);
    const results: ProductShare[] = [];
    for (const [index, request] of requests.entries()) {
      const layout = rlweLayout(request.spec);
      results.push(await this.#evaluate(request, layout, uploads[index]));
      progress(request.spec.key, layout.work / total);
    }
    return results;
  }

  /** Gives the keys' memory back; `setup` may be called again. */
  destroy(): void {
    for (const key of this.#publicKeys.values()) key.release();
    for (const keys of this.#automorphismKeys.values()) for (const key of keys.values()) key.release();
    this.#publicKeys.clear();
    this.#automorphismKeys.clear();
    this.#shared = undefined;
  }

  async #evaluate(request: RlweOwnerRequest, layout: LayoutOf, bytes: Uint8Array): Promise<ProductShare> {
    const { parameters, levels, stride } = layout;
    const ring = Ring.of(parameters);
    const publicKey = this.#publicKeys.get(parameters);
    if (publicKey === undefined)
      throw new Error(`RlweOwner: setup did not include a spec with the parameters ${parameters.name}`);
    const keys = this.#automorphismKeys.get(parameters)!;
    const input: OwnerInput<RlweSpec> = rlweKind(request.spec).ownerInput(request, this.weights, this.#random);
    const evaluator = new LeafEvaluator(ring, layout, bytes, this.#shared!);
    const sums = new ShareSums(layout.results, layout.bits, layout.ringBits);
    try {
      const seed = this.#random.bytes(seedBytes);
      const drawn = new SampleStream(seed);
      this.channel.send(seed);
      for (const [answer, { leaves, places }] of layout.answers.entries()) {
        const leaf = (index: number) => (index < leaves ? evaluator.leaf(input, answer, index) : undefined);
        const packed = packLeaves(ring, stride, levels, leaf, keys);
        this.channel.send(makeAnswer(ring, packed, places, sums, publicKey, this.#random, drawn));
        ring.release(packed);
        await this.channel.flush();
        await pause(this.options);
      }
      return { share: layout.prime === undefined ? sums.round() : sums.cut(layout.prime, 1 / 4) };
    } finally {
      sums.release();
      evaluator.release();
    }
  }
}

const totalWork = (requests: readonly { spec: RlweSpec }[]): number =>
  requests.reduce((sum, { spec }) => sum + rlweLayout(spec).work, 0) || 1;

const cancelled = () => new ProtocolError('cancelled', 'rlwe', 'cancelled');

/** Lets other events run (an abort, a message), without a timer: hidden tabs throttle those. */
async function pause({ signal }: RlweOptions): Promise<void> {
  await new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
  if (signal?.aborted) throw cancelled();
}
