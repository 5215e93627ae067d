/**
 * Matrix products in coefficients: Huang et al., "Cheetah: Lean and Fast Secure Two-Party Deep Neural Network Inference" (USENIX Security
 * 2022), section 3.2 and figure 5, with answers packed as in BumbleBee (Lu et al., NDSS 2025).
 *
 * Computes X·Wᵀ for the client's X (tokens, inputs) and the owner's integers W (outputs, inputs). X is cut into blocks of nW × kW, W into
 * blocks of mW × kW, with nW·kW·mW = n:
 *   x̂ = Σ x_ij·X^(i·mW·kW + j − (kW − 1)),   ŵ = Σ w_cj·X^(c·kW + (kW − 1) − j),
 * so that coefficient kW·(i·mW + c) of x̂·ŵ is Σ_j x_ij·w_cj, and no other product falls on a multiple of kW. The products of one row of
 * blocks are added, and their results, kW apart, packed together. An x̂ that both sides draw has no coefficient that is zero: then mW = 1, and
 * rows and inputs that there are none of fill it up; their results are not read, their weights are zero. Blocks of drawn inputs come first.
 *
 * Consumes nothing. Two flights; the bytes follow from the blocks, which `chooseCandidate` chooses.
 */
import { maskSquares } from '../../rlwe/noise.ts';
import { keyText, type LinearSpec, type MatmulSpec, requireWords } from '../correlations.ts';
import { BlockedProduct, blocksOf, blocksOfBoth } from './blockedProduct.ts';
import type { LayoutOf, RlweKind } from './kind.ts';
import { centred, estimateWork } from './layout.ts';

/** `linear`: share = W·x for each token. The owner's input is W, row-major (outputs, inputs). */
function linearLayout(spec: LinearSpec): LayoutOf<LinearSpec> {
  const { tokens, inputs, outputs, ringBits, weightBits, drawnInputs = 0 } = spec;
  const squares = (count: number) => count * 4 ** weightBits;
  const sum = drawnInputs * 2 ** weightBits;
  const product = { tokens, inputs, outputs, ringBits, squares, parts: 1, drawnInputs, sum };
  const { candidate, bits, bound } = blocksOf(product);
  const blocked = new BlockedProduct(product, candidate);
  const { parameters, noise, kW } = candidate;
  return {
    parameters,
    ringBits,
    bits,
    errorBound: bound,
    uploads: blocked.uploads,
    drawn: blocked.tokenBlocks * blocked.drawnBlocks,
    stride: kW,
    levels: noise.levels,
    answers: blocked.answers((token, output) => token * outputs + output),
    results: tokens * outputs,
    work: estimateWork(candidate),
    encode: ({ x }, upload, out) => blocked.encode((token, input) => x[token * inputs + input], upload, out),
    isDrawn: (upload) => blocked.isDrawn(upload),
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
    const { key, weightBits, inputs, drawnInputs = 0 } = spec;
    if (!(Number.isInteger(drawnInputs) && drawnInputs >= 0 && drawnInputs <= inputs))
      throw new RangeError(`${keyText(key)}: drawnInputs: expected an integer from 0 to ${inputs}, got ${drawnInputs}`);
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
