/**
 * Matrix products in coefficients: Huang et al., "Cheetah: Lean and Fast Secure Two-Party Deep Neural Network Inference" (USENIX Security
 * 2022), section 3.2 and figure 5, with answers packed as in BumbleBee (Lu et al., NDSS 2025).
 *
 * Computes X·Wᵀ for the client's X (tokens, inputs) and the owner's integers W (outputs, inputs). X is cut into blocks of nW × kW, W into
 * blocks of mW × kW, with nW·kW·mW = n:
 *   x̂ = Σ x_ij·X^(i·mW·kW + j − (kW − 1)),   ŵ = Σ w_cj·X^(c·kW + (kW − 1) − j),
 * so that coefficient kW·(i·mW + c) of x̂·ŵ is Σ_j x_ij·w_cj, and no other product falls on a multiple of kW. The products of one row of
 * blocks are added, and their results, kW apart, packed together. Where both sides draw x̂, it has no coefficient that is zero: then mW = 1, and
 * rows and inputs that there are none of fill it up; their results are not read, their weights are zero.
 *
 * Consumes nothing. Two flights; the bytes follow from the blocks, which `chooseCandidate` chooses.
 */
import { maskSquares } from '../../rlwe/noise.ts';
import { type CircleNumbers, copyNumber } from '../../sharing/circle.ts';
import { maskOf } from '../../sharing/packing.ts';
import { type CorrelationKey, keyText, type LinearSpec, type MatmulSpec, requireWords } from '../correlations.ts';
import type { LayoutOf, RlweKind } from './kind.ts';
import {
  type AnswerLayout,
  type Candidate,
  type Choice,
  centred,
  chooseCandidate,
  estimateWork,
  nextPowerOfTwo,
  parameterSets,
  rateCandidate,
  type Term,
} from './layout.ts';

/** A product's shape and its owner's numbers. */
interface Product {
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly ringBits: number;
  /** The largest sum of squares of `count` of the owner's numbers, in all `parts` together. */
  squares(count: number): number;
  readonly parts: number;
  readonly isDrawn?: boolean | undefined;
  /** Of a drawn X: the sum of `inputs` of the owner's numbers' magnitudes, at most. */
  readonly sum?: number;
}

interface Blocks extends Candidate {
  readonly nW: number;
  readonly kW: number;
  readonly mW: number;
}

function* arrangements({
  tokens,
  inputs,
  outputs,
  ringBits,
  squares,
  parts,
  isDrawn,
  sum = 0,
}: Product): Generator<Blocks> {
  for (const parameters of parameterSets) {
    const n = parameters.degree;
    const [mostRows, mostInputs] = isDrawn ? [n, Math.max(inputs, 4)] : [nextPowerOfTwo(tokens), inputs];
    for (let nW = 1; nW <= Math.min(mostRows, n / 4); nW *= 2) {
      for (let kW = isDrawn ? n / nW : 1; kW <= Math.min(nextPowerOfTwo(mostInputs), n / nW); kW *= 2) {
        const mW = n / (nW * kW);
        const leaves = Math.ceil(tokens / nW) * Math.ceil(outputs / mW);
        const uploads = Math.ceil(tokens / nW) * Math.ceil(inputs / kW);
        const terms = leaves * Math.ceil(inputs / kW);
        // Every coefficient of ŵ multiplies an error, also those of the other outputs in it.
        const total = squares(inputs * Math.min(mW, outputs));
        for (let levels = 0; 2 ** levels <= Math.min(kW, nextPowerOfTwo(leaves)); levels++) {
          // The client's share of a drawn number is less than 2^-32 of a unit below what is multiplied.
          const noise = { ringBits, squares: total, levels, parts, offset: sum / 2 ** 32 };
          const results = tokens * outputs;
          yield { parameters, noise, uploads, isDrawn, leaves, terms, length: kW * mW, results, nW, kW, mW };
        }
      }
    }
  }
}

