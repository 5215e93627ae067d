/**
 * The ideal functionality of the offline phase: a dealer who sees both sides' operands and hands out shares; as two providers in one
 * thread, for tests of the online phase. Nothing shipped imports it.
 */

import type { OfflinePhase } from '../../protocols/inference/offline.ts';
import { multiplyMatrices, multiplyTransposed } from '../../protocols/kernels/matmul.ts';
import type { OwnerWeights } from '../../protocols/layers/op.ts';
import type {
  ClientCorrelation,
  ClientRequest,
  CorrelationKey,
  CorrelationSpec,
  DrawingProvider,
  LinearSpec,
  OleSpec,
  OtSenderShare,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  ProductShare,
  ProgressListener,
  RingCotSenderShare,
} from '../../protocols/offline/correlations.ts';
import { isServedByRlwe } from '../../protocols/offline/division.ts';
import type { CircleNumbers } from '../../protocols/sharing/circle.ts';
import { intoField, sampleUniform, timesInField } from '../../protocols/sharing/field.ts';
import { maskOf } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { keyText } from '../../protocols/sharing/store.ts';
import { elementsOf, limbsOf, modulo, wordsOf } from '../../protocols/sharing/wide.ts';

export class IdealDealer {
  readonly client: DrawingProvider;
  readonly owner: OwnerProvider;
  readonly #random: Prg;
  /** What it has drawn for correlations to come, which are asked for in this order. */
  readonly #drawn: { readonly spec: LinearSpec; readonly drawn: CircleNumbers }[] = [];
  #clientAsked:
    | { requests: readonly ClientRequest[]; progress: ProgressListener; resolve(given: ClientCorrelation[]): void }
    | undefined;
  #ownerAsked:
    | { requests: readonly OwnerRequest[]; progress: ProgressListener; resolve(given: OwnerCorrelation[]): void }
    | undefined;

  /** @param tensor the owner's weights by name, (outputs, inputs). */
  constructor(
    seed: Uint8Array,
    readonly tensor: (name: string) => Uint32Array,
    readonly products: Products = 'within a unit',
  ) {
    this.#random = new Prg(seed, 'dealer');
    this.client = {
      source: 'dealer',
      draw: async (specs) => specs.map((spec) => this.#draw(spec)),
      provide: (requests, progress) =>
        new Promise((resolve, reject) => {
          this.#clientAsked = { requests, progress, resolve };
          this.#deal(reject);
        }),
      destroy() {},
    };
    this.owner = {
      source: 'dealer',
      provide: (requests, progress) =>
        new Promise((resolve, reject) => {
          this.#ownerAsked = { requests, progress, resolve };
          this.#deal(reject);
        }),
      destroy() {},
    };
  }

  /** Uniform points of the circle. */
  #draw(spec: LinearSpec): CircleNumbers {
    const { ringBits, tokens, inputs, drawnInputs = 0 } = spec;
    const isDrawn = (i: number) => i % inputs < drawnInputs;
    const [words, fractions] = [ringBits, 32].map((bits) =>
      this.#random.words(tokens * inputs).map((word, i) => (isDrawn(i) ? word & maskOf(bits) : 0)),
    );
    const drawn = { words, fractions };
    this.#drawn.push({ spec, drawn });
    return drawn;
  }

