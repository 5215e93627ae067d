/**
 * Correlations from ring-LWE: Huang et al., "Cheetah" (USENIX Security 2022), figure 5, with packed answers (Lu et al., "BumbleBee", NDSS
 * 2025). Computes `linear`, `matmul`, `sumOfSquares` and `scale`; see rlweLinear.ts and rlweRows.ts for what stands where.
 *
 * The client learns its share of every result, the owner its own; both shares are uniform. The client sees the owner's weights and masks only
 * under a fresh encryption of zero and a uniform mask, the owner sees the client's operands only encrypted. The sum of the shares is the
 * result up to ±1 unit, except with probability 2^−40 per inference (rlwe/noise.ts).
 *
 * Once per pairing: client → owner, a seed and keys. For each stage, two flights: client → owner, ciphertexts (b only; a comes from the
 * seed); owner → client, answers. `rlweCost` gives the exact bytes.
 */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { nttKernel } from '../kernels/ntt.ts';
import { answerBytes, makeAnswer, openAnswer, ShareSums } from '../rlwe/answer.ts';
import {
  AutomorphismKey,
  automorphismKeyLength,
  encodeMessage,
  halvings,
  PublicKey,
  readCiphertext,
  SecretKey,
} from '../rlwe/keys.ts';
import { packLeaves } from '../rlwe/packing.ts';
import type { Parameters } from '../rlwe/parameters.ts';
import { type Ciphertext, Ring } from '../rlwe/ring.ts';
import { type RandomWords, SampleStream } from '../rlwe/sampling.ts';
import { packedPolynomialBytes } from '../rlwe/wire.ts';
import { Prg, seedBytes } from '../sharing/prg.ts';
import {
  type ClientRequest,
  type CorrelationSpec,
  keyText,
  type LinearSpec,
  type MatmulSpec,
  type OwnerRequest,
  type ProductShare,
  type ProgressListener,
  type ScaleSpec,
  type SumOfSquaresSpec,
} from './correlations.ts';
import { type Cost, type Layout, layoutCost, layoutExponents, layoutMs } from './rlweLayout.ts';
import { linearLayout, matmulLayout } from './rlweLinear.ts';
import { scaleLayout, sumOfSquaresLayout } from './rlweRows.ts';

/** What ring-LWE provides. */
export type RlweSpec = LinearSpec | MatmulSpec | SumOfSquaresSpec | ScaleSpec;
export type RlweClientRequest =
  | Extract<ClientRequest, { spec: LinearSpec | MatmulSpec | ScaleSpec }>
  | { readonly spec: SumOfSquaresSpec; readonly x: Uint32Array };
export type RlweOwnerRequest =
  | Extract<OwnerRequest, { spec: LinearSpec | MatmulSpec | ScaleSpec }>
  | { readonly spec: SumOfSquaresSpec; readonly xMask: Uint32Array };

/** Whether ring-LWE provides this kind of correlation. */
export const isRlweSpec = (spec: CorrelationSpec): spec is RlweSpec =>
  spec.kind === 'linear' || spec.kind === 'matmul' || spec.kind === 'sumOfSquares' || spec.kind === 'scale';

/** The owner's integer weights, row-major (outputs, inputs), by name. */
export type WeightSource = (name: string) => ArrayLike<number>;

export interface RlweOptions {
  /** Checked between chunks: an abort ends the stage with a ProtocolError `cancelled`. */
  readonly signal?: AbortSignal;
}

const layouts = new Map<string, Layout<unknown, unknown>>();
const keptLayouts = 512;

/**
 * The arrangement of one correlation; derived once for each shape.
 * @throws RangeError when a size is out of range or no parameters keep the error within ±1.
 */
export function rlweLayout(spec: RlweSpec): Layout<unknown, unknown> {
  const shape = JSON.stringify({ ...spec, key: undefined, weights: '' });
  let layout = layouts.get(shape);
  if (layout === undefined) {
    checkSpec(spec);
    if (layouts.size >= keptLayouts) layouts.clear();
    layouts.set(shape, (layout = makeLayout(spec) as Layout<unknown, unknown>));
  }
  return layout;
}

function makeLayout(spec: RlweSpec) {
  switch (spec.kind) {
    case 'linear':
      return linearLayout(spec);
    case 'matmul':
      return matmulLayout(spec);
    case 'sumOfSquares':
      return sumOfSquaresLayout(spec);
    case 'scale':
      return scaleLayout(spec);
  }
}