function blocksOf(product: Product) {
  const best = chooseCandidate(arrangements(product));
  if (best === undefined) {
    throw new RangeError(
      `product ${product.tokens} × ${product.inputs} → ${product.outputs} mod 2^${product.ringBits}: no parameters keep the error within ±1`,
    );
  }
  return best;
}

/** Blocks for two products whose answers share parameters, stride and packing: the cheapest pair. */
function blocksOfBoth(key: CorrelationKey, left: Product, right: Product): [Choice<Blocks>, Choice<Blocks>] {
  const cheapest = (product: Product) => {
    const byKind = new Map<string, Choice<Blocks>>();
    for (const blocks of arrangements(product)) {
      const choice = rateCandidate(blocks);
      const kind = `${blocks.parameters.name}/${blocks.kW}/${blocks.noise.levels}`;
      if (choice !== undefined && choice.cost < (byKind.get(kind)?.cost ?? Number.POSITIVE_INFINITY))
        byKind.set(kind, choice);
    }
    return byKind;
  };
  const rights = cheapest(right);
  let best: [Choice<Blocks>, Choice<Blocks>] | undefined;
  for (const [kind, first] of cheapest(left)) {
    const second = rights.get(kind);
    if (second === undefined) continue;
    if (best === undefined || first.cost + second.cost < best[0].cost + best[1].cost) best = [first, second];
  }
  if (best === undefined) throw new RangeError(`${keyText(key)}: no parameters keep the error within ±1`);
  return best;
}

/** How the blocks of one product become uploads, leaves and answers. */
class BlockedProduct {
  readonly tokenBlocks: number;
  readonly inputBlocks: number;
  readonly outputBlocks: number;
  readonly uploads: number;
  readonly leaves: number;

  constructor(
    readonly product: Product,
    readonly blocks: Blocks,
  ) {
    this.tokenBlocks = Math.ceil(product.tokens / blocks.nW);
    this.inputBlocks = Math.ceil(product.inputs / blocks.kW);
    this.outputBlocks = Math.ceil(product.outputs / blocks.mW);
    this.uploads = this.tokenBlocks * this.inputBlocks;
    this.leaves = this.tokenBlocks * this.outputBlocks;
  }

  /** @param targetOf the result that (token, output) is added to. */
  answers(targetOf: (token: number, output: number) => number): AnswerLayout[] {
    const { tokens, outputs } = this.product;
    const { nW, kW, mW, noise } = this.blocks;
    const group = 2 ** noise.levels;
    return Array.from({ length: Math.ceil(this.leaves / group) }, (_, answer) => {
      const places: number[] = [];
      const leaves = Math.min(group, this.leaves - answer * group);
      for (let leaf = 0; leaf < leaves; leaf++) {
        const [tokenBlock, outputBlock] = this.#blockOf(answer * group + leaf);
        for (let i = 0; i < nW && tokenBlock * nW + i < tokens; i++) {
          for (let c = 0; c < mW && outputBlock * mW + c < outputs; c++) {
            places.push(kW * (i * mW + c) + (leaf * kW) / group, targetOf(tokenBlock * nW + i, outputBlock * mW + c));
          }
        }
      }
      return { leaves, places: Uint32Array.from(places) };
    });
  }

