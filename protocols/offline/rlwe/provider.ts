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
import { answerBytes, openAnswer, ShareSums } from '../../rlwe/answer.ts';
import { drawPlaintext } from '../../rlwe/drawn.ts';
import { encodeMessage, SecretKey } from '../../rlwe/keys.ts';
import type { Parameters } from '../../rlwe/parameters.ts';
import { Ring } from '../../rlwe/ring.ts';
import { type RandomWords, SampleStream } from '../../rlwe/sampling.ts';
import { encodeSlots } from '../../rlwe/slots.ts';
import { type CircleNumbers, circleNumbers } from '../../sharing/circle.ts';
import { seedBytes } from '../../sharing/prg.ts';
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
import { receiveKeys, streamsBehind } from './evaluationKeys.ts';
import type { LayoutOf, OwnerInput, WeightSource } from './kind.ts';
import { uploadBytes } from './layout.ts';
import { readUploads } from './leaves.ts';
import { AnswerPool, type Evaluation } from './pool.ts';
import { type SharedStreams, sharedStreams } from './sharedStreams.ts';
import { inTurn, pause as letRun } from './turns.ts';

export type RlweClientRequest = ClientRequestOf<RlweSpec>;
export type RlweOwnerRequest = OwnerRequestOf<RlweSpec>;

export interface RlweOptions {
  /** Checked between chunks: an abort ends the stage with a ProtocolError `cancelled`. */
  readonly signal?: AbortSignal;
  /** The owner's: what makes its answers; the thread that asks, where it is left out. Its own: it ends with the keys. */
  readonly pool?: AnswerPool;
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
  /** Names of those whose keys came. */
  readonly #parameters = new Set<string>();
  readonly #random: RandomWords;
  readonly #pool: AnswerPool;
  #shared: SharedStreams | undefined;

  /** @param random the owner's own randomness: encryptions of zero, seeds of what is drawn with answers. */
  constructor(
    private readonly channel: Channel,
    random: RandomWords,
    private readonly weights: WeightSource,
    private readonly options: RlweOptions = {},
  ) {
    this.#random = new SampleStream(random.bytes(seedBytes));
    this.#pool = options.pool ?? new AnswerPool();
  }

  /** Receives the client's keys. @throws ProtocolError */
  async setup(specs: readonly RlweSpec[]): Promise<void> {
    if (this.#shared) this.destroy();
    this.#pool.open();
    const keys = await receiveKeys(this.channel, specs);
    this.#shared = streamsBehind(keys);
    for (const { parameters } of keys.sets) this.#parameters.add(parameters);
    this.#pool.setKeys(keys);
  }

  /**
   * One stage, as `receive` and then `send`. But a request is evaluated as soon as its ciphertexts are there, while the client encrypts the
   * next one's; answers leave when all ciphertexts have arrived, which is when the client reads them.
   */
  async provide(requests: readonly RlweOwnerRequest[], progress: ProgressListener = () => {}): Promise<ProductShare[]> {
    this.#check(requests);
    const uploads = inTurn(requests, (request) => this.#upload(request));
    return this.#answer(requests, uploads, progress);
  }

  /**
   * The stage's first flight: every request's ciphertexts, as bytes.
   * @throws ProtocolError; TypeError, RangeError when an operand does not fit its spec.
   */
  async receive(requests: readonly RlweOwnerRequest[]): Promise<Uint8Array[]> {
    this.#check(requests);
    const uploads: Uint8Array[] = [];
    for (const request of requests) uploads.push(await this.#upload(request));
    return uploads;
  }

  /** The stage's second flight: evaluates and answers (figure 5, steps 2 and 3). @param uploads what `receive` returned. */
  async send(
    requests: readonly RlweOwnerRequest[],
    uploads: readonly Uint8Array[],
    progress: ProgressListener = () => {},
  ): Promise<ProductShare[]> {
    const arrived = uploads.map((each) => Promise.resolve(each));
    return this.#answer(requests, arrived, progress);
  }

  /** Ends the pool, which has the keys; `setup` may be called again. */
  destroy(): void {
    this.#pool.close();
    this.#parameters.clear();
    this.#shared = undefined;
  }

  #check(requests: readonly RlweOwnerRequest[]): void {
    for (const request of requests) rlweKind(request.spec).ownerInput(request, this.weights);
  }

  async #upload({ spec }: RlweOwnerRequest): Promise<Uint8Array> {
    const length = uploadBytes(rlweLayout(spec));
    const bytes = length > 0 ? await this.channel.receive(length) : new Uint8Array(0);
    if (this.options.signal?.aborted) throw cancelled();
    return bytes;
  }

  /** @param uploads of each request; taken out as they are used. */
  async #answer(
    requests: readonly RlweOwnerRequest[],
    uploads: Promise<Uint8Array>[],
    progress: ProgressListener,
  ): Promise<ProductShare[]> {
    const total = totalWork(requests);
    const allUploads = uploads.at(-1)?.then(() => {});
    const evaluations = inTurn(requests, async (request) => this.#evaluate(request, await uploads.shift()!, total));
    const shares = inTurn(requests, async ({ spec }, i) => {
      const share = await (await evaluations[i]).share;
      progress(spec.key, rlweLayout(spec).work / total);
      return { share };
    });
    const sent = inTurn(requests, async (_, i) => {
      await allUploads;
      const { seed, answers } = await evaluations[i];
      this.channel.send(seed);
      for (let next = answers.shift(); next !== undefined; next = answers.shift()) {
        this.channel.send(await next);
        await this.channel.flush();
        if (this.options.signal?.aborted) throw cancelled();
      }
    });
    try {
      return (await Promise.all([Promise.all(shares), Promise.all(sent)]))[0];
    } catch (error) {
      // A stage that failed ends the session; nothing of it may go on with keys that are about to be overwritten.
      this.#pool.close();
      throw error;
    }
  }

  /** Begins with a request, as soon as there is room in the pool. @returns also the seed of what both sides draw with its answers. */
  async #evaluate(
    request: RlweOwnerRequest,
    bytes: Uint8Array,
    stageMs: number,
  ): Promise<Evaluation & { seed: Uint8Array }> {
    const { spec } = request;
    const layout = rlweLayout(spec);
    const { name } = layout.parameters;
    if (!this.#parameters.has(name))
      throw new Error(`RlweOwner: setup did not include a spec with the parameters ${name}`);
    await this.#pool.room();
    const input: OwnerInput<RlweSpec> = rlweKind(spec).ownerInput(request, this.weights);
    const uploads = readUploads(layout, bytes, this.#shared!);
    const [seed, key] = [this.#random.bytes(seedBytes), this.#random.bytes(seedBytes)];
    const check = () => {
      if (this.options.signal?.aborted) throw cancelled();
    };
    return { seed, ...(await this.#pool.begin({ spec, input, uploads, seed, key }, stageMs, check)) };
  }
}

const totalWork = (requests: readonly { spec: RlweSpec }[]): number =>
  requests.reduce((sum, { spec }) => sum + rlweLayout(spec).work, 0) || 1;

const cancelled = () => new ProtocolError('cancelled', 'rlwe', 'cancelled');

/** Lets other events run, and ends when one was an abort. */
async function pause({ signal }: RlweOptions): Promise<void> {
  await letRun();
  if (signal?.aborted) throw cancelled();
}
