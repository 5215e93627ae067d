import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax } from '../../protocols/layers/argmax.ts';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { exp } from '../../protocols/layers/exp.ts';
import { gelu as geluFunction } from '../../protocols/layers/gelu.ts';
import { layerNorm } from '../../protocols/layers/layerNorm.ts';
import { linear } from '../../protocols/layers/linear.ts';
import { local } from '../../protocols/layers/local.ts';
import { ClientState, OwnerState, type OwnerWeights, ReferenceState, Value } from '../../protocols/layers/op.ts';
import { matmul, meanSquare, scale, square } from '../../protocols/layers/product.ts';
import { relativePosition } from '../../protocols/layers/relativePosition.ts';
import { softmaxRows } from '../../protocols/layers/softmax.ts';
import { spline } from '../../protocols/layers/spline.ts';
import { squareRows } from '../../protocols/layers/squareAttention.ts';
import { squareUnits } from '../../protocols/layers/squareUnits.ts';
import { truncate, truncateProtocol } from '../../protocols/layers/truncate.ts';
import { unpack } from '../../protocols/sharing/packing.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { deal } from '../ideal/dealer.ts';
import { bytesFrom, type MiniResult, noWeights, pump, runMini } from '../support/mini.ts';

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const integers = (bits: number, length: number) =>
  fc
    .array(fc.integer({ min: -(2 ** bits) + 1, max: 2 ** bits - 1 }), { minLength: length, maxLength: length })
    .map((list) => Int32Array.from(list));

function expectPlannedCost({ messages, cost }: MiniResult) {
  expect({ clientToOwner: bytesFrom(messages, 'client'), ownerToClient: bytesFrom(messages, 'owner') }).toEqual(cost);
}
const worst = ({ secure, reference }: MiniResult) =>
  secure.reduce((max, x, i) => Math.max(max, Math.abs(x - reference[i])), 0);

describe('input and reveal', () => {
  it('return every value, also the extremes', () => {
    fc.assert(
      fc.property(seeds, integers(29, 8), (seed, x) => {
        const result = runMini(seed, x, 2, (_plan, input) => input, 30);
        expect(result.secure).toEqual(x);
        expectPlannedCost(result);
      }),
    );
  });
});

