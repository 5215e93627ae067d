import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { nttKernel } from '../../protocols/kernels/ntt.ts';
import type { CorrelationKey, RlweSpec } from '../../protocols/offline/correlations.ts';
import { rlweCost, rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { RlweClient } from '../../protocols/offline/rlwe/provider.ts';
import { tail } from '../../protocols/rlwe/noise.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import {
  type Choice,
  deviationOf,
  drawRlweOperands,
  errorsOf,
  idealResult,
  type Operands,
  rlwePair,
  unroundedErrors,
} from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';

const seed = new Uint8Array(32).fill(5);

/** Provides once and checks that every pair of shares adds up to the ideal result, ±1. */
async function provideAndCheck(operands: readonly Operands[], random = seed) {
  const before = nttKernel().arena.usedBytes;
  const pair = await rlwePair(random, operands);
  const asked = await pair.draw();
  const [client, owner] = await pair.provide(asked);
  asked.forEach((each, i) => {
    const errors = errorsOf(each, client[i].share, owner[i].share);
    const largest = Math.max(...errors.map(Math.abs));
    // Of whole numbers less than 2 is at most 1.
    if (each.fractions) expect(largest, each.client.spec.key.step).toBeLessThan(2);
    else expect(largest, each.client.spec.key.step).toBeLessThanOrEqual(1);
    for (const { share } of [client[i], owner[i]]) {
      expect(share.length).toBe(idealResult(each).length);
      expect(share.every((word) => word < 2 ** each.client.spec.ringBits)).toBe(true);
    }
  });
  pair.destroy();
  return { before, shares: [client, owner] as const };
}

const linear = (tokens: number, inputs: number, outputs: number, ringBits: number, weightBits = 12): RlweSpec => ({
  kind: 'linear',
  key: keyOf(`linear ${tokens}·${inputs}→${outputs} mod 2^${ringBits}`),
  ringBits,
  tokens,
  inputs,
  outputs,
  weights: `${outputs}×${inputs}`,
  weightBits,
});
/** The same with an x of which the first inputs are drawn. */
const drawnInPart = (drawnInputs: number, ...shape: Parameters<typeof linear>): RlweSpec => {
  const spec = linear(...shape);
  return { ...spec, key: keyOf(`${drawnInputs} drawn, ${spec.key.step}`), drawnInputs } as RlweSpec;
};
/** All of them. */
const drawn = (...shape: Parameters<typeof linear>): RlweSpec => drawnInPart(shape[1], ...shape);
const matmul = (batch: number, rows: number, inner: number, cols: number, ringBits: number): RlweSpec => ({
  kind: 'matmul',
  key: keyOf(`matmul ${batch}·${rows}·${inner}·${cols} mod 2^${ringBits}`),
  ringBits,
  batch,
  rows,
  inner,
  cols,
});
const sumOfSquares = (rows: number, cols: number, ringBits: number): RlweSpec => ({
  kind: 'sumOfSquares',
  key: keyOf(`sumOfSquares ${rows}·${cols} mod 2^${ringBits}`),
  ringBits,
  rows,
  cols,
});
const scale = (rows: number, cols: number, ringBits: number): RlweSpec => ({
  kind: 'scale',
  key: keyOf(`scale ${rows}·${cols} mod 2^${ringBits}`),
  ringBits,
  rows,
  cols,
});

/** The shapes of the shipped plans, at the widest rings that they use. */
const shipped: readonly RlweSpec[] = [
  linear(64, 48, 256, 32),
  linear(64, 768, 256, 32),
  linear(64, 256, 768, 32),
  linear(64, 256, 256, 30),
  linear(63, 256, 256, 28),
  linear(1, 256, 512, 26),
  linear(4, 512, 256, 28),
  linear(1, 256, 10, 30),
  drawn(64, 256, 256, 30),
  drawn(64, 256, 768, 32, 11),
  drawn(197, 192, 192, 25, 11),
  drawn(197, 768, 192, 27, 11),
  drawnInPart(576, 50, 768, 192, 27, 11),
  matmul(4, 64, 64, 64, 22),
  matmul(4, 64, 64, 64, 30),
  sumOfSquares(64, 256, 22),
  sumOfSquares(64, 256, 31),
  sumOfSquares(1, 256, 30),
  scale(64, 256, 22),
  scale(64, 256, 28),
  scale(1, 256, 27),
  scale(108, 64, 32),
];

/** Shapes at the edges of what the blocks can be. */
const edges: readonly RlweSpec[] = [
  linear(1, 1, 1, 2, 1),
  linear(65, 3, 2, 32),
  linear(2, 5000, 3, 30),
  drawn(1, 1, 1, 2, 1),
  drawn(65, 3, 2, 31, 11),
  drawnInPart(1, 65, 3, 2, 31, 11),
  drawnInPart(100, 3, 700, 2, 28, 11),
  drawn(3, 5000, 2, 28, 11),
  matmul(1, 6, 54, 1, 23),
  matmul(3, 1, 1, 64, 30),
  sumOfSquares(3, 5000, 24),
  scale(1, 1, 20),
  scale(20, 2048, 24),
];