function checkSpec(spec: RlweSpec): void {
  const check = (name: string, value: number, minimum: number, maximum: number) => {
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new RangeError(
        `${keyText(spec.key)}: ${name}: expected an integer from ${minimum} to ${maximum}, got ${value}`,
      );
    }
  };
  check('ringBits', spec.ringBits, 2, 32);
  const sizes: Record<string, number> =
    spec.kind === 'linear'
      ? { tokens: spec.tokens, inputs: spec.inputs, outputs: spec.outputs }
      : spec.kind === 'matmul'
        ? { batch: spec.batch, rows: spec.rows, inner: spec.inner, cols: spec.cols }
        : { rows: spec.rows, cols: spec.cols };
  for (const [name, value] of Object.entries(sizes)) check(name, value, 1, 65536);
  if (spec.kind === 'linear') check('weightBits', spec.weightBits, 1, 20);
}

/** Bytes and flights of one correlation; a stage's flights are shared by all in it. @throws RangeError like `rlweLayout`. */
export const rlweCost = (spec: RlweSpec): Cost => layoutCost(rlweLayout(spec) as Layout<never, never>);

/** How many numbers a correlation has, each of which may be off (rlwe/noise.ts). @throws RangeError like `rlweLayout`. */
export const rlweResults = (spec: RlweSpec): number => rlweLayout(spec).results;

/** Estimated milliseconds of each party's work. @throws RangeError like `rlweLayout`. */
export const rlweMs = (spec: RlweSpec): { client: number; owner: number } =>
  layoutMs(rlweLayout(spec) as Layout<never, never>);

/** Which keys the correlations take, in the order in which they are sent: by parameter set, exponents ascending. */
function keysFor(specs: readonly RlweSpec[]): { parameters: Parameters; exponents: number[] }[] {
  const byParameters = new Map<Parameters, Set<number>>();
  for (const spec of specs) {
    const layout = rlweLayout(spec);
    const exponents = byParameters.get(layout.parameters) ?? new Set();
    byParameters.set(layout.parameters, exponents);
    for (const exponent of layoutExponents(layout as Layout<never, never>)) exponents.add(exponent);
  }
  return [...byParameters]
    .sort(([a], [b]) => (a.name < b.name ? -1 : 1))
    .map(([parameters, exponents]) => ({ parameters, exponents: [...exponents].sort((a, b) => a - b) }));
}

/** Bytes of the keys, once per pairing: one flight. */
export function rlweSetupCost(specs: readonly RlweSpec[]): Cost {
  const bytesClientToOwner = keysFor(specs).reduce((sum, { parameters, exponents }) => {
    const ring = Ring.of(parameters);
    return sum + packedPolynomialBytes(parameters) * (1 + exponents.length * automorphismKeyLength(ring));
  }, seedBytes);
  return { bytesClientToOwner, bytesOwnerToClient: 0, flights: 1 };
}

/** The stream that both sides draw the uniform halves of ciphertexts from. */
const sharedStream = (seed: Uint8Array): RandomWords =>
  new SampleStream(new Prg(seed, 'rlwe/uniform').bytes(seedBytes));

/**
 * The client's role. Call `setup` once with every spec that will be asked for, then `provide` for each stage, with the same specs in the
 * same order as the owner.
 */