describe('truncate', () => {
  // A second truncation follows in a wide ring, so that the first one's high bits are tested, not cut off.
  it.each([
    [
      'preset',
      (plan: PlanBuilder, x: Value) =>
        truncate(
          plan,
          local(plan, [x], x.rows, x.cols, ([w]) => w.slice(), 20),
          9,
          12,
        ),
    ],
    ['any', (plan: PlanBuilder, x: Value) => truncate(plan, asProduct(plan, x), 9, 12)],
  ])('is within one unit of the exact quotient (%s form)', (_name, build) => {
    fc.assert(
      fc.property(seeds, integers(28, 16), (seed, x) => {
        const result = runMini(seed, x, 4, build, 18);
        expect(result.violations).toEqual([]);
        result.secure.forEach((y, i) => {
          expect(Math.abs(y - x[i] / 256)).toBeLessThan(1);
        });
        expectPlannedCost(result);
      }),
      { numRuns: 200 },
    );
  });

  it('rounds without bias', () => {
    const x = new Int32Array(20_000).fill(-1000 * 256 - 77);
    const { secure } = runMini(
      new Uint8Array(32).fill(3),
      x,
      100,
      (plan, v) =>
        truncate(
          plan,
          local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), 20),
          9,
          12,
        ),
      18,
    );
    const mean = secure.reduce((sum, y) => sum + y, 0) / x.length;
    expect(Math.abs(mean - (-1000 - 77 / 256))).toBeLessThan(0.02);
    expect(new Set(secure)).toEqual(new Set([-1000, -1001]));
  });

  // k = 10, f = 3: every x of the range, and each in all 2^k ways of sharing it.
  const [k, f] = [10, 3];
  const [low, high] = [-(2 ** (k - 2)) - 2 ** f, 2 ** (k - 2) - 2 ** f];
  const truncated = (x: Int32Array, preset: boolean, fractions?: Uint32Array) => {
    const value = (id: number, fracBits: number, isPreset: boolean) =>
      Object.assign(new Value(id, 1, x.length << k, fracBits, isPreset, 0), { ringBits: k });
    const op = {
      ...({ kind: 'truncate', step: 'test', index: 0, dropBits: f, magnitudeBits: 3 } as const),
      inputs: [value(0, 5, preset)] as const,
      output: value(1, 2, true),
    };
    const client = new ClientState(new Prg(new Uint8Array(32).fill(1), 'client'));
    const owner = new OwnerState(new Prg(new Uint8Array(32).fill(2), 'owner'), noWeights);
    client.set(
      op.inputs[0],
      Uint32Array.from({ length: x.length << k }, (_, i) => i % 2 ** k),
    );
    owner.set(
      op.inputs[0],
      Uint32Array.from({ length: x.length << k }, (_, i) => x[i >> k] - (i % 2 ** k)),
    );
    if (fractions) {
      client.set(op.output, new Prg(new Uint8Array(32).fill(4), 'drawn').words(op.output.size));
      client.fractions.set(op.output.id, fractions);
    }
    truncateProtocol.presetClient(op, client);
    const dealer = new Prg(new Uint8Array(32).fill(3), 'dealer');
    truncateProtocol.clientRequests(op, client).forEach((request, i) => {
      const [forClient, forOwner] = deal(
        request,
        truncateProtocol.ownerRequests(op, owner)[i],
        dealer,
        noWeights.tensor,
      );
      client.correlations.put(request.spec.key, forClient);
      owner.correlations.put(request.spec.key, forOwner);
    });
    pump(truncateProtocol.client(op, client), truncateProtocol.owner(op, owner));
    const [ours, theirs] = [client.share(op.output), owner.share(op.output)];
    const results = Int32Array.from(ours, (share, i) => ((share + theirs[i]) << (32 - k)) >> (32 - k));
    const reference = new ReferenceState(noWeights);
    reference.set(
      op.inputs[0],
      Int32Array.from(results, (_, i) => x[i >> k]),
    );
    truncateProtocol.reference(op, reference);
    return { results, violations: reference.violations };
  };

  it.each([['preset', true] as const, ['any', false] as const])(
    'gives x / 2^f on average exactly, and multiples of 2^f always, for every x and every way of sharing it (%s form)',
    (_name, preset) => {
      const x = Int32Array.from({ length: high - low + 1 }, (_, i) => low + i);
      const { results, violations } = truncated(x, preset);
      expect(violations).toEqual([]);
      for (const [n, value] of x.entries()) {
        const of = results.subarray(n << k, (n + 1) << k);
        const floor = Math.floor(value / 2 ** f);
        const up = (value - floor * 2 ** f) * 2 ** (k - f);
        expect([value, of.filter((y) => y === floor).length]).toEqual([value, 2 ** k - up]);
        expect([value, of.filter((y) => y === floor + 1).length]).toEqual([value, up]);
      }
    },
  );

  it.each([0, 1, 2 ** 29, 2 ** 29 + 1, 2 ** 31 - 1, 2 ** 32 - 1])(
    'gives x / 2^f on average, fraction included, where the client’s new share has the fraction %s·2^-32',
    (fraction) => {
      const x = Int32Array.from({ length: high - low + 1 }, (_, i) => low + i);
      const { results, violations } = truncated(x, false, new Uint32Array(x.length << k).fill(fraction));
      expect(violations).toEqual([]);
      // What the fraction is above a multiple of 2^-f is rounded with the rest.
      const above = (fraction / 2 ** (32 - f)) % 1;
      for (const [n, value] of x.entries()) {
        let sum = 0;
        for (const y of results.subarray(n << k, (n + 1) << k)) {
          const error = y + fraction / 2 ** 32 - value / 2 ** f;
          sum += error;
          if (!(Math.abs(error) < 1)) expect([value, error]).toEqual([value, 'in (−1, 1)']);
        }
        const expected = above === 0 ? 0 : (above - 1) / 2 ** f;
        expect([value, sum / 2 ** k]).toEqual([value, expect.closeTo(expected, 9)]);
      }
    },
  );

  it.each([low - 1, high + 1])('goes wrong beyond its range, at %s, and the reference names it', (value) => {
    const { results, violations } = truncated(Int32Array.of(value), true);
    expect(results.some((y) => Math.abs(y - value / 2 ** f) >= 1)).toBe(true);
    expect(violations).toMatchObject([{ kind: 'truncate', value, low, high: high + 1 }]);
  });

  it('costs nothing when the result is as narrow as what is left', () => {
    const result = runMini(
      new Uint8Array(32),
      Int32Array.of(1 << 20, -(1 << 20), 5, -5),
      1,
      (plan, v) =>
        truncate(
          plan,
          local(plan, [v], 1, 4, ([w]) => w.slice(), 10),
          18,
          0,
        ),
      11,
    );
    expect(result.operations.filter((op) => op.kind === 'truncate')).toHaveLength(1);
    // 30-bit ring, 10 bits dropped: 20 bits are left, 12 are asked for. Only input and reveal are on the wire.
    expect(result.messages.map((message) => message.step)).toEqual(['input', 'reveal']);
    expect(worst(result)).toBeLessThanOrEqual(1);
  });
});

