import { expect, it } from 'vitest';
import type { RlweSpec } from '../../protocols/offline/correlations.ts';
import { rlweCost, rlweSetupCost } from '../../protocols/offline/rlwe/costs.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { drawRlweOperands, rlwePair } from '../ideal/rlwe.ts';
import { expectSame } from '../support/expectSame.ts';
import { keyOf } from '../support/keys.ts';

const seed = new Uint8Array(32).fill(9);

const stage: readonly RlweSpec[] = [
  {
    kind: 'linear',
    key: keyOf('qkv'),
    ringBits: 32,
    tokens: 64,
    inputs: 256,
    outputs: 768,
    weights: 'qkv',
    weightBits: 12,
  },
  {
    kind: 'linear',
    key: keyOf('fc1'),
    ringBits: 26,
    tokens: 3,
    inputs: 256,
    outputs: 512,
    weights: 'fc1',
    weightBits: 12,
  },
  {
    kind: 'linear',
    key: keyOf('proj'),
    ringBits: 28,
    tokens: 64,
    inputs: 256,
    outputs: 256,
    weights: 'proj',
    weightBits: 11,
    drawnInputs: 256,
  },
  {
    kind: 'linear',
    key: keyOf('proj, in part'),
    ringBits: 27,
    tokens: 50,
    inputs: 192,
    outputs: 64,
    weights: 'proj, in part',
    weightBits: 11,
    drawnInputs: 128,
  },
  { kind: 'matmul', key: keyOf('scores'), ringBits: 29, batch: 2, rows: 64, inner: 64, cols: 64 },
  { kind: 'sumOfSquares', key: keyOf('sum'), ringBits: 22, rows: 64, cols: 256 },
  { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 64, cols: 256 },
];

// A change of the wire format, of a label, of the parameters or of the arrangements changes the digest: then both sides of
// a pairing must run the new version, and this line changes in the same commit.
const digest = '34921a49132835c65da983bbf7f5bc6010d7d7e21afa2551247e961afd8aa605';

it('the wire of set-up and one stage is what it was, and costs what the plan says', async () => {
  const operands = stage.map((spec) => drawRlweOperands(spec, new Prg(seed, spec.key.step)));
  const { channels, draw, provide, destroy } = await rlwePair(seed, operands);
  const setup = rlweSetupCost(stage);
  const counters = () => channels.client.channel.counters;
  expect(counters()).toMatchObject({ bytesSent: setup.bytesClientToOwner, bytesReceived: setup.bytesOwnerToClient });
  await provide(await draw());
  destroy();
  const costs = stage.map(rlweCost);
  expect(counters()).toMatchObject({
    bytesSent: setup.bytesClientToOwner + costs.reduce((sum, cost) => sum + cost.bytesClientToOwner, 0),
    bytesReceived: costs.reduce((sum, cost) => sum + cost.bytesOwnerToClient, 0),
  });
  // The keys and the first stage's ciphertexts travel the same way: one flight, then the answers.
  expect(channels.client.channel.snapshot().total.flights).toBe(2);
  expectSame(channels.client.recording.bytes('sent'), channels.owner.recording.bytes('received'));
  expect(channels.client.recording.digest()).toBe(digest);
});
