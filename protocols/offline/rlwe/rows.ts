/**
 * Correlations of rows: inner products and scaled vectors, for LayerNorm and softmax. The products are those of Cheetah's coefficient
 * encoding (Huang et al., USENIX Security 2022); that single coefficients of many ciphertexts travel in one is PackLWEs (Chen et al.,
 * ACNS 2021), without which these would cost more than oblivious transfers do.
 *
 * Consumes nothing. Two flights.
 */
import { maskSquares } from '../../rlwe/noise.ts';
import { keyText, requireWords, type ScaleSpec, type SumOfSquaresSpec } from '../correlations.ts';
import type { LayoutOf, RlweKind } from './kind.ts';
import {
  type Candidate,
  centred,
  chooseCandidate,
  estimateWork,
  logarithm,
  nextPowerOfTwo,
  parameterSets,
} from './layout.ts';

/**
 * `sumOfSquares`: share_i = 2·Σ_j x_ij·ρ_ij. A ciphertext holds n/kW rows (or parts of rows) of kW numbers:
 *   x̂ = Σ x_ij·X^(slot·kW + j − (kW − 1)),   ρ̂_i = Σ 2·ρ_ij·X^((kW − 1) − j − slot·kW),
 * so the constant coefficient of x̂·ρ̂_i is row i's sum. Each row is a leaf with one result, at stride n.
 */
function sumOfSquaresLayout(spec: SumOfSquaresSpec): LayoutOf<SumOfSquaresSpec> {
  const { rows, cols, ringBits } = spec;
  interface Arrangement extends Candidate {
    readonly kW: number;
  }
  function* arrangements(): Generator<Arrangement> {
    for (const parameters of parameterSets) {
      const n = parameters.degree;
      const kW = Math.min(nextPowerOfTwo(cols), n);
      const parts = Math.ceil(cols / kW);
      const uploads = Math.ceil(rows / (n / kW)) * parts;
      for (let levels = 0; 2 ** levels <= Math.min(n, nextPowerOfTwo(rows)); levels++) {
        const noise = { ringBits, squares: maskSquares(cols, ringBits), levels, parts: 1 };
        yield { parameters, noise, uploads, leaves: rows, terms: rows * parts, length: n, kW };
      }
    }
  }
  const best = chooseCandidate(arrangements());
  if (best === undefined)
    throw new RangeError(
      `${keyText(spec.key)}: no parameters keep the error of ${cols} terms mod 2^${ringBits} within ±1`,
    );
  const { candidate, bits, bound } = best;
  const { parameters, kW, noise } = candidate;
  const n = parameters.degree;
  const slots = n / kW;
  const parts = Math.ceil(cols / kW);
  const group = 2 ** noise.levels;
  return {
    parameters,
    ringBits,
    bits,
    errorBound: bound,
    uploads: candidate.uploads,
    stride: n,
    levels: noise.levels,
    answers: Array.from({ length: Math.ceil(rows / group) }, (_, answer) => {
      const leaves = Math.min(group, rows - answer * group);
      const places = new Uint32Array(2 * leaves);
      for (let leaf = 0; leaf < leaves; leaf++) places.set([(leaf * n) / group, answer * group + leaf], 2 * leaf);
      return { leaves, places };
    }),
    results: rows,
    work: estimateWork(candidate),
    encode: ({ x }, upload, out) => {
      const firstRow = Math.floor(upload / parts) * slots;
      const firstCol = (upload % parts) * kW;
      for (let slot = 0; slot < slots && firstRow + slot < rows; slot++) {
        for (let j = 0; j < kW && firstCol + j < cols; j++) {
          const value = x[(firstRow + slot) * cols + firstCol + j];
          const at = slot * kW + j - (kW - 1);
          if (at >= 0) out[at] = value;
          else out[at + n] = -value;
        }
      }
      if (ringBits < 32) for (let i = 0; i < n; i++) out[i] &= 2 ** ringBits - 1;
    },
    leaf: ({ xMask }, answer, leaf) => {
      const row = answer * group + leaf;
      const slot = row % slots;
      return Array.from({ length: parts }, (_, part) => ({
        upload: Math.floor(row / slots) * parts + part,
        length: n,
        fill: (out) => {
          for (let j = 0; j < kW && part * kW + j < cols; j++) {
            const value = centred(2 * xMask[row * cols + part * kW + j], ringBits);
            const at = kW - 1 - j - slot * kW;
            if (at >= 0) out[at] = value;
            else out[at + n] = -value;
          }
        },
      }));
    },
  };
}