/** x as the result of a product (x·1 with the shares that a product leaves), so that the client's share is not preset. */
function asProduct(plan: PlanBuilder, x: Value, fracBits = 20): Value {
  const ones = local(plan, [x], x.rows, 1, ([w]) => new Uint32Array(x.rows).map(() => w[0] * 0), 0);
  const zero = scale(plan, ones, x);
  return local(plan, [zero, x], x.rows, x.cols, ([z, w]) => z.map((value, i) => value + w[i]), fracBits);
}

type Build = Parameters<typeof runMini>[3];

describe('products', () => {
  const rows = 4;
  /** As the parties compute it; what ring-LWE adds to products is in docs/rlwe.md. */
  const exactMini = (seed: Uint8Array, x: Int32Array, rows: number, build: Build, bits = 0, weights?: OwnerWeights) =>
    runMini(seed, x, rows, build, bits, weights, undefined, 'exact');

  it('square, mean square, scale and matrix product are exact', () => {
    fc.assert(
      fc.property(seeds, integers(12, 16), (seed, x) => {
        const at = (i: number, j: number) => x[i * 4 + j];
        const squares = exactMini(seed, x, rows, (plan, v) => square(plan, v));
        expect([...squares.secure]).toEqual([...x].map((value) => value * value));
        expectPlannedCost(squares);
        const means = exactMini(seed, x, rows, (plan, v) => meanSquare(plan, v));
        expect([...means.secure]).toEqual(
          [0, 1, 2, 3].map((i) => [0, 1, 2, 3].reduce((sum, j) => sum + at(i, j) ** 2, 0)),
        );
        const product = exactMini(seed, x, rows, (plan, v) => matmul(plan, v, v, 1));
        expect([...product.secure]).toEqual(
          [...x].map((_, n) => [0, 1, 2, 3].reduce((sum, j) => (sum + at(n >> 2, j) * at(j, n & 3)) | 0, 0)),
        );
        const batch = exactMini(seed, x, 8, (plan, v) =>
          matmul(
            plan,
            v,
            local(plan, [v], 4, 4, ([w]) => w.slice()),
            2,
          ),
        );
        expect(batch.secure[15]).toBe(x[6] * x[3] + x[7] * x[7]);
        const scaled = exactMini(seed, x, rows, (plan, v) =>
          scale(
            plan,
            local(plan, [v], rows, 1, ([w]) => w.filter((_, i) => i % 4 === 1)),
            v,
          ),
        );
        expect([...scaled.secure]).toEqual([...x].map((value, n) => (value * at(n >> 2, 1)) | 0));
        expectPlannedCost(scaled);
      }),
      { numRuns: 60 },
    );
  });

  it('linear layers add the bias, for each output or each row', () => {
    const weights: OwnerWeights = {
      tensor: (name) =>
        name.endsWith('weight')
          ? Uint32Array.of(1, -2, 3, 4, 5, -6)
          : name.startsWith('a')
            ? Uint32Array.of(10, 20, 30)
            : Uint32Array.of(1, 2, 3, 4, 5, 6),
    };
    for (const [name, bias] of [
      ['a', [10, 20, 30, 10, 20, 30]],
      ['b', [1, 2, 3, 4, 5, 6]],
    ] as const) {
      const { secure } = exactMini(
        new Uint8Array(32),
        Int32Array.of(7, 8, -9, 10),
        2,
        (plan, v) => linear(plan, v, name, 3, 0, name === 'b'),
        0,
        weights,
      );
      expect([...secure]).toEqual(
        [7 - 16, 21 + 32, 35 - 48, -9 - 20, -27 + 40, -45 - 60].map((value, i) => value + bias[i]),
      );
    }
  });
});

