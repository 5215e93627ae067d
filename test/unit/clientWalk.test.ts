import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Walk, walkPlan } from '../../client/src/explain/walk.ts';
import { greyPicture, samplePicture } from '../../client/src/explain/walkPicture.ts';
import {
  boxes,
  columns,
  count,
  together,
  type WalkRun,
  type WalkStep,
  walkSteps,
  weights,
} from '../../client/src/explain/walkRun.ts';
import { gelu } from '../../protocols/layers/gelu.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import type { SplineOp } from '../../protocols/layers/spline.ts';
import { domainOf } from '../../protocols/layers/table.ts';
import { maskOf } from '../../protocols/sharing/packing.ts';
import { idealOffline } from '../ideal/dealer.ts';
import { offlineWith } from '../support/smallOffline.ts';

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const pictures = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: count, maxLength: count })
  .map((list) => Int32Array.from(list));
const every = Array.from({ length: count }, (_, pixel) => pixel);

/** Every step's two shares add up to what the step before says they must; `slack` units in the encrypted product. */
function expectSteps(run: WalkRun, slack: number) {
  const value = (step: WalkStep, pixel: number) => together(run.shares[step], pixel);
  const unit = (step: WalkStep) => 2 ** -run.shares[step].fracBits;
  for (const pixel of every) {
    const [split, multiply, shorten, lookUp, again] = walkSteps.map((step) => value(step, pixel));
    expect(split).toBe(run.pixels[pixel]);
    expect(Math.abs(multiply - (weights.first * split + weights.bias))).toBeLessThanOrEqual(slack * unit('multiply'));
    expect(Math.abs(shorten - multiply)).toBeLessThan(unit('shorten'));
    // w³·max|f'''|/192 for the curve's pieces, half a unit in each of three coefficients, and half of the last basis bit.
    const fit = (0.5 ** 3 * 0.77) / 192 + 1.5 * 2 ** -12 + 2 ** -10;
    expect(Math.abs(lookUp - gelu(shorten))).toBeLessThan(fit + unit('lookUp'));
    expect(Math.abs(again - weights.second * lookUp)).toBeLessThan(unit('again') + slack * 2 ** -19);
    expect(run.scores[pixel]).toBe(again);
    expect(Math.abs(run.scores[pixel] - 4 * gelu(0.007 * run.pixels[pixel] - 0.8))).toBeLessThan(0.015);
  }
}

test('each step’s shares add up, for every picture and all random numbers, up to the plain score', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, pictures, async (seed, pixels) => {
      const walk = await Walk.open(idealOffline(seed, 'exact'), seed);
      expectSteps(await walk.run(pixels), 0);
      await walk.close();
    }),
  );
});

