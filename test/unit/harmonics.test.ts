// An activation as a trigonometric polynomial: the function within its error in every ring, nothing comes back, two flights.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { type HarmonicsOp, harmonics, harmonicsProtocol } from '../../protocols/layers/harmonics.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import type { HarmonicsLike } from '../../protocols/layers/specs.ts';
import { activations } from '../../protocols/layers/splineFunctions.ts';
import type { OleSpec } from '../../protocols/offline/correlations.ts';
import { packedBytes, unpack } from '../../protocols/sharing/packing.ts';
import { harmonicGelu } from '../support/manifest.ts';
import { bytesFrom, runMini } from '../support/mini.ts';

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const out = { fracBits: 8, magnitudeBits: 4 };
/** As the exporter chooses them for a tolerance of 0.01: of |x| ≤ 7 in two parts, of |x| ≤ 2.5 with a period of 32/5 in one. */
const specs: Record<string, HarmonicsLike> = {
  'two parts': { ...harmonicGelu, out },
  'one part': {
    ...{ rangeBits: 5, reach: 2.5, constant: 0.70923, out },
    parts: [
      {
        ...{ fracBits: 16, magnitudeBits: 2 },
        harmonics: [
          { k: 5, amplitude: -0.69131 },
          { k: 15, amplitude: -0.0203 },
        ],
      },
    ],
  },
};
const of = (spec: HarmonicsLike, fracBits: number) => (plan: PlanBuilder, x: Value) =>
  harmonics(
    plan,
    local(plan, [x], x.rows, x.cols, ([w]) => w.slice(), fracBits),
    'gelu',
    spec,
  );
const polynomial = ({ rangeBits, constant, parts }: HarmonicsLike, x: number): number =>
  parts
    .flatMap(({ harmonics: list }) => list)
    .reduce(
      (y, { k, amplitude }) => y + amplitude * Math.cos((2 * Math.PI * k * x) / 2 ** rangeBits),
      x / 2 + constant,
    );

describe.each(Object.entries(specs))('an activation by harmonics in %s', (_name, spec) => {
  const inputs = (fracBits: number) =>
    fc
      .array(fc.double({ min: -spec.reach, max: spec.reach, noNaN: true }), { minLength: 24, maxLength: 24 })
      .map((list) => Int32Array.from(list, (x) => Math.round(x * 2 ** fracBits)));

  // The result's ring: of as few bits as the value has, and of all 32.
  it.each([
    [20, 4],
    [18, 23],
    [13, 4],
  ])('is the function of arguments with %i fraction bits, revealed with %i bits before the point', (fracBits, bits) => {
    fc.assert(
      fc.property(seeds, inputs(fracBits), (seed, x) => {
        const { secure, reference, violations, messages, cost, operations } = runMini(
          seed,
          x,
          4,
          of(spec, fracBits),
          bits,
        );
        expect(violations).toEqual([]);
        secure.forEach((y, i) => {
          const at = x[i] / 2 ** fracBits;
          // The truncation is within a unit; the polynomial misses a hundredth at most, and the roundings have a deviation of 1.5 units at most.
          const unit = 1 / 2 ** 8;
          expect(Math.abs(y / 2 ** 8 - activations.gelu.evaluate(at)), `${at}`).toBeLessThan(0.01 + 9 * unit);
          expect(Math.abs(y / 2 ** 8 - polynomial(spec, at)), `${at}`).toBeLessThan(9 * unit);
          expect(Math.abs(reference[i] / 2 ** 8 - activations.gelu.evaluate(at))).toBeLessThanOrEqual(
            2 ** -9 + 2 ** -16,
          );
        });
        expect({
          clientToOwner: bytesFrom(messages, 'client'),
          ownerToClient: bytesFrom(messages, 'owner'),
        }).toEqual(cost);
        // Only the truncations are answered, and in one flight.
        const mine = messages.filter(({ step }) => step === 'test');
        const answers = mine.findIndex(({ from }) => from === 'client');
        expect(mine.slice(answers < 0 ? mine.length : answers).every(({ from }) => from === 'client')).toBe(true);
        for (const op of operations)
          if (op.kind === 'harmonics') expect(harmonicsProtocol.cost(op as HarmonicsOp).clientToOwner).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

it('errs as little as it says, with next to no bias', () => {
  // 4,000 sharings of one number: the mean is the polynomial, the deviation that of the truncation and the roundings.
  const spec = specs['two parts'];
  const x = new Int32Array(4000).fill(Math.round(-1.3 * 2 ** 20));
  const { secure, operations } = runMini(new Uint8Array(32).fill(5), x, 100, of(spec, 20), 4);
  const { deviation } = operations.find(({ kind }) => kind === 'harmonics') as HarmonicsOp;
  expect(deviation).toBe(1.5 / 2 ** 8);
  const mean = secure.reduce((sum, y) => sum + y, 0) / x.length / 2 ** 8;
  const variance = secure.reduce((sum, y) => sum + (y / 2 ** 8 - mean) ** 2, 0) / x.length;
  // A quarter of a unit: coarse numbers of small harmonics are a little off on average.
  expect(Math.abs(mean - polynomial(spec, -1.3))).toBeLessThan(0.25 / 2 ** 8);
  // A truncation's own is at most half a unit.
  expect(variance).toBeLessThan(1.1 * (deviation ** 2 + (0.5 / 2 ** 8) ** 2));
});

it('sends what is uniform: the owner’s numbers minus its masks', () => {
  const spec = specs['one part'];
  const x = Int32Array.from({ length: 4000 }, () => 2 ** 19);
  const { messages, operations } = runMini(new Uint8Array(32).fill(6), x, 4, of(spec, 20), 4);
  const op = operations.find(({ kind }) => kind === 'harmonics') as HarmonicsOp;
  const [{ modulus, ringBits, terms }] = harmonicsProtocol.correlations(op) as OleSpec[];
  const [sent] = messages.filter(({ step, from }) => step === 'test' && from === 'owner');
  const opened = unpack(sent.bytes.slice(0, packedBytes(terms * 4000, ringBits)), terms * 4000, ringBits);
  const counts = new Uint32Array(16);
  for (const word of opened) counts[Math.floor((word * 16) / modulus)]++;
  const chiSquare = counts.reduce((sum, count) => sum + (count - 1000 * (terms / 4)) ** 2 / (1000 * (terms / 4)), 0);
  expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded with probability 10^−4
});

describe('refuses', () => {
  const run = (fracBits: number, change: Partial<HarmonicsLike>) => () => {
    runMini(new Uint8Array(32), new Int32Array(8), 2, of({ ...specs['one part'], ...change }, fracBits), 4);
  };
  it('arguments whose circle no ring holds', () => {
    expect(run(28, {})).toThrow('needs a ring of 33 bits, limit 32');
  });
  it('what no field is fine enough for', () => {
    expect(run(20, { out: { fracBits: 15, magnitudeBits: 4 } })).toThrow('field: expected at most 67084289 elements');
  });
});
