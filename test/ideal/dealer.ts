/**
 * The ideal functionality of the offline phase: a dealer who sees both sides' operands and hands out shares. For tests of the
 * online phase only; nothing shipped imports it.
 */
import { multiplyMatrices, multiplyTransposed } from '../../protocols/kernels/matmul.ts';
import type {
  ClientCorrelation, ClientProvider, ClientRequest, OwnerCorrelation, OwnerProvider, OwnerRequest, ProgressListener,
} from '../../protocols/offline/correlations.ts';
import { maskOf } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';

type Pair = readonly [ClientCorrelation, OwnerCorrelation];

export class IdealDealer {
  readonly client: ClientProvider;
  readonly owner: OwnerProvider;
  readonly #random: Prg;
  #clientAsked: { requests: readonly ClientRequest[]; resolve(given: ClientCorrelation[]): void } | undefined;
  #ownerAsked: { requests: readonly OwnerRequest[]; resolve(given: OwnerCorrelation[]): void } | undefined;

  /** @param tensor the owner's weights by name, (outputs, inputs). */
  constructor(
    seed: Uint8Array,
    readonly tensor: (name: string) => Uint32Array,
  ) {
    this.#random = new Prg(seed, 'dealer');
    const report = (requests: readonly { spec: { id: string } }[], progress: ProgressListener) => {
      for (const { spec } of requests) progress(spec.id, 1 / requests.length);
    };
    this.client = {
      source: 'dealer',
      provide: (requests, progress) =>
        new Promise((resolve) => {
          this.#clientAsked = { requests, resolve: (given) => (report(requests, progress), resolve(given)) };
          this.#deal();
        }),
    };
    this.owner = {
      source: 'dealer',
      provide: (requests, progress) =>
        new Promise((resolve) => {
          this.#ownerAsked = { requests, resolve: (given) => (report(requests, progress), resolve(given)) };
          this.#deal();
        }),
    };
  }

  #deal(): void {
    const [client, owner] = [this.#clientAsked, this.#ownerAsked];
    if (!client || !owner) return;
    this.#clientAsked = this.#ownerAsked = undefined;
    const ids = (requests: readonly { spec: unknown }[]) => JSON.stringify(requests.map(({ spec }) => spec));
    if (ids(client.requests) !== ids(owner.requests)) throw new Error('dealer: the two sides ask for different correlations');
    const pairs = client.requests.map((request, i) => deal(request, owner.requests[i]!, this.#random, this.tensor));
    client.resolve(pairs.map(([given]) => given));
    owner.resolve(pairs.map(([, given]) => given));
  }
}

/** One correlation, from both sides' operands. */
export function deal(client: ClientRequest, owner: OwnerRequest, random: Prg, tensor: (name: string) => Uint32Array): Pair {
  const { spec } = client;
  if (spec.kind === 'ot') {
    const { count, choiceBits, words, ringBits } = spec;
    const mask = maskOf(ringBits);
    const messages = random.words(count * 2 ** choiceBits * words).map((word) => word & mask);
    const choices = random.words(count).map((word) => word & maskOf(choiceBits));
    const chosen = new Uint32Array(count * words);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < words; j++) chosen[i * words + j] = messages[(i * 2 ** choiceBits + choices[i]!) * words + j]!;
    }
    return [{ messages }, { choices, messages: chosen }];
  }
  const value = productOf(client, owner, tensor);
  const mask = maskOf(spec.ringBits);
  const share = random.words(value.length).map((word) => word & mask);
  return [{ share: value.map((word, i) => (word - share[i]!) & mask) }, { share }];
}

/** The value that a product's shares add up to, modulo 2^32. */
function productOf(client: ClientRequest, owner: OwnerRequest, tensor: (name: string) => Uint32Array): Uint32Array {
  const times = (x: Uint32Array, y: Uint32Array) => x.map((value, i) => Math.imul(value, y[i]!));
  const sumRows = (x: Uint32Array, rows: number) => {
    const sums = new Uint32Array(rows);
    x.forEach((value, i) => {
      const row = Math.floor((i * rows) / x.length);
      sums[row] = sums[row]! + value;
    });
    return sums;
  };
  const c = client as unknown as Record<string, Uint32Array>;
  const o = owner as unknown as Record<string, Uint32Array>;
  const { spec } = client;
  switch (spec.kind) {
    case 'linear':
      return multiplyTransposed(c.x!, tensor(spec.weights), spec.tokens, spec.inputs, spec.outputs);
    case 'matmul': {
      const { batch, rows, inner, cols } = spec;
      const out = new Uint32Array(batch * rows * cols);
      for (let b = 0; b < batch; b++) {
        const x = (array: Uint32Array) => array.subarray(b * rows * inner, (b + 1) * rows * inner);
        const y = (array: Uint32Array) => array.subarray(b * inner * cols, (b + 1) * inner * cols);
        const left = multiplyMatrices(x(c.x!), y(o.yMask!), rows, inner, cols);
        const right = multiplyMatrices(x(o.xMask!), y(c.y!), rows, inner, cols);
        out.set(left.map((value, i) => value + right[i]!), b * rows * cols);
      }
      return out;
    }
    case 'square':
      return times(c.x!, o.xMask!).map((value) => 2 * value);
    case 'sumOfSquares':
      return sumRows(times(c.x!, o.xMask!), spec.rows).map((value) => 2 * value);
    case 'scale':
      return c.x!.map((x, i) => {
        const row = Math.floor(i / spec.cols);
        return Math.imul(c.s![row]!, o.xMask![i]!) + Math.imul(o.sMask![row]!, x);
      });
    case 'cross':
      return sumRows(times(c.c!, o.mask!), spec.count);
    default:
      throw new Error('dealer: not a product');
  }
}