describe('prepared by the two parties', () => {
  const pixels = Int32Array.from(every, (pixel) => 4 * pixel);
  let walk: Walk;
  beforeAll(async () => {
    walk = await Walk.open(offlineWith());
  }, 60_000);
  afterAll(() => walk.close());

  test('again and again: other shares and messages each time, the same scores', async () => {
    const [first, second] = [await walk.run(pixels), await walk.run(pixels)];
    for (const run of [first, second]) {
      expectSteps(run, 1);
      expect(run.preparation.clientToOwner).toBeGreaterThan(0);
      expect(run.preparation.ownerToClient).toBeGreaterThan(0);
    }
    const differing = (of: (run: WalkRun) => Uint32Array) =>
      of(first).reduce((sum, word, i) => sum + (word === of(second)[i] ? 0 : 1), 0);
    for (const step of walkSteps) {
      expect(
        differing((run) => run.shares[step].client),
        step,
      ).toBeGreaterThan(count - 4);
      expect(
        differing((run) => run.shares[step].owner),
        step,
      ).toBeGreaterThan(count - 4);
    }
    expect(differing((run) => run.masks)).toBeGreaterThan(count - 4);
    expect(differing((run) => run.lookUp.sealed)).toBeGreaterThan(count * boxes * columns - 4);
    for (const pixel of every) expect(Math.abs(first.scores[pixel] - second.scores[pixel])).toBeLessThan(0.02);
  });

  test('what travels is what the plan says', async () => {
    const { traffic } = await walk.run(pixels);
    const { operations } = walkPlan();
    for (const step of walkSteps) {
      const costs = operations.filter((op) => op.step === step).map((op) => protocolOf(op).cost(op));
      expect(traffic[step], step).toEqual({
        clientToOwner: costs.reduce((sum, { clientToOwner }) => sum + clientToOwner, 0),
        ownerToClient: costs.reduce((sum, { ownerToClient }) => sum + ownerToClient, 0),
      });
    }
    expect(traffic.multiply).toEqual({ clientToOwner: 0, ownerToClient: 0 });
  });

  test('the client’s product is masked, and the owner opens what its own share names', async () => {
    const { shares, masks, correction, lookUp } = await walk.run(pixels);
    const { ringBits, fracBits } = shares.multiply;
    const [weight, modulus] = [weights.first * 2 ** fracBits, 2 ** ringBits];
    const offset = 2 ** (ringBits - 2) + 2 ** (fracBits - shares.shorten.fracBits) - 1;
    const op = walkPlan().operations.find(({ kind }) => kind === 'spline') as SplineOp;
    const { domainBits, widthBits, minimum } = domainOf(op);
    for (const pixel of every) {
      const product = weight * shares.split.client[pixel] - masks[pixel];
      const off = (((shares.multiply.client[pixel] - product) % modulus) + modulus) % modulus;
      expect([0, 1, modulus - 1]).toContain(off);
      expect(correction.choices[pixel]).toBe(
        ((shares.multiply.owner[pixel] + offset) & maskOf(ringBits)) >>> (ringBits - 1),
      );
      const box = ((shares.shorten.owner[pixel] - minimum) & maskOf(domainBits)) >>> widthBits;
      expect(lookUp.choices[pixel]).toBe(box);
    }
    expect(lookUp.sealed).toHaveLength(count * boxes * columns);
    // Each of 448 is any of 16 boxes: that one never occurs has a probability of 4·10^-12.
    const hidden = new Set(lookUp.hidden);
    for (let i = 0; i < 6; i++) for (const box of (await walk.run(pixels)).lookUp.hidden) hidden.add(box);
    expect(hidden.size).toBe(boxes);
    expect(lookUp.hidden).not.toEqual(lookUp.choices);
  });

  test('refuses what is no picture, and goes on', async () => {
    await expect(walk.run(new Int32Array(3))).rejects.toThrow('pixels: expected 64, got 3');
    await expect(walk.run(new Int32Array(count).fill(256))).rejects.toThrow('pixel: expected 0 to 255, got 256');
    expectSteps(await walk.run(pixels), 1);
  });
});

test.each([
  [8, 8],
  [32, 32],
  [60, 60],
  [224, 224],
  [32, 64],
  [100, 8],
])('a picture of %i × %i pixels becomes 64: each the mean of its field', (height, width) => {
  const [down, across] = [height, width].map((length) => (i: number) => Math.floor((i * length) / 8));
  const pixels = new Uint8Array(3 * height * width);
  for (const field of every) {
    for (let y = down(field >> 3); y < down((field >> 3) + 1); y++) {
      for (let x = across(field & 7); x < across((field & 7) + 1); x++) {
        pixels.fill(samplePicture[field], 3 * (y * width + x), 3 * (y * width + x) + 3);
      }
    }
  }
  expect(greyPicture(pixels, { width, height })).toEqual(samplePicture);
  pixels.set([255, 255, 255]);
  expect(greyPicture(pixels, { width, height })[0]).toBe(
    Math.round(samplePicture[0] + (255 - samplePicture[0]) / (down(1) * across(1))),
  );
});

test('a picture of fewer pixels than fields shows each of them', () => {
  const pixels = Uint8Array.from({ length: 3 * 4 * 8 }, (_, i) => 5 * Math.floor(i / 3)); // 4 × 8
  expect([...greyPicture(pixels, { width: 8, height: 4 })]).toEqual(
    Array.from({ length: 64 }, (_, at) => 5 * (8 * Math.floor((at >> 3) / 2) + (at & 7))),
  );
});
