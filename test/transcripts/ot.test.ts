import { expect, it } from 'vitest';
import type { OtBasedSpec } from '../../protocols/offline/correlations.ts';
import { stageCost } from '../../protocols/offline/ot/segments.ts';
import { setupCost } from '../../protocols/ot/cotCosts.ts';
import { drawOperands } from '../ideal/ot.ts';
import { otPair, smallParameters } from '../ideal/otPair.ts';
import { keyOf } from '../support/keys.ts';

const stage: readonly OtBasedSpec[] = [
  { kind: 'ot', key: keyOf('truncate'), ringBits: 12, count: 100, choiceBits: 1, words: 1 },
  { kind: 'ot', key: keyOf('spline'), ringBits: 22, count: 20, choiceBits: 5, words: 3 },
  { kind: 'square', key: keyOf('square'), ringBits: 22, count: 50 },
  { kind: 'sumOfSquares', key: keyOf('sum'), ringBits: 24, rows: 4, cols: 16 },
  { kind: 'ringCot', key: keyOf('ringCot'), ringBits: 22, count: 40, factorBits: 9 },
  { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 4, cols: 16 },
];

// A change of the wire format, of a hash label or of the order of messages changes the digest: then both sides of a
// pairing must run the new version, and this line changes in the same commit.
const digests = [
  [false, 'dc55318a1cfa9f2d0dbd73c34611cd01a1967b5e625b0740633e037a0864931f'],
  [true, '72ff7f494a04f9c431a72d5331846fb9f0e200e421d85d206aed85e6426a9e92'],
] as const;

it.each(digests)(
  'the wire of set-up and one stage is what it was, at the planned cost (checks: %s)',
  async (checks, digest) => {
    const parameters = { ...smallParameters, checks };
    const { channels, client, owner, random } = await otPair(new Uint8Array(32).fill(9), {}, parameters);
    const operands = stage.map((spec) => drawOperands(spec, random));
    const cost = stageCost(stage, 0, parameters);
    await Promise.all([
      client.provide(operands.map((pair) => pair.client)),
      owner.provide(operands.map((pair) => pair.owner)),
    ]);
    const setup = setupCost(parameters);
    expect(channels.client.channel.counters).toMatchObject({
      bytesSent: setup.bytesClientToOwner + cost.bytesClientToOwner,
      bytesReceived: setup.bytesOwnerToClient + cost.bytesOwnerToClient,
    });
    // The stage's first message travels in the set-up's last flight.
    expect(channels.client.channel.snapshot().total.flights).toBe(setup.flights + cost.flights - 1);
    expect(channels.client.recording.bytes('sent')).toEqual(channels.owner.recording.bytes('received'));
    expect(channels.client.recording.digest()).toBe(digest);
  },
);