  /** @param x the entry of X at (token, input). */
  encode(x: (token: number, input: number) => number, upload: number, out: Uint32Array): void {
    const mask = maskOf(this.product.ringBits);
    this.#forEach(upload, (token, input, at, isNegative) => {
      const value = x(token, input);
      out[at] = (isNegative ? -value : value) & mask;
    });
  }

  /** The entries of X, (tokens, inputs), that an upload's plaintext stands for. */
  decode(plaintext: CircleNumbers, upload: number, x: CircleNumbers): void {
    this.#forEach(upload, (token, input, at, isNegative) =>
      copyNumber(plaintext, at, x, token * this.product.inputs + input, isNegative),
    );
  }

  /** The entries of X in an upload, and at which coefficient each stands. */
  #forEach(upload: number, place: (token: number, input: number, at: number, isNegative: boolean) => void): void {
    const { tokens, inputs } = this.product;
    const { nW, kW, mW, parameters } = this.blocks;
    const firstToken = Math.floor(upload / this.inputBlocks) * nW;
    const firstInput = (upload % this.inputBlocks) * kW;
    for (let i = 0; i < nW && firstToken + i < tokens; i++) {
      for (let j = 0; j < kW && firstInput + j < inputs; j++) {
        const at = i * kW * mW + j - (kW - 1);
        // X^−1 = −X^(n−1).
        place(firstToken + i, firstInput + j, at < 0 ? at + parameters.degree : at, at < 0);
      }
    }
  }

  /** @param w the entry of W at (output, input), signed. */
  leaf(w: (output: number, input: number) => number, index: number, firstUpload: number): Term[] {
    const { inputs, outputs } = this.product;
    const { kW, mW, length } = this.blocks;
    const [tokenBlock, outputBlock] = this.#blockOf(index);
    return Array.from({ length: this.inputBlocks }, (_, inputBlock) => ({
      upload: firstUpload + tokenBlock * this.inputBlocks + inputBlock,
      length,
      fill: (out) => {
        const firstInput = inputBlock * kW;
        for (let c = 0; c < mW && outputBlock * mW + c < outputs; c++) {
          for (let j = 0; j < kW && firstInput + j < inputs; j++) {
            out[c * kW + kW - 1 - j] = w(outputBlock * mW + c, firstInput + j);
          }
        }
      },
    }));
  }

  /** Token block and output block of a leaf. */
  #blockOf(leaf: number): [number, number] {
    return [Math.floor(leaf / this.outputBlocks), leaf % this.outputBlocks];
  }
}

/** `linear`: share = W·x for each token. The owner's input is W, row-major (outputs, inputs). */
function linearLayout(spec: LinearSpec): LayoutOf<LinearSpec> {
  const { tokens, inputs, outputs, ringBits, weightBits, isDrawn } = spec;
  const squares = (count: number) => count * 4 ** weightBits;
  const sum = isDrawn ? inputs * 2 ** weightBits : 0;
  const product = { tokens, inputs, outputs, ringBits, squares, parts: 1, isDrawn, sum };
  const { candidate, bits, bound } = blocksOf(product);
  const blocked = new BlockedProduct(product, candidate);
  const { parameters, noise, kW } = candidate;
  return {
    parameters,
    ringBits,
    bits,
    errorBound: bound,
    uploads: blocked.uploads,
    isDrawn,
    stride: kW,
    levels: noise.levels,
    answers: blocked.answers((token, output) => token * outputs + output),
    results: tokens * outputs,
    work: estimateWork(candidate),
    encode: ({ x }, upload, out) => blocked.encode((token, input) => x[token * inputs + input], upload, out),
    decode: (plaintext, upload, x) => blocked.decode(plaintext, upload, x),
    leaf: ({ weights }, answer, leaf) =>
      blocked.leaf((output, input) => weights[output * inputs + input], answer * 2 ** noise.levels + leaf, 0),
  };
}

/**
 * `matmul`: share = Xclient·Ymask + Xmask·Yclient, the second term as (Yclientᵀ·Xmaskᵀ)ᵀ; both are products of the client's operand by
 * the owner's, for each pair of the batch. The two answers' shares are added before they are rounded.
 */
