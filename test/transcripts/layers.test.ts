/**
 * What each layer protocol puts on the wire with fixed randomness: a digest that changes when the bytes do, and a cost that equals the
 * plan's. After a change that is meant: `UPDATE_TRANSCRIPTS=1 npx vitest run test/transcripts`, and say why in the commit.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { harmonics } from '../../protocols/layers/harmonics.ts';
import { layerNorm } from '../../protocols/layers/layerNorm.ts';
import { linear } from '../../protocols/layers/linear.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import { prepend } from '../../protocols/layers/prepend.ts';
import { matmul, square } from '../../protocols/layers/product.ts';
import { relativePosition } from '../../protocols/layers/relativePosition.ts';
import { mixUnnormalised, softmaxRows, unnormalisedSoftmax } from '../../protocols/layers/softmax.ts';
import { spline } from '../../protocols/layers/spline.ts';
import { squareRows } from '../../protocols/layers/squareAttention.ts';
import { squareUnits } from '../../protocols/layers/squareUnits.ts';
import { truncate } from '../../protocols/layers/truncate.ts';
import { harmonicGelu } from '../support/manifest.ts';
import { bytesFrom, runMini } from '../support/mini.ts';

const file = fileURLToPath(new URL('layers.json', import.meta.url));
interface Transcript {
  readonly digest: string;
  readonly clientToOwner: number;
  readonly ownerToClient: number;
}

const read = (plan: PlanBuilder, v: Value, fracBits: number) =>
  local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits);
const out = { fracBits: 10, magnitudeBits: 4 };
const table = { minimum: -8, rangeBits: 4, digitBits: 3, coefficientFracBits: 10, basisFracBits: 8, out };
const positive = { ...table, minimum: 0, rangeBits: 3, degree: 2 };
const weights = {
  tensor: (name: string) =>
    name === 'w'
      ? Uint32Array.from({ length: 16 }, (_, i) => 3 * i)
      : name === 'w.weight'
        ? Uint32Array.from({ length: 24 }, (_, i) => i - 12)
        : name === 'position'
          ? Uint32Array.from({ length: 36 }, (_, i) => 5 * i - 90)
          : Uint32Array.from({ length: 3 }, (_, i) => i),
};

const layers: Record<string, (plan: PlanBuilder, x: Value) => Value> = {
  'input and reveal': (_plan, x) => x,
  'linear, truncate (preset)': (plan, x) => truncate(plan, linear(plan, x, 'w', 3, 10), 6, 4),
  'square, truncate (any)': (plan, x) => truncate(plan, square(plan, read(plan, x, 9)), 6, 9),
  'matrix product': (plan, x) =>
    truncate(
      plan,
      matmul(
        plan,
        x,
        local(plan, [x], 8, 8, ([w]) => w.slice()),
        1,
      ),
      24,
      -4,
    ),
  layerNorm: (plan, x) => layerNorm(plan, read(plan, x, 8), { epsilon: 1e-6, rsqrt: positive, out }),
  gelu: (plan, x) => spline(plan, read(plan, x, 8), 'gelu', { ...table, degree: 2 }),
  'gelu by harmonics': (plan, x) => harmonics(plan, read(plan, x, 20), 'gelu', harmonicGelu),
  'softmax rows': (plan, x) =>
    softmaxRows(plan, read(plan, x, 8), { exp: table, reciprocal: positive, probabilities: out }),
  'square rows': (plan, x) =>
    squareRows(plan, read(plan, x, 12), { scores: { fracBits: 9, magnitudeBits: 4 }, probabilities: out }),
  'relative position': (plan, x) => {
    const scores = local(plan, [x], 16, 4, ([w]) => w.slice(), 12);
    return truncate(plan, relativePosition(plan, scores, 'position', 2), 4, 9);
  },
  'square units': (plan, x) =>
    squareUnits(plan, read(plan, x, 12), { input: { fracBits: 9, magnitudeBits: 4 }, outMagnitudeBits: 8 }, 8),
  'softmax rows by squaring': (plan, x) =>
    softmaxRows(plan, read(plan, x, 8), {
      ...{ exp: { ...table, inputScale: 0.5 }, reciprocal: positive, probabilities: out },
      squarings: [
        { input: { fracBits: 6, magnitudeBits: 4 }, square: { fracBits: 6, magnitudeBits: 8 }, reciprocal: positive },
      ],
    }),
  'spline in two levels': (plan, x) =>
    spline(plan, read(plan, x, 8), 'gelu-tanh', {
      ...{ ...table, rangeBits: 5, minimum: -16, degree: 1, ceiling: 4 },
      fine: { minimum: -4, rangeBits: 3, digitBits: 3, degree: 2 },
    }),
  'softmax divided behind the values': (plan, x) => {
    const weights = unnormalisedSoftmax(plan, read(plan, x, 8), {
      exp: { ...table, out: { fracBits: 6, magnitudeBits: 4 } },
      reciprocal: positive,
    });
    const values = truncate(plan, read(plan, x, 8), 4, 6);
    return truncate(plan, mixUnnormalised(plan, weights, values, 1, { fracBits: 8, magnitudeBits: 6 }), 4, 8);
  },
  'rows of the owner before': (plan, x) => truncate(plan, linear(plan, prepend(plan, x, 'w', 2), 'w', 3, 10), 6, 4),
};

describe('layer transcripts', () => {
  const stored = JSON.parse(readFileSync(file, { encoding: 'utf8', flag: 'a+' }) || '{}') as Record<string, Transcript>;
  const update = process.env.UPDATE_TRANSCRIPTS === '1';

  it('are all stored', () => {
    if (!update) expect(Object.keys(stored)).toEqual(Object.keys(layers));
  });

  it.each(Object.entries(layers))('%s', (name, build) => {
    const x = Int32Array.from({ length: 64 }, (_, i) => ((i * 37) % 200) - 100);
    // The ideal functionality's own results: what ring-LWE adds to a product is no matter of a transcript.
    const { messages, cost } = runMini(new Uint8Array(32).fill(11), x, 8, build, 0, weights, undefined, 'exact');
    const transcript: Transcript = {
      digest: bytesToHex(
        sha256(
          concatBytes(
            ...messages.flatMap(({ from, step, bytes }) => [utf8ToBytes(`${from} ${step} ${bytes.length};`), bytes]),
          ),
        ),
      ),
      clientToOwner: bytesFrom(messages, 'client'),
      ownerToClient: bytesFrom(messages, 'owner'),
    };
    expect({ clientToOwner: transcript.clientToOwner, ownerToClient: transcript.ownerToClient }).toEqual(cost);
    if (update) {
      stored[name] = transcript;
      writeFileSync(file, `${JSON.stringify(stored, null, 2)}\n`);
    } else expect(transcript).toEqual(stored[name]);
  });
});
