/** Prices of switches: what they add up to is what the plan says, for switches that they were not measured at. */
import { describe, expect, test } from 'vitest';
import { compilePlan, type Manifest } from '../../protocols/index.ts';
import { costMs, type Prices, pricesOf } from '../../scripts/lib/prices.ts';
import { makeManifest } from '../support/manifest.ts';

const network = { roundTripMs: 40, mbps: 50, offlineShare: 0.1 };
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** rows[layer]: how many of each head's; tokens[layer]. */
function predicted(prices: Prices, { architecture }: Manifest, rows: number[], tokens: number[]) {
  const { heads, depth } = architecture;
  let ms = prices.rest;
  for (const l of range(depth)) {
    if (rows[l])
      ms += prices.softmaxLayer[l] + range(heads).reduce((sum, h) => sum + rows[l] * prices.softmaxRow[l][h], 0);
    if (tokens[l]) ms += prices.geluLayer[l] + tokens[l] * prices.geluToken[l];
  }
  return ms;
}

function planned(manifest: Manifest, rows: number[], tokens: number[]) {
  const { heads } = manifest.architecture;
  const switches = {
    softmaxRows: rows.map((n) => range(heads).map(() => range(n))),
    geluTokens: tokens.map((n) => range(n)),
  };
  return costMs(compilePlan({ ...manifest, switches }).steps, network);
}

describe('prices of switches', () => {
  test.each([
    { tokens: 'their mean', shape: { imageSize: 16 } },
    { tokens: 'the class token', shape: { imageSize: 12, prefixTokens: 1, pool: 'class' } },
  ] as const)('add up to the plan’s cost within 3 %: $tokens', ({ shape }) => {
    const manifest = makeManifest({ patchSize: 2, dim: 32, heads: 2, mlpDim: 64, ...shape });
    const prices = pricesOf(manifest, network);
    for (const [rows, tokens] of [
      [
        [20, 1],
        [9, 1],
      ],
      [
        [0, 1],
        [12, 0],
      ],
      [
        [3, 0],
        [0, 1],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    ] as const) {
      const cost = planned(manifest, [...rows], [...tokens]);
      expect(Math.abs(predicted(prices, manifest, [...rows], [...tokens]) - cost) / cost).toBeLessThan(0.03);
    }
  });

  test('the first row of a layer pays for flights, and no row is free', () => {
    const prices = pricesOf(makeManifest({ imageSize: 8, patchSize: 2 }), network);
    for (const layer of prices.softmaxLayer) expect(layer).toBeGreaterThan(network.roundTripMs);
    for (const row of prices.softmaxRow.flat()) expect(row).toBeGreaterThan(0);
    for (const token of prices.geluToken) expect(token).toBeGreaterThan(0);
  });
});
