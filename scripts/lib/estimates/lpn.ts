/**
 * What the attacks on LPN with regular noise cost, in bits, for Ferret's parameters. Over F_2, regular noise of weight w in n samples with k
 * secret bits is exact noise with w parity checks more: n − w samples, k − w secret bits (Liu, Wang, Yang and Yu, "The hardness of LPN over
 * any integer ring and field for PCG applications", EUROCRYPT 2024, ePrint 2022/712, §4). All attacks are counted alike: operations on bits of
 * vectors, memory and its access for nothing. lpnestimator.com (Yu, Yang, Wang and others 2025) counts so, too, and these agree with it.
 */
import type { FerretParameters } from '../../../protocols/ot/ferret.ts';

export interface Instance {
  /** Samples. */
  readonly n: number;
  /** Bits of the secret. */
  readonly k: number;
  /** Errors. */
  readonly w: number;
}

/** With one error in each run of `run` samples. */
export interface RegularInstance extends Instance {
  readonly run: number;
}

export const instanceOf = ({ logSecret, treeDepth, trees }: FerretParameters): RegularInstance => ({
  n: trees * 2 ** treeDepth,
  k: 2 ** logSecret,
  w: trees,
  run: 2 ** treeDepth,
});

const exactNoise = ({ n, k, w }: Instance): Instance => ({ n: n - w, k: k - w, w });