export class RlweClient {
  readonly #keys = new Map<Parameters, SecretKey>();
  readonly #random: RandomWords;
  #shared: RandomWords | undefined;

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
    this.#shared = sharedStream(seed);
    this.channel.send(seed);
    for (const { parameters, exponents } of keysFor(specs)) {
      const key = new SecretKey(Ring.of(parameters), this.#random);
      this.#keys.set(parameters, key);
      this.channel.send(key.publicKey(this.#shared, this.#random));
      for (const exponent of exponents) {
        await pause(this.options);
        this.channel.send(key.automorphismKey(exponent, this.#shared, this.#random));
      }
    }
    await this.channel.flush();
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
    for (const request of requests) checkOperands(request, 'client');
    for (const request of requests) {
      const layout = rlweLayout(request.spec);
      const key = this.#keyOf(layout.parameters);
      for (let upload = 0; upload < layout.uploads; upload++) {
        this.channel.send(this.#encrypt(request, layout, key, upload));
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
        for (const { places } of layout.answers) {
          const length = answerBytes(layout.parameters.degree, places.length / 2, layout.bits);
          openAnswer(key, await this.channel.receive(length), places, sums);
          if (this.options.signal?.aborted) throw cancelled();
        }
        results.push({ share: sums.round() });
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
  }

  #keyOf(parameters: Parameters): SecretKey {
    const key = this.#keys.get(parameters);
    if (key === undefined)
      throw new Error(`RlweClient: setup did not include a spec with the parameters ${parameters.name}`);
    return key;
  }

  #encrypt(request: RlweClientRequest, layout: Layout<unknown, unknown>, key: SecretKey, upload: number): Uint8Array {
    const { ring } = key;
    const { arena } = nttKernel();
    const plaintext = new Uint32Array(ring.n);
    layout.encode(request, upload, plaintext);
    const source = arena.allocate(4 * ring.n);
    arena.words(source, ring.n).set(plaintext);
    const message = ring.allocate();
    encodeMessage(ring, source, layout.ringBits, message);
    const bytes = key.encrypt(message, this.#shared!, this.#random);
    arena.words(source, ring.n).fill(0);
    ring.clear(message);
    arena.release(source);
    ring.release(message);
    return bytes;
  }
}

/** The owner's role; see `RlweClient`. */
export class RlweOwner {
  readonly #publicKeys = new Map<Parameters, PublicKey>();
  readonly #automorphismKeys = new Map<Parameters, Map<number, AutomorphismKey>>();
  readonly #random: RandomWords;
  #shared: RandomWords | undefined;

  /** @param random the owner's own randomness: encryptions of zero, masks. */
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
    this.#shared = sharedStream(await this.channel.receive(seedBytes));
    for (const { parameters, exponents } of keysFor(specs)) {
      const ring = Ring.of(parameters);
      const each = packedPolynomialBytes(parameters);
      this.#publicKeys.set(parameters, new PublicKey(ring, await this.channel.receive(each), this.#shared));
      const keys = new Map<number, AutomorphismKey>();
      this.#automorphismKeys.set(parameters, keys);
      for (const exponent of exponents) {
        const bytes = await this.channel.receive(each * automorphismKeyLength(ring));
        keys.set(exponent, new AutomorphismKey(ring, exponent, bytes, this.#shared));
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
    for (const request of requests) {
      checkOperands(request, 'owner');
      if (request.spec.kind === 'linear') checkWeights(request.spec, this.weights(request.spec.weights));
    }
    const uploads: Uint8Array[] = [];
    for (const { spec } of requests) {
      const layout = rlweLayout(spec);
      uploads.push(await this.channel.receive(layout.uploads * packedPolynomialBytes(layout.parameters)));
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
      results.push(await this.#evaluate(request, layout, uploads[index]!));
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

  async #evaluate(
    request: RlweOwnerRequest,
    layout: Layout<unknown, unknown>,
    bytes: Uint8Array,
  ): Promise<ProductShare> {
    const { parameters, levels, stride } = layout;
    const ring = Ring.of(parameters);
    const publicKey = this.#publicKeys.get(parameters);
    if (publicKey === undefined)
      throw new Error(`RlweOwner: setup did not include a spec with the parameters ${parameters.name}`);
    const keys = this.#automorphismKeys.get(parameters)!;
    const input = request.spec.kind === 'linear' ? { weights: this.weights(request.spec.weights) } : request;
    const evaluator = new LeafEvaluator(ring, layout, bytes, this.#shared!);
    const sums = new ShareSums(layout.results, layout.bits, layout.ringBits);
    try {
      for (const [answer, { leaves, places }] of layout.answers.entries()) {
        const leaf = (index: number) => (index < leaves ? evaluator.leaf(input, answer, index) : undefined);
        const packed = packLeaves(ring, stride, levels, leaf, keys);
        this.channel.send(makeAnswer(ring, packed, places, sums, publicKey, this.#random));
        ring.release(packed);
        await this.channel.flush();
        await pause(this.options);
      }
      return { share: sums.round() };
    } finally {
      sums.release();
      evaluator.release();
    }
  }
}

/** One request's ciphertexts in the owner's memory, and the products of them that leaves are. */
class LeafEvaluator {
  readonly #uploads: Ciphertext;
  readonly #bytesEach: number;
  /** The terms' coefficients, here and in the kernel's memory. */
  #words = new Int32Array(0);
  #sources: number | undefined;

  constructor(
    private readonly ring: Ring,
    private readonly layout: Layout<unknown, unknown>,
    bytes: Uint8Array,
    shared: RandomWords,
  ) {
    this.#bytesEach = 2 * ring.bytesPerPolynomial;
    this.#uploads = ring.allocate(2 * layout.uploads);
    const each = packedPolynomialBytes(ring.parameters);
    // Packing multiplies by 2^levels.
    const scale = halvings(ring, layout.levels);
    for (let i = 0; i < layout.uploads; i++) {
      const ciphertext = this.#uploads + i * this.#bytesEach;
      readCiphertext(ring, bytes.subarray(i * each, (i + 1) * each), shared, ciphertext);
      if (layout.levels === 0) continue;
      ring.multiplyScalar(ciphertext, scale, ciphertext);
      ring.multiplyScalar(ring.maskOf(ciphertext), scale, ring.maskOf(ciphertext));
    }
  }

  /** A leaf, in memory of its own. */
  leaf(input: unknown, answer: number, index: number): Ciphertext {
    const { ring } = this;
    const { arena } = nttKernel();
    const terms = this.layout.leaf(input, answer, index);
    const { length } = terms[0]!;
    if (this.#words.length < terms.length * length) {
      this.#words = new Int32Array(terms.length * length);
      if (this.#sources !== undefined) arena.release(this.#sources);
      this.#sources = arena.allocate(4 * this.#words.length);
    }
    const target = ring.allocate(2);
    const pairs = new Uint32Array(2 * terms.length);
    this.#words.fill(0);
    for (const [i, { upload, fill }] of terms.entries()) {
      fill(this.#words.subarray(i * length, (i + 1) * length));
      const ciphertext = this.#uploads + upload * this.#bytesEach;
      pairs[2 * i] = ciphertext;
      pairs[2 * i + 1] = ring.maskOf(ciphertext);
    }
    new Int32Array(arena.memory.buffer, this.#sources, this.#words.length).set(this.#words);
    ring.shortProducts(this.#sources!, length, pairs, target);
    return target;
  }

  release(): void {
    const { arena } = nttKernel();
    this.ring.release(this.#uploads);
    if (this.#sources === undefined) return;
    arena.words(this.#sources, this.#words.length).fill(0);
    arena.release(this.#sources);
  }
}

const totalWork = (requests: readonly { spec: RlweSpec }[]): number =>
  requests.reduce((sum, { spec }) => sum + rlweLayout(spec).work, 0) || 1;

function checkOperands(request: RlweClientRequest | RlweOwnerRequest, role: 'client' | 'owner'): void {
  const { spec } = request;
  const mask = role === 'client' ? '' : 'Mask';
  const lengths: Record<string, number> = {};
  if (spec.kind === 'matmul') {
    lengths[`x${mask}`] = spec.batch * spec.rows * spec.inner;
    lengths[`y${mask}`] = spec.batch * spec.inner * spec.cols;
  } else if (spec.kind !== 'linear') {
    lengths[`x${mask}`] = spec.rows * spec.cols;
    if (spec.kind === 'scale') lengths[`s${mask}`] = spec.rows;
  } else if (role === 'client') {
    lengths.x = spec.tokens * spec.inputs;
  }
  for (const [name, length] of Object.entries(lengths)) {
    const operand = (request as unknown as Record<string, unknown>)[name];
    if (!(operand instanceof Uint32Array))
      throw new TypeError(`${keyText(spec.key)}: ${name}: expected a Uint32Array, got ${typeof operand}`);
    if (operand.length !== length)
      throw new RangeError(`${keyText(spec.key)}: ${name}: expected ${length} words, got ${operand.length}`);
  }
}

function checkWeights({ key, inputs, outputs, weightBits }: LinearSpec, weights: ArrayLike<number>): void {
  if (weights.length !== inputs * outputs)
    throw new RangeError(`${keyText(key)}: weights: expected ${inputs * outputs}, got ${weights.length}`);
  const bound = 2 ** weightBits;
  for (let i = 0; i < weights.length; i++) {
    if (!(Math.abs(weights[i]!) < bound))
      throw new RangeError(`${keyText(key)}: weights: expected magnitudes below 2^${weightBits}, got a larger one`);
  }
}

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