function matmulLayout(spec: MatmulSpec): LayoutOf<MatmulSpec> {
  const { batch, rows, inner, cols, ringBits } = spec;
  const squares = (count: number) => maskSquares(2 * count, ringBits);
  const shared = { inputs: inner, ringBits, squares, parts: 2 };
  const left = { ...shared, tokens: rows, outputs: cols };
  const right = { ...shared, tokens: cols, outputs: rows };
  const [first, second] = blocksOfBoth(spec.key, left, right);
  const { parameters, noise, kW } = first.candidate;
  const xy = new BlockedProduct(left, first.candidate);
  const yx = new BlockedProduct(right, second.candidate);
  const uploads = xy.uploads + yx.uploads;
  const group = 2 ** noise.levels;
  const answersOf = Array.from({ length: batch }, (_, b) => [
    ...xy.answers((row, col) => (b * rows + row) * cols + col),
    ...yx.answers((col, row) => (b * rows + row) * cols + col),
  ]);
  const perPair = answersOf[0].length;
  const firstOfSecond = Math.ceil(xy.leaves / group);
  return {
    parameters,
    ringBits,
    bits: Math.max(first.bits, second.bits),
    errorBound: Math.max(first.bound, second.bound),
    uploads: batch * uploads,
    stride: kW,
    levels: noise.levels,
    answers: answersOf.flat(),
    results: batch * rows * cols,
    work: batch * (estimateWork(first.candidate) + estimateWork(second.candidate)),
    encode: ({ x, y }, upload, out) => {
      const b = Math.floor(upload / uploads);
      const within = upload % uploads;
      if (within < xy.uploads) xy.encode((row, k) => x[(b * rows + row) * inner + k], within, out);
      else yx.encode((col, k) => y[(b * inner + k) * cols + col], within - xy.uploads, out);
    },
    leaf: ({ xMask, yMask }, answer, leaf) => {
      const b = Math.floor(answer / perPair);
      const within = answer % perPair;
      if (within < firstOfSecond) {
        return xy.leaf(
          (col, k) => centred(yMask[(b * inner + k) * cols + col], ringBits),
          within * group + leaf,
          b * uploads,
        );
      }
      const index = (within - firstOfSecond) * group + leaf;
      return yx.leaf(
        (row, k) => centred(xMask[(b * rows + row) * inner + k], ringBits),
        index,
        b * uploads + xy.uploads,
      );
    },
  };
}

export const linear: RlweKind<LinearSpec> = {
  sizes: ({ tokens, inputs, outputs }) => ({ tokens, inputs, outputs }),
  results: ({ tokens, outputs }) => tokens * outputs,
  layout(spec) {
    const { key, weightBits } = spec;
    if (!(Number.isInteger(weightBits) && weightBits >= 1 && weightBits <= 20))
      throw new RangeError(`${keyText(key)}: weightBits: expected an integer from 1 to 20, got ${weightBits}`);
    return linearLayout(spec);
  },
  checkClient({ spec, x }) {
    requireWords(spec, 'x', x, spec.tokens * spec.inputs);
  },
  ownerInput({ spec: { key, inputs, outputs, weightBits, weights: name } }, source) {
    const weights = source(name);
    if (weights.length !== inputs * outputs)
      throw new RangeError(`${keyText(key)}: weights: expected ${inputs * outputs}, got ${weights.length}`);
    const bound = 2 ** weightBits;
    for (let i = 0; i < weights.length; i++) {
      if (!(Math.abs(weights[i]) < bound))
        throw new RangeError(`${keyText(key)}: weights: expected magnitudes below 2^${weightBits}, got a larger one`);
    }
    return { weights };
  },
};

export const matmul: RlweKind<MatmulSpec> = {
  sizes: ({ batch, rows, inner, cols }) => ({ batch, rows, inner, cols }),
  results: ({ batch, rows, cols }) => batch * rows * cols,
  layout: matmulLayout,
  checkClient({ spec, x, y }) {
    requireWords(spec, 'x', x, spec.batch * spec.rows * spec.inner);
    requireWords(spec, 'y', y, spec.batch * spec.inner * spec.cols);
  },
  ownerInput(request) {
    const { spec, xMask, yMask } = request;
    requireWords(spec, 'xMask', xMask, spec.batch * spec.rows * spec.inner);
    requireWords(spec, 'yMask', yMask, spec.batch * spec.inner * spec.cols);
    return request;
  },
};