describe('RLWE correlations', () => {
  it.each([...shipped, ...edges].map((spec) => [spec.key.step, spec] as const))(
    '%s: shares add up to the product, ±1',
    async (_, spec) => {
      await provideAndCheck([drawRlweOperands(spec, new Prg(seed, spec.key.step))]);
    },
  );

  it.each(['zero', 'largest', 'smallest'] satisfies Choice[])('operands all %s', async (choice) => {
    const specs = [
      linear(64, 768, 256, 30),
      linear(3, 40, 20, 32),
      drawn(64, 192, 64, 28),
      matmul(1, 64, 64, 64, 30),
      sumOfSquares(64, 256, 31),
      scale(64, 64, 32),
    ];
    await provideAndCheck(specs.map((spec) => drawRlweOperands(spec, new Prg(seed, 'extremes'), choice)));
  });

  // Errors of 1.1 are −2.9 there.
  it('a drawn operand in a ring of two bits', async () => {
    const random = new Uint8Array(32).fill(1);
    const spec = {
      ...drawn(13, 1, 13, 2, 9),
      key: keyOf('0: drawn linear 13·1→13 mod 2^2'),
      weights: 'w0',
    } as RlweSpec;
    await provideAndCheck([drawRlweOperands(spec, new Prg(random, spec.key.step))], random);
  });

  it('any shape, several in a stage', async () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    const ringBits = fc.integer({ min: 2, max: 32 });
    const spec = fc.oneof(
      fc.tuple(size(70), size(90), size(70), ringBits, size(13)).map(([t, i, o, r, w]) => linear(t, i, o, r, w)),
      fc.tuple(size(70), size(90), size(20), ringBits, size(11)).map(([t, i, o, r, w]) => drawn(t, i, o, r, w)),
      fc
        .tuple(size(3), size(20), size(70), size(20), ringBits)
        .map(([b, r, i, c, bits]) => matmul(b, r, i, c, Math.min(bits, 30))),
      fc.tuple(size(40), size(300), ringBits).map(([r, c, bits]) => sumOfSquares(r, c, Math.min(bits, 32))),
      fc.tuple(size(40), size(300), ringBits).map(([r, c, bits]) => scale(r, c, bits)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 255 }),
        async (specs, byte) => {
          const named = specs.map(
            (each, i) =>
              ({
                ...each,
                key: keyOf(`${i}: ${each.key.step}`),
                ...(each.kind === 'linear' && { weights: `w${i}` }),
              }) as RlweSpec,
          );
          const random = new Uint8Array(32).fill(byte);
          await provideAndCheck(
            named.map((each) => drawRlweOperands(each, new Prg(random, each.key.step))),
            random,
          );
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it('gives uniform-looking shares, other ones every time', async () => {
    const operands = [drawRlweOperands(linear(64, 48, 256, 16), new Prg(seed, 'uniform'), 'zero')];
    const pair = await rlwePair(seed, operands);
    const [first] = await pair.provide();
    const [second] = await pair.provide();
    const counts = new Uint32Array(16);
    for (const word of first[0].share) counts[word >>> 12]++;
    const expected = first[0].share.length / 16;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded with probability 10^−4
    expect(second[0].share).not.toEqual(first[0].share);
  });

  it('keeps nothing in the kernel but tables', async () => {
    const specs = [linear(5, 30, 20, 20), matmul(1, 8, 8, 8, 20)];
    const operands = specs.map((spec) => drawRlweOperands(spec, new Prg(seed, spec.key.step)));
    await provideAndCheck(operands);
    const { before } = await provideAndCheck(operands);
    expect(nttKernel().arena.usedBytes).toBe(before);
  });

  it('measured error stays below the analysed bound', async () => {
    for (const spec of [
      linear(64, 256, 256, 30),
      linear(1, 256, 512, 32),
      drawn(64, 256, 64, 30),
      drawn(40, 192, 96, 32, 11),
      matmul(2, 16, 8, 16, 23),
      matmul(1, 64, 64, 64, 22),
      matmul(1, 64, 64, 64, 30),
      sumOfSquares(64, 256, 30),
      scale(64, 256, 28),
    ]) {
      const { errorBound } = rlweLayout(spec);
      const [errors] = await unroundedErrors(seed, [drawRlweOperands(spec, new Prg(seed, spec.key.step))]);
      const deviation = deviationOf(errors);
      const largest = Math.max(...errors.map(Math.abs));
      expect(largest, spec.key.step).toBeLessThan(errorBound);
      // The bound is `tail` deviations of the analysis, which assumes weights and masks of full size: not much less, and never more.
      expect(deviation * tail, spec.key.step).toBeLessThan((1 + 5 / Math.sqrt(2 * errors.length)) * errorBound);
      expect(deviation * tail, spec.key.step).toBeGreaterThan(0.2 * errorBound);
    }
  });

  it('reports progress that adds up to the stage', async () => {
    const operands = [linear(2, 10, 5, 20), sumOfSquares(3, 9, 20)].map((spec) =>
      drawRlweOperands(spec, new Prg(seed, spec.key.step)),
    );
    const pair = await rlwePair(seed, operands);
    const calls: [CorrelationKey, number][][] = [[], []];
    await Promise.all([
      pair.client.provide(
        operands.map((each) => each.client),
        (...call) => calls[0].push(call),
      ),
      pair.owner.provide(
        operands.map((each) => each.owner),
        (...call) => calls[1].push(call),
      ),
    ]);
    for (const side of calls) {
      expect(side.map(([key]) => key)).toEqual(pair.specs.map(({ key }) => key));
      expect(side.reduce((sum, [, fraction]) => sum + fraction, 0)).toBeCloseTo(1);
    }
  });
});

describe('callers’ mistakes', () => {
  it('names what does not fit', async () => {
    expect(() => rlweCost(linear(0, 4, 4, 20))).toThrow('tokens: expected an integer from 1 to 65536, got 0');
    expect(() => rlweCost(linear(1, 4, 4, 33))).toThrow('ringBits: expected an integer from 2 to 32, got 33');
    expect(() => rlweCost(linear(1, 4, 4, 20, 21))).toThrow('weightBits: expected an integer from 1 to 20, got 21');
    const good = drawRlweOperands(linear(2, 10, 5, 20), new Prg(seed, 'x'));
    const pair = await rlwePair(seed, [good]);
    const spec = good.client.spec;
    await expect(pair.client.provide([{ spec, x: new Uint32Array(3) } as never])).rejects.toThrow(
      'x: expected 20 words, got 3',
    );
    await expect(pair.client.provide([{ spec } as never])).rejects.toThrow(TypeError);
    const large = { ...good, weights: new Int16Array(50).fill(4096) };
    const other = await rlwePair(seed, [large]);
    await expect(other.owner.provide([large.owner])).rejects.toThrow(
      'weights: expected magnitudes below 2^12, got a larger one',
    );
    await expect(
      new RlweClient(pair.channels.client.channel, new Prg(seed, 'y')).provide([good.client]),
    ).rejects.toThrow('setup did not include');
  });

  it('ends with `cancelled` when the signal is aborted', async () => {
    const operands = [drawRlweOperands(linear(64, 256, 256, 28), new Prg(seed, 'x'))];
    const controller = new AbortController();
    const pair = await rlwePair(seed, operands, { owner: { signal: controller.signal } });
    await pair.client.send([operands[0].client]);
    const uploads = await pair.owner.receive([operands[0].owner]);
    const sending = pair.owner.send([operands[0].owner], uploads);
    controller.abort();
    await expect(sending).rejects.toMatchObject({ code: 'cancelled', protocol: 'rlwe' });
  });
});

describe('a peer that deviates', () => {
  const operands = [drawRlweOperands(linear(3, 20, 10, 24), new Prg(seed, 'x'))];

  it('residues beyond their prime are refused', async () => {
    const pair = await rlwePair(seed, operands);
    const [upload] = await (async () => {
      await pair.client.send([operands[0].client]);
      return pair.owner.receive([operands[0].owner]);
    })();
    upload.fill(0xff, 0, 64);
    await expect(pair.owner.send([operands[0].owner], [upload])).rejects.toMatchObject({
      code: 'value',
      protocol: 'rlwe',
    });
  });

  it('a message that is too short or too long ends the stage', async () => {
    for (const change of [-1, 1]) {
      const pair = await rlwePair(seed, operands);
      const { bytesClientToOwner } = rlweCost(operands[0].client.spec as RlweSpec);
      const error = pair.owner.provide([operands[0].owner]).catch((reason) => reason);
      pair.channels.client.channel.send(new Uint8Array(bytesClientToOwner + change));
      await pair.channels.client.channel.flush().catch(() => {});
      expect(await error).toBeInstanceOf(ProtocolError);
      expect(await error).toMatchObject({ code: 'length' });
    }
  });

  it('an altered ciphertext gives wrong shares, no crash and no hint', async () => {
    const pair = await rlwePair(seed, operands);
    await pair.client.send([operands[0].client]);
    const uploads = await pair.owner.receive([operands[0].owner]);
    uploads[0][10] ^= 1;
    const [client, owner] = await Promise.all([
      pair.client.receive([operands[0].client]),
      pair.owner.send([operands[0].owner], uploads),
    ]);
    expect(errorsOf(operands[0], client[0].share, owner[0].share).some((error) => Math.abs(error) > 1)).toBe(true);
  });
});
