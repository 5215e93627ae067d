import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { batchEvents } from '../../client/src/worker/eventBatch.ts';
import type { SessionEvent } from '../../protocols/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const meters = (phase: 'offline' | 'online', bytes: number): SessionEvent => ({
  type: 'meters',
  phase,
  elapsedMs: 0,
  framingBytes: 0,
  steps: [
    { name: 's', protocol: 'p', phase, elapsedMs: 0, bytesClientToOwner: bytes, bytesOwnerToClient: 0, flights: 0 },
  ],
});

test('the latest meters of each interval pass, and nothing is lost at its end', () => {
  const posted: SessionEvent[] = [];
  vi.advanceTimersByTime(1000);
  const batch = batchEvents((event) => posted.push(event));
  for (let bytes = 1; bytes <= 10; bytes++) batch(meters('online', bytes));
  expect(posted).toEqual([meters('online', 1)]);
  vi.advanceTimersByTime(150);
  expect(posted).toEqual([meters('online', 1)]);
  vi.advanceTimersByTime(100);
  expect(posted).toEqual([meters('online', 1), meters('online', 10)]);
});

test('a change of state comes after the meters that were held back, and phases do not replace each other', () => {
  const posted: SessionEvent[] = [];
  vi.advanceTimersByTime(1000);
  const batch = batchEvents((event) => posted.push(event));
  batch(meters('offline', 1));
  batch(meters('offline', 2));
  batch(meters('online', 3));
  batch({ type: 'state', state: 'done' });
  expect(posted).toEqual([
    meters('offline', 1),
    meters('offline', 2),
    meters('online', 3),
    { type: 'state', state: 'done' },
  ]);
});

test.each([
  ['online', 'five', 5],
  ['offline', 'two', 2],
] as const)('while bytes flow, meters pass so many times a second: %s, %s', (phase, _, times) => {
  const posted: SessionEvent[] = [];
  const batch = batchEvents((event) => posted.push(event));
  for (let ms = 0; ms < 1000; ms++) {
    batch(meters(phase, ms));
    vi.advanceTimersByTime(1);
  }
  expect(Math.abs(posted.length - times)).toBeLessThanOrEqual(1);
});
