/**
 * A thousand random models from end to end, without a dealer: the reference's answer, at the plan's bytes and flights. In parts of a hundred,
 * which may be run one by one: `RANDOM_SEED=SEED npm run test:long -- randomManifests -t 'part 3 '`. Without a seed each run takes others.
 */
import { expect, it, vi } from 'vitest';
import { runRandomModels } from '../support/randomRuns.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

const perPart = 100;
const { RANDOM_SEED } = process.env;
/** Of fast-check. A failure prints the seed of its part, with the path to the case. */
const seed = RANDOM_SEED === undefined ? Date.now() % 2 ** 30 : Number(RANDOM_SEED);

it.each(Array.from({ length: 10 }, (_, part) => part))(
  `seed ${seed}, part %i of a thousand random models`,
  async (part) => {
    const figures = await runRandomModels(perPart, seed + part);
    console.log(figures);
    expect(figures).toMatch(/^100 random models/);
  },
);
