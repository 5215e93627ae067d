import { describe, expect, it } from 'vitest';
import { formatMs, formatPercent, formatWholeSeconds } from '../../client/src/ui/format.ts';

describe('times on screen', () => {
  it('have three digits when they were measured, and minutes never with sixty seconds', () => {
    expect([4.25, 321.4, 999.6, 3214, 99_949, 99_950, 119_600, 125_400].map(formatMs)).toEqual([
      '4.3 ms',
      '321 ms',
      '1.00 s',
      '3.21 s',
      '99.9 s',
      '1 min 40 s',
      '2 min 0 s',
      '2 min 5 s',
    ]);
  });

  it('are whole seconds, at least one, when they are forecasts', () => {
    expect([30, 3214, 59_600, 125_000].map(formatWholeSeconds)).toEqual(['1 s', '3 s', '1 min 0 s', '2 min 5 s']);
  });
});

it('shares are neither nothing nor everything unless they are', () => {
  expect([0, 0.0001, 0.001, 0.5, 0.9994, 0.9996, 1].map(formatPercent)).toEqual([
    '0.0 %',
    '< 0.1 %',
    '0.1 %',
    '50.0 %',
    '99.9 %',
    '> 99.9 %',
    '100.0 %',
  ]);
});
