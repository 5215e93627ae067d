import { expect } from 'vitest';

/** Entry-wise equality of typed arrays: vitest's own `toEqual` takes seconds for 10^5 entries. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length, 'length').toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) expect.fail(`entry ${i}: expected ${expected[i]}, got ${actual[i]}`);
  }
}