/** log2 of n!, by Stirling's series. */
function logFactorial(n: number): number {
  if (n < 32) {
    let bits = 0;
    for (let i = 2; i <= n; i++) bits += Math.log2(i);
    return bits;
  }
  const series = 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
  return ((n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + series) / Math.LN2;
}

/** log2 of n choose m. */
export const logBinomial = (n: number, m: number): number =>
  m < 0 || m > n ? Number.NEGATIVE_INFINITY : logFactorial(n) - logFactorial(m) - logFactorial(n - m);

const logSum = (...terms: number[]): number => {
  const largest = Math.max(...terms);
  return largest + Math.log2(terms.reduce((sum, term) => sum + 2 ** (term - largest), 0));
};

/** Pooled Gauss (ePrint 2022/712, §4.1): a guess of k samples without an error, k^2.8 steps for each. */
export function pooledGauss(regular: RegularInstance): number {
  const { n, k, w } = exactNoise(regular);
  return 2.8 * Math.log2(k) - (logBinomial(n - k, w) - logBinomial(n, w));
}

const even = (x: number) => 2 * Math.floor(x / 2);
/** log2 of one iteration's linear algebra. */
const eliminationBits = ({ n, k }: Instance, ell: number) => Math.log2(((n - k - ell) * n) / Math.log2(n - k - ell));

/** Smallest value of a function that falls, then rises, over the integers of [from, to]. */
function minimum(from: number, to: number, cost: (x: number) => number): number {
  let [low, high] = [from, to];
  while (high - low > 10) {
    const third = Math.floor((high - low) / 3);
    if (cost(low + third) > cost(high - third)) low += third;
    else high -= third;
  }
  let best = Number.POSITIVE_INFINITY;
  for (let x = Math.max(from, low - 10); x <= Math.min(to, high + 10); x++) best = Math.min(best, cost(x));
  return best;
}

/** Information-set decoding of Stern and Dumer (ePrint 2022/712, §4.3: SD-ISD): two lists that collide on `ell` bits. */
export function sternDumer(regular: RegularInstance): number {
  const instance = exactNoise(regular);
  const { n, k, w } = instance;
  let best = Number.POSITIVE_INFINITY;
  for (let p = 0; p < 40; p += 2) {
    const cost = (drawn: number) => {
      const ell = even(k + drawn) - k + 2;
      const list = logBinomial(Math.floor((k + ell) / 2), p / 2);
      const collisions = 2 * list - ell;
      const iteration = logSum(eliminationBits(instance, ell), 1 + list, 1 + collisions) + Math.log2(n);
      const success = logBinomial(n - k - ell, w - p) - logBinomial(n, w) + ell + collisions;
      return success >= 0 ? 999 : iteration - success;
    };
    best = Math.min(best, minimum(1, 2000, cost));
  }
  return best;
}

/**
 * Information-set decoding of Becker, Joux, May and Meurer (EUROCRYPT 2012), three levels, as ePrint 2022/712, §4.3 counts it: BJMM-ISD. The
 * numbers of representations follow from the overlaps e1 and e2 (Hamdaoui and Sendrier, ePrint 2013/162).
 */
export function bjmm(regular: RegularInstance): number {
  const instance = exactNoise(regular);
  const { n, k, w } = instance;
  const atWeight = (drawn: number, p2: number): number => {
    const ell = even(k + drawn) - k + 2;
    const all = k + ell;
    const half = logBinomial(Math.floor(all / 2), p2 / 2);
    const elimination = eliminationBits(instance, ell);
    const merged = (weight: number, overlap: number) =>
      logBinomial(weight, overlap) + logBinomial(all - weight, weight - overlap) - logBinomial(all, weight);
    let best = Number.POSITIVE_INFINITY;
    for (let e2 = 0; e2 < p2; e2++) {
      const p1 = 2 * (p2 - e2);
      for (let e1 = Math.max(0, p1 - Math.floor(w / 2)); e1 < p1; e1++) {
        const p = 2 * (p1 - e1);
        if (p > w) continue;
        const clamp = (bits: number, most: number) => Math.max(0, Math.min(Math.floor(bits), most));
        const r2 = clamp(merged(p2, e2) + 4 * half - logBinomial(all, p1), drawn - 1);
        const r1 = clamp(merged(p1, e1) + 2 * logBinomial(all, p1) - logBinomial(all, p) - r2, drawn - r2 - 1);
        const c3 = 2 * half - r2;
        const c2 = 2 * c3 - r1;
        const s1 = Math.min(merged(p2, e2) + c2, logBinomial(all, p1) - (r1 + r2));
        const c1 = 2 * s1 - ell + r1 + r2;
        const s0 = Math.min(merged(p1, e1) + c1, logBinomial(all, p) - ell);
        const iteration = logSum(elimination, 3 + half, 2 + c3, 1 + c2, 1 + c1) + Math.log2(n);
        const success = logBinomial(n - k - ell, w - p) + ell + s0 - logBinomial(n, w);
        if (success < 0) best = Math.min(best, iteration - success);
      }
    }
    return best;
  };
  let best = Number.POSITIVE_INFINITY;
  for (let p2 = 2; p2 <= 8; p2 += 2)
    best = Math.min(
      best,
      minimum(1, 4000, (ell) => atWeight(ell, p2)),
    );
  return best;
}

/** Regular information-set decoding by permutations (Esser and Santini, "Not just regular decoding", CRYPTO 2024, appendix A.1). */
export function regularPermutation({ n, k, w }: RegularInstance): number {
  const free = k - w;
  return 2 * Math.log2(n - free) + Math.log2(n) - w * Math.log2(1 - free / n);
}

/** The same by enumeration: p errors among the first v coordinates of the runs, found as collisions of two lists on `ell` bits. */
export function regularEnumeration({ n, k, w, run }: RegularInstance): number {
  const free = k - w;
  let best = Number.POSITIVE_INFINITY;
  for (let p = 0; p < 30; p += 2) {
    const size = logBinomial(Math.round(w / 2), p / 2) + (p / 2) * Math.log2(free / w);
    for (let ell = Math.ceil(size / 2); ell < Math.max(1, 1.5 * size); ell++) {
      const v = (free + ell) / w;
      const list = logBinomial(Math.round(w / 2), p / 2) + (p / 2) * Math.log2(v);
      const success = 2 * logBinomial(w / 2, p / 2) + p * Math.log2(v / run) + (w - p) * Math.log2(1 - v / run);
      const steps = Math.log2(n) + Math.max(2 * Math.log2(n - free), 1 + list, 2 * list - ell);
      best = Math.min(best, steps - success);
    }
  }
  return best;
}

/** The registry: a further attack is a function above and a line here. */
export const lpnAttacks: Readonly<Record<string, (instance: RegularInstance) => number>> = {
  'pooled Gauss': pooledGauss,
  'SD-ISD': sternDumer,
  'BJMM-ISD': bjmm,
  'regular ISD, permutations': regularPermutation,
  'regular ISD, enumeration': regularEnumeration,
};
