/** The order in which the picker's slider shows the models of one set. */
import { expect, test } from 'vitest';
import { type BundledModel, cheapestFirst } from '../../client/src/session/models.ts';

const model = (name: string, tokens: number, top1?: number): BundledModel => ({
  ...{ name, title: `Set, ${name}: network`, description: '', weightsBytes: 1, isMeasured: false, tokens },
  accuracy: top1 === undefined ? null : { top1, testImages: 100 },
});
const names = (models: BundledModel[]) => cheapestFirst(models).map(({ name }) => name);

test('by how often they are right, where that is known of all', () => {
  expect(names([model('best', 50, 0.97), model('worst', 50, 0.9), model('middle', 82, 0.92)])).toEqual([
    'worst',
    'middle',
    'best',
  ]);
});

test('else by their tokens', () => {
  expect(names([model('large', 197), model('small', 101, 0.7)])).toEqual(['small', 'large']);
});
