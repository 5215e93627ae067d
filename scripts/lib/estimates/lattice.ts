/**
 * What the primal attack on ring-LWE costs, in bits: uSVP by BKZ (Alkim, Ducas, Pöppelmann and Schwabe, "Post-quantum key exchange: a new hope",
 * USENIX Security 2016, §6.3; Albrecht, Göpfert, Virdia and Wunderer, ASIACRYPT 2017), on the lattice that scales the small secret to the error
 * (Bai and Galbraith, ACISP 2014), with as many samples as serve it best. BKZ's bases follow the geometric series assumption.
 * The formulas are those of the lattice estimator (Albrecht, Player and Scott, J. Math. Cryptol. 2015; repository malb/lattice-estimator at
 * 27a581b), which also has the dual and hybrid attacks; for ternary secrets at these sizes the guidelines' tables are ruled by the least of all.
 */
import { errorVariance, type Parameters } from '../../../protocols/rlwe/parameters.ts';

export interface CostModel {
  readonly source: string;
  /** log2 of the cost of BKZ with blocks of `beta` in dimension d. */
  bits(beta: number, d: number): number;
}

const dimensionsForFree = (beta: number) =>
  Math.max(0, (beta * Math.log(4 / 3)) / Math.log(beta / (2 * Math.PI * Math.E)));

export const costModels: Readonly<Record<string, CostModel>> = {
  standard: {
    source: 'BDGL16 with 8d calls, that of HomomorphicEncryption.org 2018: 2^(0.292β + 16.4)·8d',
    bits: (beta, d) => 0.292 * beta + 16.4 + Math.log2(8 * d),
  },
  matzov: {
    source: "MATZOV 2022, list decoding, with Ducas's dimensions for free: the estimator's default",
    bits(beta, d) {
      const [a, b] = [0.29613500308205365, 20.387885985467914];
      const progressive = 1 / (1 - 2 ** -a);
      return 2 * Math.log2(progressive) + Math.log2(Math.max(d - beta, 1)) + a * (beta - dimensionsForFree(beta)) + b;
    },
  },
};

/** log2 of BKZ's root Hermite factor (Chen 2013). */
const logDelta = (beta: number) =>
  Math.log2(((Math.PI * beta) ** (1 / beta) * beta) / (2 * Math.PI * Math.E)) / (2 * (beta - 1));

/** Smallest block size that finds the secret in dimension n + m + 1, if any. */
function blockSize(n: number, m: number, logQ: number, deviation: number, secretDeviation: number): number {
  const d = n + m + 1;
  const logVolume = m * logQ + n * Math.log2(deviation / secretDeviation);
  const succeeds = (beta: number) =>
    0.5 * Math.log2(beta) + Math.log2(deviation) <= (2 * beta - d - 1) * logDelta(beta) + logVolume / d;
  let [low, high] = [60, d];
  if (!succeeds(high)) return Number.POSITIVE_INFINITY;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (succeeds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Bits, block size and dimension of the cheapest primal attack. */
export function primal({ degree: n, modulusBits }: Pick<Parameters, 'degree' | 'modulusBits'>, model: CostModel) {
  let best = { bits: Number.POSITIVE_INFINITY, beta: 0, d: 0 };
  for (let m = Math.floor(n / 4); m <= 2 * n; m += 8) {
    const beta = blockSize(n, m, modulusBits, Math.sqrt(errorVariance), Math.sqrt(2 / 3));
    const d = n + m + 1;
    const bits = model.bits(beta, d);
    if (bits < best.bits) best = { bits, beta, d };
  }
  return best;
}
