/** A Vision Transformer in floating point, written from the papers and not from the plan: what any manifest's network must compute. */
import type { Manifest } from '../../protocols/inference/manifest.ts';
import type { OwnerWeights } from '../../protocols/layers/op.ts';
import { splineFunctions } from '../../protocols/layers/splineFunctions.ts';

type Matrix = number[][];

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, x, i) => sum + x * b[i][j], 0)));
const sum = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((x, j) => x + b[i][j]));
const transpose = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));
const mean = (row: readonly number[]) => row.reduce((total, x) => total + x, 0) / row.length;

/**
 * The logits of a picture.
 * @param input integers, (patches, 3·patchSize²), as inputOf gives them.
 * @param weights integers with the manifest's fraction bits.
 */
export function floatLogits(manifest: Manifest, weights: OwnerWeights, input: Int32Array): number[] {
  const { architecture: a, fixedPoint: f, switches } = manifest;
  const { heads, headDim = a.dim / a.heads, prefixTokens = 0, pool = 'mean', activation = 'gelu' } = a;
  const inner = heads * headDim;
  const read = (name: string, cols: number, fracBits: number): Matrix => {
    const flat = Array.from(weights.tensor(name), (word) => (word | 0) * 2 ** -fracBits);
    return Array.from({ length: flat.length / cols }, (_, i) => flat.slice(i * cols, (i + 1) * cols));
  };
  /** x·Wᵀ + b, of rows first … of the tensor. */
  const linear = (x: Matrix, name: string, fracBits: number, inFracBits: number, first = 0, count?: number): Matrix => {
    const w = read(`${name}.weight`, x[0].length, fracBits);
    const rows = w.slice(first, first + (count ?? w.length));
    const b = read(`${name}.bias`, 1, fracBits + inFracBits).map(([bias]) => bias);
    const perRow = b.length === w.length * x.length;
    return product(x, transpose(rows)).map((row, i) =>
      row.map((y, j) => y + b[perRow ? i * w.length + first + j : first + j]),
    );
  };
  const norm = (x: Matrix, spec: NonNullable<typeof f.fcNorm>, factor = 1) =>
    x.map((row) => {
      const square = mean(row.map((value) => value * value)) + spec.epsilon / factor ** 2;
      return row.map((value) => value / Math.sqrt(square));
    });

  const patches = input.length / (3 * a.patchSize ** 2);
  const pixels = Array.from({ length: patches }, (_, i) => [
    ...input.slice(i * 3 * a.patchSize ** 2, (i + 1) * 3 * a.patchSize ** 2),
  ]);
  let x = linear(pixels, 'patch_embed', f.patchEmbed.weightFracBits, 0);
  if (prefixTokens > 0) x = [...read('prefix', a.dim, f.residual.fracBits), ...x];

  /** Places in the picture of the rows of x. */
  let there: readonly number[] = x.map((_, place) => place);
  let streamFracBits = f.residual.fracBits;
  f.blocks.forEach((block, layer) => {
    const { attn, mlp } = block;
    // Queries are those of the tokens that go on: the class token alone, or the places that the manifest names.
    const kept = a.keptTokens?.find((entry) => entry.block === layer)?.tokens;
    const behind = pool === 'class' && layer === a.depth - 1 ? [0] : (kept ?? there);
    const goOn = <T>(rows: readonly T[]) => behind.map((place) => rows[there.indexOf(place)]);
    // Without a norm the weights read the stream itself, at the stream's fraction bits.
    streamFracBits = block.residual?.fracBits ?? streamFracBits;
    const [readBits1, readBits2] = [block.norm1, block.norm2].map((spec) => spec?.out.fracBits ?? streamFracBits);
    const y = block.norm1 ? norm(x, block.norm1) : x;
    const of = (third: number, fracBits: number, rows: Matrix) => {
      const [name, first] =
        behind.length === there.length ? ['qkv', third] : third === 0 ? ['q', 0] : ['kv', third - 1];
      return linear(rows, `blocks.${layer}.attn.${name}`, fracBits, readBits1, first * inner, inner);
    };
    const queries = goOn(y);
    const [q, k, v] = [
      of(0, attn.qWeightFracBits, queries),
      of(1, attn.kWeightFracBits, y),
      of(2, attn.vWeightFracBits, y),
    ];
    const mixed: Matrix = queries.map(() => []);
    for (let head = 0; head < heads; head++) {
      const cut = (m: Matrix) => m.map((row) => row.slice(head * headDim, (head + 1) * headDim));
      const scores = product(cut(q), transpose(cut(k)));
      // The exporter's factor on scores is not in these random weights: softmax as it stands, squares over 2^⌈log2 n⌉.
      const p = scores.map((row, i) => {
        if (!switches.softmaxRows[layer][head].includes(behind[i]))
          return row.map((s) => s ** 2 / 2 ** Math.ceil(Math.log2(row.length)));
        const exps = row.map((s) => Math.exp(s - mean(row)));
        return exps.map((e) => e / (mean(exps) * row.length));
      });
      product(p, cut(v)).forEach((row, i) => {
        mixed[i].push(...row);
      });
    }
    const ahead = goOn(x);
    // The stream's columns of `proj` are read as if they had the fraction bits of `mix`.
    if (!mlp)
      ahead.forEach((row, i) => {
        mixed[i].push(...row.map((value) => value * 2 ** (streamFracBits - attn.mix.fracBits)));
      });
    x = sum(ahead, linear(mixed, `blocks.${layer}.attn.proj`, attn.projWeightFracBits, attn.mix.fracBits));
    there = behind;
    if (!mlp) return;
    const z = block.norm2 ? norm(x, block.norm2) : x;
    const activated = (mlp.gelu ? [{ units: a.mlpDim, ...mlp.gelu }] : mlp.geluGroups!).flatMap(({ units, ...spec }) =>
      Array.from({ length: units }, () => spec),
    );
    const ceilings = activated.map((spec) => ('ceiling' in spec && spec.ceiling) || Infinity);
    const { evaluate } = splineFunctions[activation];
    const out = z.map((row, i) => {
      if (!switches.geluTokens[layer].includes(behind[i]))
        return linear([row], `blocks.${layer}.mlp.merged`, mlp.mergedWeightFracBits, readBits2)[0];
      const hidden = linear([row], `blocks.${layer}.mlp.fc1`, mlp.fc1WeightFracBits, readBits2);
      const units = hidden.map((h) => h.map((u, j) => Math.min(evaluate(u), ceilings[j])));
      return linear(units, `blocks.${layer}.mlp.fc2`, mlp.fc2WeightFracBits, activated[0].out.fracBits)[0];
    });
    x = sum(x, out);
  });

  const average = (rows: Matrix) => [transpose(rows).map(mean)];
  const ofPatches = x.filter((_, i) => there[i] >= prefixTokens);
  const factor = ofPatches.length / 2 ** Math.ceil(Math.log2(ofPatches.length));
  const { fcNorm } = f;
  const features =
    pool === 'class'
      ? fcNorm
        ? norm(x, fcNorm)
        : x
      : pool === 'mean' && fcNorm
        ? norm(average(ofPatches), fcNorm, factor)
        : // The exporter's factor on the head is not in these random weights.
          average(fcNorm ? norm(ofPatches, fcNorm) : ofPatches).map((row) => row.map((value) => value * factor));
  const unnormed = pool === 'class' ? streamFracBits : f.pool.fracBits;
  const inFracBits = pool === 'norm-mean' || !fcNorm ? unnormed : fcNorm.out.fracBits;
  return linear(features, 'head', f.head.weightFracBits, inFracBits)[0];
}
