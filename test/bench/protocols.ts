// Online time of each protocol at the shapes of a 7 × 256 × 64 model, both parties in one thread, correlations from the ideal dealer.
import type { PlanBuilder } from '../../protocols/layers/builder.ts';
import { layerNorm } from '../../protocols/layers/layerNorm.ts';
import { local } from '../../protocols/layers/local.ts';
import type { Value } from '../../protocols/layers/op.ts';
import { matmul, square } from '../../protocols/layers/product.ts';
import { softmaxRows } from '../../protocols/layers/softmax.ts';
import { spline } from '../../protocols/layers/spline.ts';
import { squareRows } from '../../protocols/layers/squareAttention.ts';
import { truncate } from '../../protocols/layers/truncate.ts';
import { runMini } from '../support/mini.ts';
import { type BenchResult, summarise } from './measure.ts';

const out = { fracBits: 10, magnitudeBits: 4 };
const table = { minimum: -8, rangeBits: 4, digitBits: 3, coefficientFracBits: 10, basisFracBits: 8, out };
const curve = { ...table, digitBits: 4, degree: 2 };
const positive = { ...curve, minimum: 0, rangeBits: 3 };
const read = (plan: PlanBuilder, v: Value, fracBits: number) =>
  local(plan, [v], v.rows, v.cols, ([w]) => w.slice(), fracBits);

const protocols: Record<string, { rows: number; cols: number; build(plan: PlanBuilder, x: Value): Value }> = {
  truncate: { rows: 64, cols: 256, build: (plan, x) => truncate(plan, read(plan, x, 20), 8, 10) },
  square: { rows: 64, cols: 256, build: (plan, x) => square(plan, x) },
  matmul: { rows: 64, cols: 64, build: (plan, x) => matmul(plan, x, x, 1) },
  layerNorm: {
    rows: 64,
    cols: 256,
    build: (plan, x) => layerNorm(plan, read(plan, x, 8), { epsilon: 1e-6, rsqrt: positive, out }),
  },
  gelu: { rows: 1, cols: 512, build: (plan, x) => spline(plan, read(plan, x, 8), 'gelu', curve) },
  softmaxRows: {
    rows: 64,
    cols: 64,
    build: (plan, x) => softmaxRows(plan, read(plan, x, 8), { exp: table, reciprocal: positive, probabilities: out }),
  },
  squareRows: {
    rows: 64,
    cols: 64,
    build: (plan, x) =>
      squareRows(plan, read(plan, x, 12), { scores: { fracBits: 9, magnitudeBits: 4 }, probabilities: out }),
  },
};

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const [name, { rows, cols, build }] of Object.entries(protocols)) {
    const input = Int32Array.from({ length: rows * cols }, (_, i) => ((i * 37) % 200) - 100);
    const times: number[] = [];
    let bytes = 0;
    for (let i = 0; i < 12; i++) {
      const { messages, onlineMs } = runMini(new Uint8Array(32).fill(i), input, rows, build);
      bytes = messages.filter(({ step }) => step === 'test').reduce((sum, message) => sum + message.bytes.length, 0);
      // The first runs warm the engine up.
      if (i >= 3) times.push(onlineMs);
    }
    results.push(summarise(`protocols/${name}`, 'ms', times), summarise(`protocols/${name}Bytes`, 'bytes', [bytes]));
  }
  return results;
}
