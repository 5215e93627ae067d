/** The ideal functionality of the RLWE correlations, operands for them, and both parties over a channel in memory. */

import { nttKernel } from '../../protocols/kernels/ntt.ts';
import type { LinearSpec, RlweSpec } from '../../protocols/offline/correlations.ts';
import { isRlweSpec } from '../../protocols/offline/kinds.ts';
import { centred } from '../../protocols/offline/rlwe/layout.ts';
import type { RlweOptions } from '../../protocols/offline/rlwe/provider.ts';
import {
  RlweClient,
  type RlweClientRequest,
  RlweOwner,
  type RlweOwnerRequest,
} from '../../protocols/offline/rlwe/provider.ts';
import { ShareSums } from '../../protocols/rlwe/answer.ts';
import { sampleUniform } from '../../protocols/sharing/field.ts';
import { maskOf } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { innerProducts } from './dealer.ts';
import { channelPair } from './otPair.ts';

export interface Operands {
  readonly client: RlweClientRequest;
  readonly owner: RlweOwnerRequest;
  /** Of a `linear` spec. */
  readonly weights: Int16Array;
  /** Of a drawn one: what x is above its words, in units of 2^-32. */
  readonly fractions?: Uint32Array;
}

/** How the operands of a test are chosen. */
export type Choice = 'random' | 'zero' | 'largest' | 'smallest';

/** Operands for one spec: uniform, or all at an extreme (2^(ringBits−1) is the ring's most negative number). */
export function drawRlweOperands(spec: RlweSpec, random: Prg, choice: Choice = 'random'): Operands {
  const { ringBits } = spec;
  const words = (count: number): Uint32Array => {
    if (choice === 'random') return random.words(count);
    const value = choice === 'zero' ? 0 : choice === 'largest' ? maskOf(ringBits - 1) : 2 ** (ringBits - 1);
    return new Uint32Array(count).fill(value);
  };
  switch (spec.kind) {
    case 'linear': {
      const bound = 2 ** spec.weightBits - 1;
      const weights = Int16Array.from(random.words(spec.inputs * spec.outputs), (word) =>
        choice === 'random'
          ? (word % (2 * bound + 1)) - bound
          : choice === 'zero'
            ? 0
            : choice === 'largest'
              ? bound
              : -bound,
      );
      return { client: { spec, x: words(spec.tokens * spec.inputs) }, owner: { spec }, weights };
    }
    case 'matmul': {
      const [xs, ys] = [spec.batch * spec.rows * spec.inner, spec.batch * spec.inner * spec.cols];
      return {
        client: { spec, x: words(xs), y: words(ys) },
        owner: { spec, xMask: words(xs), yMask: words(ys) },
        weights: new Int16Array(),
      };
    }
    case 'sumOfSquares': {
      const count = spec.rows * spec.cols;
      return { client: { spec, x: words(count) }, owner: { spec, xMask: words(count) }, weights: new Int16Array() };
    }
    case 'scale': {
      const count = spec.rows * spec.cols;
      return {
        client: { spec, s: words(spec.rows), x: words(count) },
        owner: { spec, sMask: words(spec.rows), xMask: words(count) },
        weights: new Int16Array(),
      };
    }
    case 'ole': {
      // Numbers of the field: uniform, or all at an extreme.
      const elements = (count: number): Uint32Array => {
        const out = new Uint32Array(count).fill(choice === 'zero' ? 0 : choice === 'largest' ? spec.modulus >> 1 : 1);
        if (choice === 'random') sampleUniform(random, spec.modulus, out);
        return out;
      };
      const count = spec.terms * spec.rows * spec.cols;
      return {
        client: { spec, u: elements(count) },
        owner: { spec, mask: elements(count) },
        weights: new Int16Array(),
      };
    }
  }
}

/** What x's fractions add to W·x. */
function fractionsOfResult({ client: { spec }, weights, fractions }: Operands, at: number): number {
  if (spec.kind !== 'linear' || fractions === undefined) return 0;
  const { inputs, outputs } = spec;
  const [token, output] = [Math.floor(at / outputs), at % outputs];
  let sum = 0;
  for (let k = 0; k < inputs; k++) sum += (weights[output * inputs + k] * fractions[token * inputs + k]) / 2 ** 32;
  return sum;
}

/** What the two shares add up to, modulo 2^32 (of which 2^ringBits is a divisor), but for what fractions add. */
export function idealResult({ client, owner, weights }: Operands): Uint32Array {
  const { spec } = client;
  if (spec.kind === 'ole')
    return innerProducts(spec, (client as { u: Uint32Array }).u, (owner as { mask: Uint32Array }).mask);
  const sums: number[] = [];
  const sum = (terms: number, term: (k: number) => number) => {
    let total = 0;
    for (let k = 0; k < terms; k++) total = (total + term(k)) | 0;
    sums.push(total);
  };
  if (spec.kind === 'linear') {
    const { x } = client as Extract<RlweClientRequest, { spec: { kind: 'linear' } }>;
    for (let i = 0; i < spec.tokens; i++) {
      for (let o = 0; o < spec.outputs; o++) {
        sum(spec.inputs, (k) => Math.imul(x[i * spec.inputs + k], weights[o * spec.inputs + k]));
      }
    }
  } else if (spec.kind === 'matmul') {
    const { x, y } = client as Extract<RlweClientRequest, { y: Uint32Array }>;
    const { xMask, yMask } = owner as Extract<RlweOwnerRequest, { yMask: Uint32Array }>;
    for (let b = 0; b < spec.batch; b++) {
      for (let i = 0; i < spec.rows; i++) {
        for (let o = 0; o < spec.cols; o++) {
          sum(spec.inner, (k) => {
            const at = (b * spec.rows + i) * spec.inner + k;
            const other = (b * spec.inner + k) * spec.cols + o;
            return Math.imul(x[at], yMask[other]) + Math.imul(xMask[at], y[other]);
          });
        }
      }
    }
  } else if (spec.kind === 'sumOfSquares') {
    const { x } = client as { x: Uint32Array };
    const { xMask } = owner as { xMask: Uint32Array };
    for (let i = 0; i < spec.rows; i++) {
      sum(spec.cols, (k) => 2 * Math.imul(x[i * spec.cols + k], xMask[i * spec.cols + k]));
    }
  } else {
    const { s, x } = client as { s: Uint32Array; x: Uint32Array };
    const { sMask, xMask } = owner as { sMask: Uint32Array; xMask: Uint32Array };
    for (let i = 0; i < spec.rows; i++) {
      for (let k = 0; k < spec.cols; k++) {
        const at = i * spec.cols + k;
        sum(1, () => Math.imul(s[i], xMask[at]) + Math.imul(sMask[i], x[at]));
      }
    }
  }
  return Uint32Array.from(sums);
}

