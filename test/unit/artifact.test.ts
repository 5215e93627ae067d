/** The exported tiny model: the integer reference against the float model, layer by layer, and against its ONNX form. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { evaluateReference, inputOf, loadOwnerModel } from '../../protocols/index.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { PlaintextModel } from '../../scripts/lib/plaintext.ts';

const folder = fileURLToPath(new URL('../vectors/tiny', import.meta.url));

async function golden() {
  const index = JSON.parse(await readFile(`${folder}/golden.json`, 'utf8')) as {
    tensors: { name: string; dtype: 'uint8' | 'float32'; shape: number[]; offset: number }[];
  };
  const bytes = new Uint8Array(await readFile(`${folder}/golden.bin`)).buffer;
  return new Map(
    index.tensors.map(({ name, dtype, shape, offset }) => {
      const count = shape.reduce((product, n) => product * n, 1);
      return [
        name,
        dtype === 'uint8' ? new Uint8Array(bytes, offset, count) : new Float32Array(bytes, offset, count),
      ] as const;
    }),
  );
}

describe('tiny artifact', () => {
  it('reference equals the float model at every golden point', async () => {
    const model = await readModel(folder);
    const points = await golden();
    const pixels = [...points.entries()].find(([, values]) => values instanceof Uint8Array)![1] as Uint8Array;
    const result = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
    expect(result.violations).toEqual([]);
    const { tokens, dim, heads } = model.manifest.architecture;
    const headDim = dim / heads;
    /** Where an element of a golden tensor is in the plan's layout. */
    const layouts: Record<string, (i: number) => number> = {
      q: (i) => (Math.floor((i % dim) / headDim) * tokens + Math.floor(i / dim)) * headDim + (i % headDim),
      k: (i) => (i % dim) * tokens + Math.floor(i / dim),
    };
    layouts.v = layouts.q!;
    let compared = 0;
    for (const [name, values] of points) {
      if (values instanceof Uint8Array) continue;
      const ours = result.named(name);
      expect(ours.length, name).toBe(values.length);
      const layout = layouts[/attn\.([qkv])$/.exec(name)?.[1] ?? ''] ?? ((i: number) => i);
      const scale = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
      const error = values.reduce((max, x, i) => Math.max(max, Math.abs(x - ours[layout(i)]!)), 0);
      // Rounding accumulates from layer to layer; a wrong layout or scale is off by the order of `scale` itself.
      expect(error, name).toBeLessThan(0.04 * scale + 0.01);
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(4 + 2 * 10);
  });

  it('reference agrees with the ONNX model', async () => {
    const model = await readModel(folder);
    const onnx = await PlaintextModel.load(folder);
    const pixels = [...(await golden()).values()].find((values) => values instanceof Uint8Array) as Uint8Array;
    const [float] = await onnx.logits([pixels]);
    const { logits } = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
    float!.forEach((logit, i) => {
      expect(Math.abs(logit - logits[i]! * 2 ** -model.plan.logitFracBits)).toBeLessThan(0.05);
    });
  });

  it('refuses altered weights, missing tensors and a malformed manifest, saying which', async () => {
    const manifest = await readFile(`${folder}/manifest.json`, 'utf8');
    const weightsIndex = await readFile(`${folder}/weights.json`, 'utf8');
    const weights = new Uint8Array(await readFile(`${folder}/weights.bin`)).buffer;
    const altered = weights.slice(0);
    new Uint8Array(altered)[7]! ^= 1;
    expect(() => loadOwnerModel({ manifest, weightsIndex, weights: altered })).toThrow(/SHA-256/);
    const index = JSON.parse(weightsIndex) as { tensors: { name: string }[] };
    index.tensors = index.tensors.filter(({ name }) => name !== 'head.weight');
    expect(() => loadOwnerModel({ manifest, weightsIndex: JSON.stringify(index), weights })).toThrow(
      /head\.weight is missing/,
    );
    expect(() =>
      loadOwnerModel({ manifest: manifest.replace('"depth": ', '"depth": 9'), weightsIndex, weights }),
    ).toThrow(/manifest/);
    expect(() => loadOwnerModel({ manifest: 'no', weightsIndex, weights })).toThrow(/not JSON/);
  });
});
