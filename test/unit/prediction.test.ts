import { expect, test } from 'vitest';
import { lineOf, onlinePerOffline, predict, travelMs } from '../../client/src/session/prediction.ts';

const line = { roundTripMs: 50, clientToOwnerPerSecond: 1e6, ownerToClientPerSecond: 2e6 };
const plan = { bytesClientToOwner: 8e6, bytesOwnerToClient: 3e6, flights: 200 };

test('travelling: half a round trip for each flight, and each direction’s bytes at its own rate', () => {
  expect(travelMs(plan, line)).toBe(200 * 25 + 8000 + 1500);
  expect(travelMs({ bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 }, line)).toBe(0);
});

test('computing: unknown, then by the preparation, then by the image before', () => {
  const offline = { bytesClientToOwner: 2e6, bytesOwnerToClient: 2e6, flights: 4, elapsedMs: 13_100 };
  const online = { ...plan, elapsedMs: 18_000 };
  expect(predict(plan, line, undefined, undefined)).toEqual({ travelMs: 14_500, computeMs: undefined });
  expect(predict(plan, line, offline, undefined).computeMs).toBeCloseTo(10_000 * onlinePerOffline);
  // On the same line the next image is predicted to take what this one took.
  expect(predict(plan, line, offline, online)).toEqual({ travelMs: 14_500, computeMs: 3500 });
});

test('a line that turned out faster than it was measured never makes computing negative', () => {
  expect(predict(plan, line, undefined, { ...plan, elapsedMs: 1 }).computeMs).toBe(0);
});

test('both sides see the same line', () => {
  const ofClient = lineOf({ roundTripMs: 1, sentPerSecond: 2, receivedPerSecond: 3 }, 'client');
  expect(lineOf({ roundTripMs: 1, sentPerSecond: 3, receivedPerSecond: 2 }, 'owner')).toEqual(ofClient);
});