/** Share + share − result, as a signed number of the ring. */
export function errorsOf(operands: Operands, client: Uint32Array, owner: Uint32Array): Float64Array {
  const { ringBits } = operands.client.spec;
  return Float64Array.from(idealResult(operands), (value, i) => {
    const fraction = fractionsOfResult(operands, i);
    const error =
      centred(client[i] + owner[i] - value - Math.floor(fraction), ringBits) + Math.floor(fraction) - fraction;
    // The nearest to 0 of those that a ring of so few bits cannot tell apart: 1.1 of 4 is no −2.9.
    return error - 2 ** ringBits * Math.round(error / 2 ** ringBits);
  });
}

/** Both sides, set up for `operands`. @param seed 32 bytes, of which each party's randomness is made. */
export async function rlwePair(
  seed: Uint8Array,
  operands: readonly Operands[],
  options: { client?: RlweOptions; owner?: RlweOptions } = {},
) {
  const channels = channelPair();
  const byName = new Map<string, Int16Array>();
  for (const { client, weights } of operands)
    if (client.spec.kind === 'linear') byName.set(client.spec.weights, weights);
  const client = new RlweClient(channels.client.channel, new Prg(seed, 'client'), options.client);
  const owner = new RlweOwner(
    channels.owner.channel,
    new Prg(seed, 'owner'),
    (name) => byName.get(name)!,
    options.owner,
  );
  const specs = operands.map((pair) => pair.client.spec).filter(isRlweSpec);
  await Promise.all([client.setup(specs), owner.setup(specs)]);
  /** The operands with what the client draws in the place of those that are drawn. */
  const draw = async (): Promise<Operands[]> => {
    const isDrawn = ({ client: { spec } }: Operands) => spec.kind === 'linear' && spec.drawnInputs !== undefined;
    const drawn = await client.draw(operands.filter(isDrawn).map((pair) => pair.client.spec as LinearSpec));
    return operands.map((pair) => {
      if (!isDrawn(pair)) return pair;
      const { words, fractions } = drawn.shift()!;
      const { spec, x: given } = pair.client as { spec: LinearSpec; x: Uint32Array };
      const x = words.map((word, i) => (i % spec.inputs < spec.drawnInputs! ? word : given[i]));
      return { ...pair, client: { spec, x }, fractions };
    });
  };
  const provide = (asked = operands) =>
    Promise.all([client.provide(asked.map((pair) => pair.client)), owner.provide(asked.map((pair) => pair.owner))]);
  const destroy = () => {
    client.destroy();
    owner.destroy();
  };
  return { channels, client, owner, specs, draw, provide, destroy };
}

/**
 * Runs both sides and measures the error before they round: for each operands' results, (share + share − result·2^(bits − ringBits)) in units
 * of the result.
 */
export async function unroundedErrors(seed: Uint8Array, operands: readonly Operands[]): Promise<Float64Array[]> {
  const { round } = ShareSums.prototype;
  /** Both sides' shares modulo 2^bits, in the order in which they are rounded: each side goes through the requests in order. */
  const sums: { of: ShareSums; shares: BigUint64Array }[] = [];
  ShareSums.prototype.round = function () {
    const { memory } = nttKernel().arena;
    sums.push({ of: this, shares: new BigUint64Array(memory.buffer, this.address, this.count).slice() });
    return new Uint32Array(this.count);
  };
  try {
    const pair = await rlwePair(seed, operands);
    const errors: Float64Array[] = [];
    for (const each of await pair.draw()) {
      sums.length = 0;
      await Promise.all([pair.client.provide([each.client]), pair.owner.provide([each.owner])]);
      const { bits, ringBits } = sums[0].of;
      const shift = BigInt(bits - ringBits);
      const [first, second] = [sums[0].shares, sums[1].shares];
      const difference = (value: number, i: number) =>
        Number(
          BigInt.asIntN(
            bits,
            first[i] +
              second[i] -
              (BigInt(value) << shift) -
              BigInt(Math.round(fractionsOfResult(each, i) * 2 ** Number(shift))),
          ),
        ) /
        2 ** Number(shift);
      errors.push(Float64Array.from(idealResult(each), difference));
    }
    pair.destroy();
    return errors;
  } finally {
    ShareSums.prototype.round = round;
  }
}

/** √(mean of squares). */
export const deviationOf = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0) / values.length);
