/**
 * The matrix products of blocks.ts: how they are cut into blocks, the cheapest way, and how the blocks become uploads, leaves and answers
 * (Huang et al., "Cheetah", USENIX Security 2022, section 3.2).
 */
import { type CircleNumbers, copyNumber } from '../../sharing/circle.ts';
import { maskOf } from '../../sharing/packing.ts';
import { type CorrelationKey, keyText } from '../correlations.ts';
import {
  type AnswerLayout,
  type Candidate,
  type Choice,
  chooseCandidate,
  nextPowerOfTwo,
  parameterSets,
  rateCandidate,
  type Term,
} from './layout.ts';

/** A product's shape and its owner's numbers. */
export interface Product {
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly ringBits: number;
  /** The largest sum of squares of `count` of the owner's numbers, in all `parts` together. */
  squares(count: number): number;
  readonly parts: number;
  /** Of X's inputs, the first ones. */
  readonly drawnInputs?: number | undefined;
  /** The sum of as many of the owner's numbers' magnitudes, at most. */
  readonly sum?: number;
}

/** Blocks of kW inputs: of those that are drawn, and of the others. */
function inputBlocksOf({ inputs, drawnInputs = 0 }: Product, kW: number): { drawn: number; all: number } {
  const drawn = Math.ceil(drawnInputs / kW);
  return { drawn, all: drawn + Math.ceil((inputs - drawnInputs) / kW) };
}

export interface Blocks extends Candidate {
  readonly nW: number;
  readonly kW: number;
  readonly mW: number;
}

function* arrangements(product: Product): Generator<Blocks> {
  const { tokens, inputs, outputs, ringBits, squares, parts, drawnInputs = 0, sum = 0 } = product;
  const isDrawn = drawnInputs > 0;
  for (const parameters of parameterSets) {
    const n = parameters.degree;
    const [mostRows, mostInputs] = isDrawn ? [n, Math.max(inputs, 4)] : [nextPowerOfTwo(tokens), inputs];
    for (let nW = 1; nW <= Math.min(mostRows, n / 4); nW *= 2) {
      for (let kW = isDrawn ? n / nW : 1; kW <= Math.min(nextPowerOfTwo(mostInputs), n / nW); kW *= 2) {
        const mW = n / (nW * kW);
        const leaves = Math.ceil(tokens / nW) * Math.ceil(outputs / mW);
        const tokenBlocks = Math.ceil(tokens / nW);
        const inputBlocks = inputBlocksOf(product, kW);
        const [uploads, drawn] = [tokenBlocks * inputBlocks.all, tokenBlocks * inputBlocks.drawn];
        const terms = leaves * inputBlocks.all;
        // Every coefficient of ŵ multiplies an error, also those of the other outputs in it.
        const total = squares(inputs * Math.min(mW, outputs));
        for (let levels = 0; 2 ** levels <= Math.min(kW, nextPowerOfTwo(leaves)); levels++) {
          // The client's share of a drawn number is less than 2^-32 of a unit below what is multiplied.
          const noise = { ringBits, squares: total, levels, parts, offset: sum / 2 ** 32 };
          yield { parameters, noise, uploads, drawn, leaves, terms, length: kW * mW, nW, kW, mW };
        }
      }
    }
  }
}

export function blocksOf(product: Product) {
  const best = chooseCandidate(arrangements(product));
  if (best === undefined) {
    throw new RangeError(
      `product ${product.tokens} × ${product.inputs} → ${product.outputs} mod 2^${product.ringBits}: no parameters keep the error within ±1`,
    );
  }
  return best;
}

/** Blocks for two products whose answers share parameters, stride and packing: the cheapest pair. */
export function blocksOfBoth(key: CorrelationKey, left: Product, right: Product): [Choice<Blocks>, Choice<Blocks>] {
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
export class BlockedProduct {
  readonly tokenBlocks: number;
  readonly inputBlocks: number;
  readonly drawnBlocks: number;
  readonly outputBlocks: number;
  readonly uploads: number;
  readonly leaves: number;

  constructor(
    readonly product: Product,
    readonly blocks: Blocks,
  ) {
    this.tokenBlocks = Math.ceil(product.tokens / blocks.nW);
    const inputBlocks = inputBlocksOf(product, blocks.kW);
    this.inputBlocks = inputBlocks.all;
    this.drawnBlocks = inputBlocks.drawn;
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
    const { tokens } = this.product;
    const { nW, kW, mW, parameters } = this.blocks;
    const firstToken = Math.floor(upload / this.inputBlocks) * nW;
    const [firstInput, inputs] = this.#inputsOf(upload % this.inputBlocks);
    for (let i = 0; i < nW && firstToken + i < tokens; i++) {
      for (let j = 0; j < inputs; j++) {
        const at = i * kW * mW + j - (kW - 1);
        // X^−1 = −X^(n−1).
        place(firstToken + i, firstInput + j, at < 0 ? at + parameters.degree : at, at < 0);
      }
    }
  }

  /** @param w the entry of W at (output, input), signed. */
  leaf(w: (output: number, input: number) => number, index: number, firstUpload: number): Term[] {
    const { outputs } = this.product;
    const { kW, mW, length } = this.blocks;
    const [tokenBlock, outputBlock] = this.#blockOf(index);
    return Array.from({ length: this.inputBlocks }, (_, inputBlock) => ({
      upload: firstUpload + tokenBlock * this.inputBlocks + inputBlock,
      length,
      fill: (out) => {
        const [firstInput, inputs] = this.#inputsOf(inputBlock);
        for (let c = 0; c < mW && outputBlock * mW + c < outputs; c++) {
          for (let j = 0; j < inputs; j++) {
            out[c * kW + kW - 1 - j] = w(outputBlock * mW + c, firstInput + j);
          }
        }
      },
    }));
  }

  /** The first input of a block, and how many it has. */
  #inputsOf(block: number): [number, number] {
    const { inputs, drawnInputs = 0 } = this.product;
    const { kW } = this.blocks;
    const isDrawn = block < this.drawnBlocks;
    const first = isDrawn ? block * kW : drawnInputs + (block - this.drawnBlocks) * kW;
    return [first, Math.min(kW, (isDrawn ? drawnInputs : inputs) - first)];
  }

  isDrawn(upload: number): boolean {
    return upload % this.inputBlocks < this.drawnBlocks;
  }

  /** Token block and output block of a leaf. */
  #blockOf(leaf: number): [number, number] {
    return [Math.floor(leaf / this.outputBlocks), leaf % this.outputBlocks];
  }
}
