/**
 * npm run estimates
 * The hardness of the parameters in use, computed again from the papers' formulas: both LPN sets of Ferret, every ring-LWE set. What it prints
 * stands in docs/estimates.md.
 */
import { ferretBootstrap, ferretMain } from '../protocols/ot/ferret.ts';
import { parameterSets } from '../protocols/rlwe/parameters.ts';
import { costModels, primal } from './lib/estimates/lattice.ts';
import { instanceOf, lpnAttacks } from './lib/estimates/lpn.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const sets = { main: ferretMain, bootstrap: ferretBootstrap };

say(`| LPN, bits | ${Object.keys(sets).join(' | ')} |\n|---|---|---|`);
for (const [name, attack] of Object.entries(lpnAttacks)) {
  say(
    `| ${name} | ${Object.values(sets)
      .map((set) => attack(instanceOf(set)).toFixed(1))
      .join(' | ')} |`,
  );
}
const models = Object.entries(costModels);
say(
  `\n| ring-LWE, bits (β, d) | log2 q | ${models.map(([name]) => name).join(' | ')} |\n|---|---|${'---|'.repeat(models.length)}`,
);
const hypothetical = { name: 'n2048, 53 bits', degree: 2048, modulusBits: 53 };
for (const set of [...parameterSets, hypothetical]) {
  const costs = models.map(([, model]) => {
    const { bits, beta, d } = primal(set, model);
    return `${bits.toFixed(1)} (${beta}, ${d})`;
  });
  say(`| ${set.name} | ${set.modulusBits.toFixed(2)} | ${costs.join(' | ')} |`);
}
for (const [name, { source }] of models) say(`\n${name}: ${source}`);