  #deal(reject: (reason: Error) => void): void {
    const [client, owner] = [this.#clientAsked, this.#ownerAsked];
    if (!client || !owner) return;
    this.#clientAsked = this.#ownerAsked = undefined;
    const specs = (requests: readonly { spec: unknown }[]) => JSON.stringify(requests.map(({ spec }) => spec));
    if (specs(client.requests) !== specs(owner.requests))
      return reject(new Error('dealer: the two sides ask for different correlations'));
    report(client);
    report(owner);
    const isDrawn = ({ spec }: ClientRequest) => spec.kind === 'linear' && spec.drawnInputs !== undefined;
    const drawn = client.requests.map((request) => (isDrawn(request) ? this.#drawn.shift() : undefined));
    const early = client.requests.find(
      (request, i) => isDrawn(request) && JSON.stringify(drawn[i]?.spec) !== JSON.stringify(request.spec),
    );
    if (early) return reject(new Error(`dealer: ${keyText(early.spec.key)} is asked for without being drawn next`));
    const pairs = client.requests.map((request, i) =>
      deal(request, owner.requests[i], this.#random, this.tensor, this.products, drawn[i]?.drawn),
    );
    client.resolve(pairs.map(([given]) => given));
    owner.resolve(pairs.map(([, given]) => given));
  }
}

function report({
  requests,
  progress,
}: {
  requests: readonly { spec: { key: CorrelationKey } }[];
  progress: ProgressListener;
}): void {
  for (const { spec } of requests) progress(spec.key, 1 / requests.length);
}

/** Products by ring-LWE are right within a unit (docs/rlwe.md), and a protocol must not count on more. */
export type Products = 'exact' | 'within a unit';

/** One correlation, from both sides' operands. @param drawn what the client was given for its operand, where that was drawn. */
export function deal(
  client: ClientRequest,
  owner: OwnerRequest,
  random: Prg,
  tensor: (name: string) => Uint32Array,
  products: Products = 'within a unit',
  drawn?: CircleNumbers,
): readonly [ClientCorrelation, OwnerCorrelation] {
  const given = drawClientPart(client.spec, random);
  return [given, ownerPart(client, given, owner, random, tensor, products, drawn)];
}

/** The client's part, which is random: its share of a product, or an OT's messages. */
export function drawClientPart(spec: CorrelationSpec, random: Prg): ClientCorrelation {
  if (spec.kind === 'ole') {
    const share = new Uint32Array(outputSize(spec));
    sampleUniform(random, spec.modulus, share);
    return { share };
  }
  const mask = maskOf(spec.ringBits);
  const words = random.words(outputSize(spec));
  for (let i = 0; i < words.length; i++) words[i] = words[i] & mask;
  if (spec.kind === 'ringCot') return { keys: words };
  return spec.kind === 'ot' ? { messages: words } : { share: words };
}

/** The owner's part, from both sides' operands and the client's part. */
export function ownerPart(
  client: ClientRequest,
  given: ClientCorrelation,
  owner: OwnerRequest,
  random: Prg,
  tensor: (name: string) => Uint32Array,
  products: Products = 'within a unit',
  drawn?: CircleNumbers,
): OwnerCorrelation {
  const { spec } = client;
  if (spec.kind === 'ot') {
    const { count, choiceBits, words } = spec;
    const { messages } = given as OtSenderShare;
    const choices = random.words(count).map((word) => word & maskOf(choiceBits));
    const chosen = new Uint32Array(count * words);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < words; j++) chosen[i * words + j] = messages[(i * 2 ** choiceBits + choices[i]) * words + j];
    }
    return { choices, messages: chosen };
  }
  if (spec.kind === 'ringCot') {
    const { factorBits, ringBits } = spec;
    const { keys } = given as RingCotSenderShare;
    const { c } = client as { c: Uint32Array };
    const choices = random.words(spec.count).map((word) => word & maskOf(factorBits));
    const factors = elementsOf(c, ringBits);
    const received = elementsOf(keys, ringBits).map((key, at) => {
      const [i, b] = [Math.floor(at / factorBits), at % factorBits];
      return modulo(key + ((choices[i] >>> b) & 1) * factors[i], ringBits - b);
    });
    return { choices, keys: wordsOf(received, ringBits) };
  }
  const { share } = given as ProductShare;
  if (spec.kind === 'ole') {
    const { u } = client as { u: Uint32Array };
    const { mask } = owner as { mask: Uint32Array };
    return { share: innerProducts(spec, u, mask).map((value, i) => intoField(value - share[i], spec.modulus)) };
  }
  const mask = maskOf(spec.ringBits);
  const isOff = products === 'within a unit' && isServedByRlwe(spec);
  const off = (word: number) => (isOff ? (word % 3) - 1 : 0);
  const product = productOf(client, owner, tensor);
  if (spec.kind === 'linear' && spec.drawnInputs) {
    if (!drawn) throw new Error(`dealer: ${keyText(spec.key)} was not drawn`);
    const { x } = client as { x: Uint32Array };
    const { inputs, drawnInputs } = spec;
    if (x.some((word, i) => i % inputs < drawnInputs && ((word ^ drawn.words[i]) & mask) !== 0))
      throw new Error(`dealer: ${keyText(spec.key)}: not what was drawn`);
    productOfFractions(spec, drawn.fractions, tensor(spec.weights)).forEach((value, i) => (product[i] += value));
  }
  return { share: product.map((value, i) => (value + off(share[i]) - share[i]) & mask) };
}

/** What x's fractions add to W·x, to the nearest unit. */
function productOfFractions(
  { tokens, inputs, outputs }: LinearSpec,
  fractions: Uint32Array,
  weights: Uint32Array,
): Int32Array {
  return Int32Array.from({ length: tokens * outputs }, (_, at) => {
    const [token, output] = [Math.floor(at / outputs), at % outputs];
    let sum = 0;
    for (let j = 0; j < inputs; j++)
      sum += (weights[output * inputs + j] | 0) * (fractions[token * inputs + j] / 2 ** 32);
    return Math.round(sum);
  });
}

/** Σ_j u_ji·ρ_ji modulo the prime. */
export function innerProducts({ modulus, terms, rows, cols }: OleSpec, u: Uint32Array, mask: Uint32Array): Uint32Array {
  const count = rows * cols;
  const sums = new Uint32Array(count);
  for (let at = 0; at < terms * count; at++)
    sums[at % count] = intoField(sums[at % count] + timesInField(u[at], mask[at], modulus), modulus);
  return sums;
}

function outputSize(spec: CorrelationSpec): number {
  switch (spec.kind) {
    case 'ot':
      return spec.count * 2 ** spec.choiceBits * spec.words;
    case 'linear':
      return spec.tokens * spec.outputs;
    case 'matmul':
      return spec.batch * spec.rows * spec.cols;
    case 'sumOfSquares':
      return spec.rows;
    case 'scale':
    case 'ole':
      return spec.rows * spec.cols;
    case 'square':
      return spec.count;
    case 'ringCot':
      return spec.count * spec.factorBits * limbsOf(spec.ringBits);
  }
}

/** The value that a product's shares add up to, modulo 2^32. */
function productOf(client: ClientRequest, owner: OwnerRequest, tensor: (name: string) => Uint32Array): Uint32Array {
  const times = (x: Uint32Array, y: Uint32Array) => x.map((value, i) => Math.imul(value, y[i]));
  const sumRows = (x: Uint32Array, rows: number) => {
    const sums = new Uint32Array(rows);
    const cols = x.length / rows;
    for (let i = 0; i < x.length; i++) sums[Math.floor(i / cols)] += x[i];
    return sums;
  };
  // The requests' operands by name; correlations.ts says which kind has which.
  const c = client as unknown as Record<string, Uint32Array>;
  const o = owner as unknown as Record<string, Uint32Array>;
  const { spec } = client;
  switch (spec.kind) {
    case 'linear':
      return multiplyTransposed(c.x, tensor(spec.weights), spec.tokens, spec.inputs, spec.outputs);
    case 'matmul': {
      const { batch, rows, inner, cols } = spec;
      const out = new Uint32Array(batch * rows * cols);
      for (let b = 0; b < batch; b++) {
        const left = (x: Uint32Array) => x.subarray(b * rows * inner, (b + 1) * rows * inner);
        const right = (y: Uint32Array) => y.subarray(b * inner * cols, (b + 1) * inner * cols);
        const first = multiplyMatrices(left(c.x), right(o.yMask), rows, inner, cols);
        const second = multiplyMatrices(left(o.xMask), right(c.y), rows, inner, cols);
        out.set(
          first.map((value, i) => value + second[i]),
          b * rows * cols,
        );
      }
      return out;
    }
    case 'square':
      return times(c.x, o.xMask).map((value) => 2 * value);
    case 'sumOfSquares':
      return sumRows(times(c.x, o.xMask), spec.rows).map((value) => 2 * value);
    case 'scale':
      return c.x.map((x, i) => {
        const row = Math.floor(i / spec.cols);
        return Math.imul(c.s[row], o.xMask[i]) + Math.imul(o.sMask[row], x);
      });
    default:
      throw new RangeError('dealer: not a product');
  }
}

/** The offline phase of sessions in one thread that share a dealer. */
export function idealOffline(seed = crypto.getRandomValues(new Uint8Array(32)), products?: Products): OfflinePhase {
  let dealer: IdealDealer | undefined;
  let weights: OwnerWeights | undefined;
  // Either side may come first; the dealer needs the weights only when both have asked.
  const shared = () => (dealer ??= new IdealDealer(seed, (name) => weights!.tensor(name), products));
  return {
    source: 'dealer',
    client: async () => shared().client,
    async owner(_channel, _plan, ownerWeights) {
      weights = ownerWeights;
      return shared().owner;
    },
  };
}
