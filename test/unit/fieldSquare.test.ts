// Squares over a field: of numbers truncated to few bits, in a ring as large as the field's circle.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { fieldSquare, truncateSquares, turnBits } from '../../protocols/layers/fieldSquare.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import { squaresPrime } from '../../protocols/sharing/field.ts';
import { packedBytes, unpack } from '../../protocols/sharing/packing.ts';
import { bytesFrom, runMini } from '../support/mini.ts';

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const of =
  (fracBits: number, input: { fracBits: number; magnitudeBits: number }, held: number) =>
  (plan: PlanBuilder, x: Value): Value => {
    const read = local(plan, [x], x.rows, x.cols, ([w]) => w.slice(), fracBits);
    return truncateSquares(plan, fieldSquare(plan, read, input, held), input, held);
  };

it.each([
  [6, 8, 8, 20],
  [7, 7, 8, 18],
  [8, 5, 6, 17],
  [4, 9, 5, 9],
])('weights of %i fraction bits below 2^%i, squares of %i, from %i', (fracBits, magnitudeBits, held, before) => {
  const input = { fracBits, magnitudeBits };
  expect(turnBits(input)).toBeGreaterThan(2 * magnitudeBits - 1);
  fc.assert(
    fc.property(
      seeds,
      fc.array(fc.double({ min: 0, max: 2 ** magnitudeBits - 1, noNaN: true }), { minLength: 24, maxLength: 24 }),
      (seed, list) => {
        const x = Int32Array.from(list, (value) => Math.round(value * 2 ** before));
        const { secure, reference, violations, messages, cost } = runMini(
          seed,
          x,
          4,
          of(before, input, held),
          turnBits(input) - 1,
        );
        expect(violations).toEqual([]);
        secure.forEach((y, i) => {
          const w = x[i] / 2 ** before;
          // The weight is off by less than a unit; the square by one of its own, one of the circle's, and the factor's 5·10^-5.
          const unit = 2 ** -fracBits;
          const error = 2 * w * unit + unit * unit + 2 * 2 ** -held + 5e-5 * w * w;
          expect(Math.abs(y / 2 ** held - w * w), `${w}`).toBeLessThanOrEqual(error);
          expect(Math.abs(reference[i] / 2 ** held - w * w), `${w}`).toBeLessThanOrEqual(
            error / 2 + 2 ** -held + 5e-5 * w * w,
          );
        });
        expect({
          clientToOwner: bytesFrom(messages, 'client'),
          ownerToClient: bytesFrom(messages, 'owner'),
        }).toEqual(cost);
      },
    ),
    { numRuns: 60 },
  );
});

it('sends what is uniform: masked weights and openings', () => {
  const x = new Int32Array(4000).fill(3 << 20);
  const { messages } = runMini(new Uint8Array(32).fill(9), x, 4, of(20, { fracBits: 6, magnitudeBits: 8 }, 8), 17);
  const sent = messages.filter(({ step }) => step === 'test');
  const masked = sent.find(({ from }) => from === 'client')!.bytes.subarray(0, packedBytes(8000, 30));
  const opening = sent.filter(({ from }) => from === 'owner')[1].bytes.subarray(0, packedBytes(4000, 30));
  for (const words of [unpack(masked, 8000, 30), unpack(opening, 4000, 30)]) {
    const counts = new Uint32Array(16);
    for (const word of words) counts[Math.floor((word * 16) / squaresPrime)]++;
    const expected = words.length / 16;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded with probability 10^−4
  }
});

it('refuses a consumer that reads more than a turn of the circle', () => {
  const run = () =>
    runMini(
      new Uint8Array(32),
      new Int32Array(8),
      2,
      (plan, x) =>
        fieldSquare(
          plan,
          local(plan, [x], x.rows, x.cols, ([w]) => w.slice(), 20),
          { fracBits: 6, magnitudeBits: 8 },
          8,
        ),
      19,
    );
  expect(run).toThrow('fieldSquare: expected a ring of at most 28 bits, got 30');
});