describe('relative position', () => {
  const [side, heads] = [3, 2];
  const tokens = side ** 2;
  const at = (token: number) => [Math.floor(token / side), token % side] as const;
  /** The ideal functionality: per head, a number for each offset between two places. */
  const ideal = (x: Int32Array, b: (head: number, dy: number, dx: number) => number) =>
    x.map((value, n) => {
      const [head, i, j] = [Math.floor(n / tokens ** 2), Math.floor(n / tokens) % tokens, n % tokens];
      const [[yi, xi], [yj, xj]] = [at(i), at(j)];
      return value + b(head, yi - yj, xi - xj);
    });
  const tensor = (b: (head: number, dy: number, dx: number) => number) => {
    const span = 2 * side - 1;
    return Uint32Array.from({ length: span ** 2 * heads }, (_, n) => {
      const offset = Math.floor(n / heads);
      return b(n % heads, Math.floor(offset / span) - side + 1, (offset % span) - side + 1);
    });
  };

  it.each([
    ['preset', (plan: PlanBuilder, x: Value) => relativePosition(plan, x, 'b', side)],
    ['any', (plan: PlanBuilder, x: Value) => relativePosition(plan, asProduct(plan, x, 0), 'b', side)],
  ])('adds signed constants of the offset, for nothing (%s form)', (_name, build) => {
    fc.assert(
      fc.property(
        seeds,
        integers(28, heads * tokens ** 2),
        integers(28, heads * (2 * side - 1) ** 2),
        (seed, x, entries) => {
          const b = (head: number, dy: number, dx: number) => entries[head * 25 + (dy + 2) * 5 + dx + 2];
          const result = runMini(seed, x, heads * tokens, build, 30, { tensor: () => tensor(b) });
          expect(result.secure).toEqual(ideal(x, b));
          expect(result.reference).toEqual(result.secure);
          expectPlannedCost(result);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('sends what the same plan sends without it', () => {
    const x = new Int32Array(heads * tokens ** 2).fill(-5);
    const build = (plan: PlanBuilder, v: Value) => truncate(plan, asProduct(plan, v, 20), 6, 9);
    const without = runMini(new Uint8Array(32), x, heads * tokens, build);
    const with_ = runMini(
      new Uint8Array(32),
      x,
      heads * tokens,
      (plan, v) => truncate(plan, relativePosition(plan, asProduct(plan, v, 20), 'b', side), 6, 9),
      0,
      { tensor: () => tensor(() => 77) },
    );
    const sizes = ({ messages }: MiniResult) =>
      messages.map(({ from, step, bytes }) => `${from} ${step} ${bytes.length}`);
    expect(sizes(with_)).toEqual(sizes(without));
    expect(with_.operations.map((op) => op.kind)).toContain('relativePosition');
  });

  it('leaves attention rows right where its constants are large and of both signs', () => {
    // 16 tokens: scores below 3 with constants up to 4, and weights below 2 with constants up to 8.
    const [size, fracBits] = [16, 12];
    const random = new Prg(new Uint8Array(32).fill(6), 'relative position');
    const real = (count: number, limit: number) =>
      Array.from(random.words(count), (word) => ((word / 2 ** 31 - 1) * limit * 2 ** fracBits) | 0);
    const scores = Int32Array.from(real(size * size, 3));
    const [before, after] = [real(49, 4), real(49, 8)];
    const offsetOf = (n: number) => {
      const [i, j] = [n >> 4, n & 15];
      return ((i >> 2) - (j >> 2) + 3) * 7 + (i & 3) - (j & 3) + 3;
    };
    const result = runMini(
      new Uint8Array(32).fill(4),
      scores,
      size,
      (plan, v) => {
        const s = local(plan, [v], size, size, ([w]) => w.slice(), fracBits);
        const squares = squareRows(plan, relativePosition(plan, s, 'before', 4), {
          scores: { fracBits: 9, magnitudeBits: 4 },
          probabilities: { fracBits, magnitudeBits: 3 },
        });
        return relativePosition(plan, squares, 'after', 4);
      },
      6,
      { tensor: (name) => Uint32Array.from(name === 'before' ? before : after) },
    );
    expect(result.violations).toEqual([]);
    const unit = 2 ** -fracBits;
    result.secure.forEach((y, n) => {
      const exact = ((scores[n] + before[offsetOf(n)]) * unit) ** 2 / size + after[offsetOf(n)] * unit;
      expect(Math.abs(y * unit - exact)).toBeLessThan(0.003);
    });
    expect(Math.min(...result.secure) * unit).toBeLessThan(-6);
  });

  it('refuses a shape that is not heads of tokens by tokens, and a table of another size', () => {
    const run = (rows: number, entries: number) =>
      runMini(new Uint8Array(32), new Int32Array(rows * 9), rows, (plan, x) => relativePosition(plan, x, 'b', 3), 8, {
        tensor: () => new Uint32Array(entries),
      });
    expect(() => run(10, 50)).toThrow(/expected \(heads·9, 9\).*got \(10, 9\)/);
    expect(() => run(18, 49)).toThrow(/expected 25·2 entries, got 49/);
    expect(run(18, 50).secure).toHaveLength(162);
  });
});

describe('square units', () => {
  it('square what is read, at the fraction bits asked for, at the planned cost', () => {
    // 14 fraction bits in, |u| < 8; 9 before the square, whose result has 6.
    fc.assert(
      fc.property(seeds, integers(17, 24), (seed, drawn) => {
        const x = drawn.map((value) => 0.99 * value); // rounding stays below 8
        const result = runMini(
          seed,
          x,
          4,
          (plan, v) =>
            squareUnits(
              plan,
              local(plan, [v], 4, 6, ([w]) => w.slice(), 14),
              { input: { fracBits: 9, magnitudeBits: 3 }, outMagnitudeBits: 6 },
              6,
            ),
          6,
        );
        expect(result.violations).toEqual([]);
        x.forEach((value, i) => {
          const exact = (value / 2 ** 14) ** 2;
          // A unit of the input moves the square by 2·8·2^-9; the result's own is 2^-6.
          for (const found of [result.secure, result.reference])
            expect(Math.abs(found[i] / 2 ** 6 - exact)).toBeLessThan(2 ** -5 + 2 ** -6 + 2 ** -18);
        });
        expectPlannedCost(result);
      }),
      { numRuns: 40 },
    );
  });
});

describe('tables', () => {
  const unit = 2 ** -10;
  const real = (values: Float64Array) => Int32Array.from(values, (x) => Math.round(x / unit));
  const points = (low: number, high: number, count: number) =>
    Float64Array.from({ length: count }, (_, i) => low + ((high - low) * i) / count);
  const withFracBits = (plan: PlanBuilder, v: Value) => local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), 10);

  it('GELU with 2^4 segments of degree 2 is within 0.004 + rounding over all its domain', () => {
    const x = points(-6.9, 7.9, 4000);
    const spec = {
      minimum: -8,
      rangeBits: 4,
      digitBits: 4,
      degree: 2,
      coefficientFracBits: 14,
      basisFracBits: 10,
      out: { fracBits: 12, magnitudeBits: 4 },
    };
    const result = runMini(
      new Uint8Array(32).fill(1),
      real(x),
      4,
      (plan, v) => spline(plan, withFracBits(plan, v), 'gelu', spec),
      5,
    );
    expect(result.violations).toEqual([]);
    const errors = [...result.secure].map((y, i) => Math.abs(y / 4096 - geluFunction(Math.round(x[i] / unit) * unit)));
    expect(Math.max(...errors)).toBeLessThan(0.0055);
    expectPlannedCost(result);
  });

  it('reciprocal and 1/√x are within 0.5 % on their domains', () => {
    const x = points(1.01, 8.4, 2000);
    const out = { fracBits: 12, magnitudeBits: 1 };
    const spec = {
      minimum: 0.5,
      rangeBits: 3,
      digitBits: 4,
      degree: 2,
      coefficientFracBits: 14,
      basisFracBits: 10,
      out,
    };
    for (const [fn, exact] of [
      ['reciprocal', (v: number) => 1 / v],
      ['rsqrt', (v: number) => 1 / Math.sqrt(v + 0.001)],
    ] as const) {
      const result = runMini(
        new Uint8Array(32).fill(2),
        real(x),
        4,
        (plan, v) => spline(plan, withFracBits(plan, v), fn, spec, 0.001),
        2,
      );
      expect(result.violations).toEqual([]);
      const errors = [...result.secure].map((y, i) => Math.abs(y / 4096 / exact(Math.round(x[i] / unit) * unit) - 1));
      expect(Math.max(...errors)).toBeLessThan(0.005);
    }
  });

  it('exp with 2^3 wide segments has no error beyond its scales', () => {
    const x = points(-5.9, 6.9, 4000);
    const spec = {
      minimum: -8,
      rangeBits: 4,
      digitBits: 3,
      coefficientFracBits: 12,
      basisFracBits: 8,
      out: { fracBits: 10, magnitudeBits: 10 },
    };
    const result = runMini(
      new Uint8Array(32).fill(5),
      real(x),
      4,
      (plan, v) => exp(plan, withFracBits(plan, v), spec),
      12,
    );
    expect(result.violations).toEqual([]);
    const errors = [...result.secure].map(
      (y, i) => Math.abs(y / 1024 - Math.exp(Math.round(x[i] / unit) * unit)) / (Math.exp(x[i]) + 0.3),
    );
    expect(Math.max(...errors)).toBeLessThan(0.005);
    expectPlannedCost(result);
  });

  it('every entry of the table is masked in all its bits, however large', () => {
    // exp on [−64, 64): entries up to 2^104, beyond what doubles hold to the unit.
    const spec = {
      minimum: -64,
      rangeBits: 7,
      digitBits: 3,
      coefficientFracBits: 12,
      basisFracBits: 8,
      out: { fracBits: 10, magnitudeBits: 10 },
    };
    const { messages, operations } = runMini(
      new Uint8Array(32).fill(6),
      real(points(-47, 6, 1000)),
      1,
      (plan, v) => exp(plan, withFracBits(plan, v), spec),
      12,
    );
    const { output } = operations.find(({ kind }) => kind === 'exp')!;
    const sent = messages.find(({ from, step }) => from === 'client' && step === 'test')!;
    const table = unpack(sent.bytes, 8 * output!.size, output!.ringBits);
    const counts = new Float64Array(256);
    for (const word of table) counts[word & 255]++;
    // χ² with 255 degrees of freedom: mean 255, deviation 23.
    const expected = table.length / 256;
    expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(400);
  });

  it('the reference names values outside the domain', () => {
    const spec = {
      minimum: -8,
      rangeBits: 4,
      digitBits: 3,
      coefficientFracBits: 12,
      basisFracBits: 8,
      out: { fracBits: 10, magnitudeBits: 10 },
    };
    const { violations } = runMini(
      new Uint8Array(32),
      real(Float64Array.of(0, -7)),
      1,
      (plan, v) => exp(plan, withFracBits(plan, v), spec),
      12,
    );
    expect(violations.map(({ kind }) => kind)).toEqual(['exp']);
  });
});

describe('layers', () => {
  const fracBits = 10;
  const gaussian = (count: number, deviation: number) => {
    const words = new Prg(new Uint8Array(32).fill(9), 'gaussian').words(2 * count);
    return Float64Array.from(
      { length: count },
      (_, i) =>
        deviation *
        Math.sqrt(-2 * Math.log((words[2 * i] + 1) / 2 ** 32)) *
        Math.cos((2 * Math.PI * words[2 * i + 1]) / 2 ** 32),
    );
  };
  const quantised = (x: Float64Array) => Int32Array.from(x, (value) => Math.round(value * 2 ** fracBits));
  const read = (plan: PlanBuilder, v: Value) => local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits);

  it('LayerNorm normalises rows', () => {
    const x = gaussian(8 * 64, 1.3);
    const spec = {
      epsilon: 1e-6,
      rsqrt: {
        minimum: 0.25,
        rangeBits: 2,
        digitBits: 4,
        degree: 2,
        coefficientFracBits: 14,
        basisFracBits: 8,
        out: { fracBits: 12, magnitudeBits: 2 },
      },
      out: { fracBits: 10, magnitudeBits: 4 },
    };
    const result = runMini(
      new Uint8Array(32).fill(8),
      quantised(x),
      8,
      (plan, v) => layerNorm(plan, read(plan, v), spec),
      6,
    );
    expect(result.violations).toEqual([]);
    result.secure.forEach((y, i) => {
      const row = x.subarray(64 * (i >> 6), 64 * (i >> 6) + 64);
      expect(y / 1024).toBeCloseTo(x[i] / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / 64), 1);
    });
    expect(worst(result)).toBeLessThanOrEqual(12);
    expectPlannedCost(result);
  });

  it('softmax rows and square rows equal their definitions', () => {
    const scores = gaussian(16 * 16, 1.5);
    const probabilities = { fracBits: 12, magnitudeBits: 1 };
    const softmax = runMini(
      new Uint8Array(32).fill(4),
      quantised(scores),
      16,
      (plan, v) =>
        softmaxRows(plan, read(plan, v), {
          exp: {
            minimum: -8,
            rangeBits: 4,
            digitBits: 3,
            coefficientFracBits: 11,
            basisFracBits: 9,
            out: { fracBits: 12, magnitudeBits: 9 },
          },
          reciprocal: {
            minimum: 0,
            rangeBits: 5,
            digitBits: 6,
            degree: 2,
            coefficientFracBits: 16,
            basisFracBits: 10,
            out: { fracBits: 12, magnitudeBits: 1 },
          },
          probabilities,
        }),
      3,
    );
    expect(softmax.violations).toEqual([]);
    softmax.secure.forEach((y, i) => {
      const row = scores.subarray(16 * (i >> 4), 16 * (i >> 4) + 16);
      expect(Math.abs(y / 4096 - Math.exp(scores[i]) / row.reduce((sum, s) => sum + Math.exp(s), 0))).toBeLessThan(
        0.004,
      );
    });
    expectPlannedCost(softmax);
    const square = runMini(
      new Uint8Array(32).fill(4),
      quantised(scores),
      16,
      (plan, v) =>
        squareRows(
          plan,
          local(plan, [v], 16, 16, ([w]) => w.map((value) => value << 6), 16),
          { scores: { fracBits: 9, magnitudeBits: 4 }, probabilities: { fracBits: 12, magnitudeBits: 5 } },
        ),
      6,
    );
    square.secure.forEach((y, i) => {
      expect(Math.abs(y / 4096 - scores[i] ** 2 / 16)).toBeLessThan(0.004);
    });
    expectPlannedCost(square);
  });
});

describe('argmax', () => {
  it('finds the largest of any number of values, and costs what the plan says', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 2, max: 20 }).chain((count) => integers(20, count)),
        (seed, x) => {
          const sorted = [...x].sort((a, b) => b - a);
          // 25 bits are compared by their highest 17, with an error of one unit either way.
          fc.pre(sorted[0] - sorted[1] > 3 * 2 ** 8);
          const result = runMini(
            seed,
            x,
            1,
            (_plan, input) => input,
            22,
            noWeights,
            (plan, y, bits) => argmax(plan, y, bits),
          );
          expect(x[result.secure[0]]).toBe(sorted[0]);
          expectPlannedCost(result);
        },
      ),
    );
  });

  it('finds the largest of more values than are compared at once, in two levels', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(129, 150, 196, 1000), fc.nat(), fc.boolean(), (seed, count, place, isLast) => {
        const best = isLast ? count - 1 : place % count;
        // Others up to what counts as equal; the best at any place.
        const x = Int32Array.from({ length: count }, (_, i) => (i === best ? 5000 : ((i * 7919) % 9000) - 5000));
        const result = runMini(
          seed,
          x,
          1,
          (_plan, input) => input,
          13,
          noWeights,
          (plan, y, bits) => argmax(plan, y, bits),
        );
        expect(result.violations).toEqual([]);
        expect(result.secure).toEqual(Int32Array.of(best));
        expectPlannedCost(result);
      }),
      { numRuns: 12 },
    );
  });

  /** The label of a row of integers below 2^magnitudeBits. */
  const labelOf = (seed: Uint8Array, x: Int32Array, magnitudeBits: number) => {
    const result = runMini(
      seed,
      x,
      1,
      (_plan, input) => input,
      magnitudeBits,
      noWeights,
      (plan, y, bits) => argmax(plan, y, bits),
    );
    expectPlannedCost(result);
    return { label: result.secure[0], violations: result.violations };
  };

  it('always finds one of the best, ties and near ties included, at any place of the range', () => {
    // 25 bits are compared by their highest 17: units of 2^8.
    const unit = 2 ** 8;
    const edge = 2 ** 23 - 2 * unit;
    fc.assert(
      fc.property(
        seeds,
        fc.constantFrom(0, 1, -unit, unit - 1, edge, 1 - edge),
        fc.array(fc.oneof(fc.constantFrom(0, 1, unit - 1), fc.nat(2 * unit)), { minLength: 3, maxLength: 9 }),
        fc.nat(3),
        (seed, base, offsets, far) => {
          // Beside the near ties, classes that lie at the other end.
          const x = Int32Array.from([...offsets.map((offset) => base + offset - unit), ...Array(far).fill(-edge)]);
          const { label, violations } = labelOf(seed, x, 23);
          expect(violations).toEqual([]);
          expect(Math.max(...x) - x[label]).toBeLessThan(2 * unit - 1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([2, 3, 7])('finds one where all of %s classes are equal', (count) => {
    for (let seed = 0; seed < 100; seed++) {
      const { label } = labelOf(new Uint8Array(32).fill(seed), new Int32Array(count).fill(7), 23);
      expect(label).toBeLessThan(count);
    }
  });

  it('takes the first of equals where nothing is dropped, and is exact there', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 2, maxLength: 12 }), (seed, list) => {
        const x = Int32Array.from(list, (value) => (Math.abs(value) === 2 ? (value / 2) * (2 ** 15 - 1) : value));
        expect(labelOf(seed, x, 15).label).toBe(x.indexOf(Math.max(...x)));
      }),
    );
  });

  it('tells nobody of values out of range: it ends like any other, and the reference names them', () => {
    fc.assert(
      fc.property(seeds, integers(25, 5), (seed, x) => {
        expect(labelOf(seed, x, 15).label).toBeLessThan(5);
      }),
    );
    const limit = 2 ** 23;
    const of = (...x: number[]) => labelOf(new Uint8Array(32), Int32Array.from(x), 23).violations.length;
    expect([of(limit - 1, 0), of(limit, 0), of(0, 256 - limit), of(0, 255 - limit)]).toEqual([0, 1, 0, 1]);
  });
});
