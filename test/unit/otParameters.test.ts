/** What the attacks on the parameters in use cost, in bits: a guard against weaker sets, and the figures of docs/estimates.md. */
import { describe, expect, it } from 'vitest';
import { ferretBootstrap, ferretMain } from '../../protocols/ot/ferret.ts';
import { parameterSets } from '../../protocols/rlwe/parameters.ts';
import { costModels, primal } from '../../scripts/lib/estimates/lattice.ts';
import { bjmm, instanceOf, lpnAttacks } from '../../scripts/lib/estimates/lpn.ts';

describe('LPN', () => {
  it.each([
    ['main', ferretMain, [144.2, 138.8, 136.6, 161.4, 140.6]],
    ['bootstrap', ferretBootstrap, [139.6, 131.3, 128.6, 153.7, 132.5]],
  ] as const)('keeps 128 bits: %s', (_name, parameters, stated) => {
    const costs = Object.values(lpnAttacks).map((attack) => attack(instanceOf(parameters)));
    // To the tenth of a bit what the program behind lpnestimator.com says.
    expect(costs).toHaveLength(stated.length);
    for (const [i, bits] of stated.entries()) expect(Math.abs(costs[i] - bits)).toBeLessThan(0.1);
    expect(Math.min(...costs)).toBeGreaterThan(128);
    expect(Math.min(...costs)).toBe(bjmm(instanceOf(parameters)));
  });

  it('notices a weaker set', () => {
    expect(bjmm(instanceOf({ ...ferretBootstrap, logSecret: 15 }))).toBeLessThan(128);
  });
});

describe('ring-LWE', () => {
  const bits = (set: Parameters<typeof primal>[0], model: string) => primal(set, costModels[model]).bits;

  it('finds the tables of the standard and of the newer guideline again', () => {
    // Ternary secrets, 128 bits, classical: HomomorphicEncryption.org 2018, table 1; Bossuat et al., ePrint 2024/463, table 5.2.
    for (const [degree, standard, guideline] of [
      [1024, 27, 26],
      [2048, 54, 53],
      [4096, 109, 106],
      [8192, 218, 214],
    ] as const) {
      const [old, recent] = [
        bits({ degree, modulusBits: standard }, 'standard'),
        bits({ degree, modulusBits: guideline }, 'matzov'),
      ];
      // What the tables round down to a whole bit of the modulus is more in small dimensions.
      const slack = 6 * (1024 / degree) + 0.5;
      expect(old).toBeGreaterThan(127.8);
      expect(old).toBeLessThan(128 + slack);
      expect(recent).toBeGreaterThan(128);
      expect(recent).toBeLessThan(128 + slack);
    }
  });

  it('keeps 128 bits by the standard, and by the newer model all but one set', () => {
    for (const set of parameterSets) {
      expect(bits(set, 'standard'), set.name).toBeGreaterThan(128);
      expect(bits(set, 'matzov'), set.name).toBeGreaterThan(set.name === 'n2048q54' ? 127 : 128);
    }
    expect(bits({ degree: 2048, modulusBits: 54 }, 'matzov')).toBeLessThan(128);
    expect(bits({ degree: 2048, modulusBits: 53 }, 'matzov')).toBeGreaterThan(128);
  });
});