/**
 * `scale`: share_ij = s_i·ρx_ij + ρs_i·x_ij. With S = n/c (c the columns, rounded up to a power of two), S rows share a ciphertext of x and
 * one of s:
 *   x̂ = Σ x_ij·X^(S·j + i),   ŝ = Σ s_i·X^i,   and leaf i is X^−i·(ρs_i·x̂ + ŝ·Σ_j ρx_ij·X^(S·j)),
 * whose multiples of S carry row i; the others' rows fall beside them and vanish in the packing.
 */
function scaleLayout(spec: ScaleSpec): LayoutOf<ScaleSpec> {
  const { rows, cols, ringBits } = spec;
  interface Arrangement extends Candidate {
    readonly stride: number;
  }
  function* arrangements(): Generator<Arrangement> {
    for (const parameters of parameterSets) {
      const n = parameters.degree;
      const stride = n / nextPowerOfTwo(cols);
      if (stride < 1) continue;
      const groups = Math.ceil(rows / stride);
      const levels = logarithm(Math.min(stride, nextPowerOfTwo(rows)));
      const noise = { ringBits, squares: maskSquares(cols + 1, ringBits), levels, parts: 1 };
      yield {
        parameters,
        noise,
        uploads: 2 * groups,
        leaves: rows,
        terms: 2 * rows,
        length: n,
        stride,
      };
    }
  }
  const best = chooseCandidate(arrangements());
  if (best === undefined)
    throw new RangeError(
      `${keyText(spec.key)}: no parameters keep the error of ${cols} columns mod 2^${ringBits} within ±1`,
    );
  const { candidate, bits, bound } = best;
  const { parameters, stride, noise, uploads } = candidate;
  const n = parameters.degree;
  const group = 2 ** noise.levels;
  const put = (out: Int32Array, at: number, value: number) => {
    if (at >= 0) out[at] = value;
    else out[at + n] = -value;
  };
  return {
    parameters,
    ringBits,
    bits,
    errorBound: bound,
    uploads,
    stride,
    levels: noise.levels,
    answers: Array.from({ length: Math.ceil(rows / group) }, (_, answer) => {
      const leaves = Math.min(group, rows - answer * group);
      const places = new Uint32Array(2 * leaves * cols);
      for (let leaf = 0; leaf < leaves; leaf++) {
        for (let j = 0; j < cols; j++) {
          const result = leaf * cols + j;
          places.set([stride * j + (leaf * stride) / group, answer * group * cols + result], 2 * result);
        }
      }
      return { leaves, places };
    }),
    results: rows * cols,
    work: estimateWork(candidate),
    // Uploads alternate: x of a group of rows, then s of it. Groups of rows are the answers: a group has 2^levels = S rows, or all there are.
    encode: ({ s, x }, upload, out) => {
      const firstRow = Math.floor(upload / 2) * stride;
      for (let i = 0; i < stride && firstRow + i < rows; i++) {
        if (upload % 2 === 1) out[i] = s[firstRow + i];
        else for (let j = 0; j < cols; j++) out[stride * j + i] = x[(firstRow + i) * cols + j];
      }
      if (ringBits < 32) for (let i = 0; i < n; i++) out[i] &= 2 ** ringBits - 1;
    },
    leaf: ({ sMask, xMask }, answer, leaf) => {
      const row = answer * group + leaf;
      const i = row % stride;
      const upload = 2 * Math.floor(row / stride);
      return [
        { upload, length: n, fill: (out) => put(out, -i, centred(sMask[row], ringBits)) },
        {
          upload: upload + 1,
          length: n,
          fill: (out) => {
            for (let j = 0; j < cols; j++) put(out, stride * j - i, centred(xMask[row * cols + j], ringBits));
          },
        },
      ];
    },
  };
}

export const rlweSumOfSquares: RlweKind<SumOfSquaresSpec> = {
  sizes: ({ rows, cols }) => ({ rows, cols }),
  results: ({ rows }) => rows,
  layout: sumOfSquaresLayout,
  checkClient({ spec, x }) {
    requireWords(spec, 'x', x, spec.rows * spec.cols);
  },
  ownerInput(request) {
    requireWords(request.spec, 'xMask', request.xMask, request.spec.rows * request.spec.cols);
    return request;
  },
};

export const rlweScale: RlweKind<ScaleSpec> = {
  sizes: ({ rows, cols }) => ({ rows, cols }),
  results: ({ rows, cols }) => rows * cols,
  layout: scaleLayout,
  checkClient({ spec, s, x }) {
    requireWords(spec, 's', s, spec.rows);
    requireWords(spec, 'x', x, spec.rows * spec.cols);
  },
  ownerInput(request) {
    const { spec, sMask, xMask } = request;
    requireWords(spec, 'sMask', sMask, spec.rows);
    requireWords(spec, 'xMask', xMask, spec.rows * spec.cols);
    return request;
  },
};
