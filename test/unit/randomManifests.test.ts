// Random models from end to end, without a dealer: the reference's answer, at the plan's bytes and flights. A thousand: npm run test:long.
import { expect, it, vi } from 'vitest';
import { runRandomModels } from '../support/randomRuns.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

it('random models classify as the reference does, at the planned cost', { timeout: 120_000 }, async () => {
  const figures = await runRandomModels(20);
  console.log(figures);
  expect(figures).toMatch(/^20 random models/);
});
