// What the best plain and regular attacks on the LPN parameters in use cost, in bits: a guard against weaker sets. docs/ot.md has the whole list.
import { expect, it } from 'vitest';
import { type FerretParameters, ferretBootstrap, ferretMain } from '../../protocols/ot/ferret.ts';

/** log2 of n choose m. */
function binomial(n: number, m: number): number {
  let bits = 0;
  for (let i = 0; i < m; i++) bits += Math.log2((n - i) / (m - i));
  return bits;
}

/** n samples, k secret bits, w errors, one in each run of b samples. */
const instance = ({ logSecret, treeDepth, trees }: FerretParameters) => {
  const b = 2 ** treeDepth;
  return { n: trees * b, k: 2 ** logSecret, w: trees, b };
};

/**
 * Pooled Gauss as Liu, Wang, Yang and Yu count it ("The hardness of LPN over any integer ring and field for PCG applications", EUROCRYPT 2024):
 * a guess of k samples without an error, and k^2.8 steps for each. Regular noise is exact noise with w parity checks more.
 */
function pooledGauss(p: FerretParameters): number {
  const { n, k, w } = instance(p);
  return 2.8 * Math.log2(k - w) - (binomial(n - k, w) - binomial(n - w, w));
}

/** Regular information-set decoding by permutations (Esser and Santini, "Not just regular decoding", CRYPTO 2024, appendix A.1). */
function regularPermutation(p: FerretParameters): number {
  const { n, k, w } = instance(p);
  const free = k - w;
  return 2 * Math.log2(n - free) + Math.log2(n) - w * Math.log2(1 - free / n);
}

/** The same by enumeration: p errors among the first v coordinates of the blocks, found as collisions of two lists on ell bits. */
function regularEnumeration(parameters: FerretParameters): number {
  const { n, k, w, b } = instance(parameters);
  const free = k - w;
  let best = Number.POSITIVE_INFINITY;
  for (let p = 0; p < 30; p += 2) {
    const size = binomial(Math.round(w / 2), p / 2) + (p / 2) * Math.log2(free / w);
    for (let ell = Math.ceil(size / 2); ell < Math.max(1, 1.5 * size); ell++) {
      const v = (free + ell) / w;
      const list = binomial(Math.round(w / 2), p / 2) + (p / 2) * Math.log2(v);
      const success = 2 * binomial(w / 2, p / 2) + p * Math.log2(v / b) + (w - p) * Math.log2(1 - v / b);
      const steps = Math.log2(n) + Math.max(2 * Math.log2(n - free), 1 + list, 2 * list - ell);
      best = Math.min(best, steps - success);
    }
  }
  return best;
}

it.each([
  ['main', ferretMain, 144.2, 161.4, 140.6],
  ['bootstrap', ferretBootstrap, 139.6, 153.7, 132.5],
] as const)('keep 128 bits: %s', (_name, parameters, gauss, permutation, enumeration) => {
  const costs = [pooledGauss(parameters), regularPermutation(parameters), regularEnumeration(parameters)];
  // To the tenth of a bit what the estimator of lpnestimator.com says.
  [gauss, permutation, enumeration].forEach((bits, i) => {
    expect(Math.abs(costs[i]! - bits)).toBeLessThan(0.1);
  });
  expect(Math.min(...costs)).toBeGreaterThan(128);
});

it('notice a weaker set', () => {
  const weaker = { ...ferretBootstrap, logSecret: 15 };
  expect(regularEnumeration(weaker)).toBeLessThan(128);
});
