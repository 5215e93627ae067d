/** The exported tiny model: the integer reference against the float model, layer by layer, and against its ONNX form. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { maxErrorCharacters } from '../../protocols/channel/errors.ts';
import {
  compilePlan,
  evaluateReference,
  inputOf,
  loadOwnerModel,
  parseManifest,
  publicManifest,
} from '../../protocols/index.ts';
import { withSwitches } from '../../protocols/inference/manifest.ts';
import { twoParty } from '../../protocols/inference/offline.ts';
import { preparationCost, setupCost } from '../../protocols/offline/division.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { PlaintextModel } from '../../scripts/lib/plaintext.ts';
import { makeManifest } from '../support/manifest.ts';
import { channels, pair } from '../support/pairing.ts';
import { nowMs } from '../support/turns.ts';

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

/** The tiny model's manifest, to be altered. */
interface Editable {
  architecture: Record<string, unknown>;
  preprocessing: Record<string, unknown>;
  title: string;
  labels: string[];
  switches: { softmaxRows: number[][][]; geluTokens: number[][] };
  fixedPoint: { blocks: { attn: { exp: { minimum: number } } }[] };
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
    layouts.v = layouts.q;
    let compared = 0;
    for (const [name, values] of points) {
      if (values instanceof Uint8Array) continue;
      const ours = result.named(name);
      expect(ours.length, name).toBe(values.length);
      const layout = layouts[/attn\.([qkv])$/.exec(name)?.[1] ?? ''] ?? ((i: number) => i);
      const scale = values.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
      const error = values.reduce((max, x, i) => Math.max(max, Math.abs(x - ours[layout(i)])), 0);
      // Rounding accumulates from layer to layer; a wrong layout or scale is off by the order of `scale` itself.
      expect(error, name).toBeLessThan(0.04 * scale + 0.01);
      compared++;
    }
    expect(compared).toBe(5 + 2 * 11);
  });

  it('reference is the exporter’s simulation of the plan, to the last unit', async () => {
    const { plan, weights, manifest } = await readModel(folder);
    const simulated = JSON.parse(await readFile(`${folder}/simulated.json`, 'utf8')) as {
      pixels: number[];
      logits: number[];
    }[];
    expect(simulated.length).toBeGreaterThan(10);
    for (const { pixels, logits } of simulated) {
      const result = evaluateReference(plan, weights, inputOf(Uint8Array.from(pixels), manifest.architecture));
      const { fracBits } = plan.named.get('logits')!;
      expect([...result.named('logits')].map((logit) => logit * 2 ** fracBits)).toEqual(logits);
      // Rounded for the client: within half a unit, and the best stays among the best.
      result.logits.forEach((rounded, i) => {
        expect(Math.abs(rounded - logits[i] * 2 ** (plan.logitFracBits - fracBits))).toBeLessThanOrEqual(0.5);
      });
      expect(result.logits[logits.indexOf(Math.max(...logits))]).toBe(Math.max(...result.logits));
      expect(result.violations).toEqual([]);
    }
  });

  it('reference agrees with the ONNX model', async () => {
    const model = await readModel(folder);
    const onnx = await PlaintextModel.load(folder);
    const pixels = [...(await golden()).values()].find((values) => values instanceof Uint8Array) as Uint8Array;
    const [float] = await onnx.logits([pixels]);
    const { logits } = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
    float.forEach((logit, i) => {
      expect(Math.abs(logit - logits[i] * 2 ** -model.plan.logitFracBits)).toBeLessThan(0.05);
    });
  });

  it('classifies in secret as the reference does, at the cost that the plan predicts', async () => {
    const model = await readModel(folder);
    expect(model.manifest.architecture).toMatchObject({ positionalScores: true, staticMixing: true, squareUnits: 6 });
    const pixels = [...(await golden()).values()].find((values) => values instanceof Uint8Array) as Uint8Array;
    const { logits } = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
    const { client, served } = await pair(model, undefined, channels(), twoParty);
    const result = await client.classify(pixels);
    await client.close();
    await served;
    expect(result.integerLogits).toHaveLength(logits.length);
    result.integerLogits.forEach((logit, i) => {
      expect(Math.abs(logit - logits[i]) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.05);
    });
    const { phases, layers } = client.report();
    const { cots: _, flights: __, ...offline } = preparationCost(model.plan.stages, 0);
    expect(phases.offline).toMatchObject(offline);
    const online = new Map(layers.filter(({ phase }) => phase === 'online').map((layer) => [layer.name, layer]));
    for (const { name, bytesClientToOwner, bytesOwnerToClient, flights } of model.plan.steps) {
      const layer = online.get(name) ?? { bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
      expect(layer, name).toMatchObject({ bytesClientToOwner, bytesOwnerToClient, flights });
    }
  });

  it('costs what it would without its tables of positions', async () => {
    const { manifest, plan } = await readModel(folder);
    const { positionalScores: _, staticMixing: __, ...architecture } = manifest.architecture;
    const without = compilePlan({ ...manifest, architecture });
    const tables = (operations: typeof plan.operations) => operations.filter(({ kind }) => kind === 'relativePosition');
    expect([tables(plan.operations).length, tables(without.operations).length]).toEqual([4, 0]);
    expect(without.hash).not.toBe(plan.hash);
    const costs = (steps: typeof plan.steps) => steps.map(({ protocol: _, detail: __, ...cost }) => cost);
    expect(costs(plan.steps)).toEqual(costs(without.steps));
    expect(preparationCost(plan.stages, 0)).toEqual(preparationCost(without.stages, 0));
    expect(setupCost(plan.stages.flat())).toEqual(setupCost(without.stages.flat()));
    // Either one alone, and a flag that says no, compile too.
    for (const flags of [{ positionalScores: true }, { staticMixing: true, positionalScores: false }])
      expect(
        tables(
          compilePlan(parseManifest(JSON.stringify({ ...manifest, architecture: { ...architecture, ...flags } })))
            .operations,
        ),
      ).toHaveLength(2);
    expect(() =>
      parseManifest(JSON.stringify({ ...manifest, architecture: { ...architecture, staticMixing: 1 } })),
    ).toThrow(/architecture\.staticMixing/);
  });

  it('has its square units in the flights of attention', async () => {
    const { manifest, plan } = await readModel(folder);
    const { squareUnits: _, ...architecture } = manifest.architecture;
    const blocks = manifest.fixedPoint.blocks.map(({ attn: { squareUnits: __, ...attn }, ...block }) => ({
      ...block,
      attn,
    }));
    const without = compilePlan(
      parseManifest(JSON.stringify({ ...manifest, architecture, fixedPoint: { ...manifest.fixedPoint, blocks } })),
    );
    const total = (steps: typeof plan.steps, of: (step: (typeof steps)[number]) => number) =>
      steps.reduce((sum, step) => sum + of(step), 0);
    expect(total(plan.steps, (step) => step.flights)).toBe(total(without.steps, (step) => step.flights));
    // The units' flights are fewer than attention's also where no row has a softmax.
    const flights = (squareUnits: number) =>
      total(compilePlan(makeManifest({ softmax: 0, gelu: 0, squareUnits })).steps, (step) => step.flights);
    expect(flights(5)).toBe(flights(0));
    const units = plan.steps.filter(({ name }) => name.endsWith('attn.units'));
    expect(units).toHaveLength(2);
    for (const step of units) expect(step.bytesClientToOwner + step.bytesOwnerToClient).toBeGreaterThan(0);
    expect(without.steps.some(({ name }) => name.endsWith('attn.units'))).toBe(false);
    // Units without scales, and scales without units, are no manifest.
    for (const half of [
      { ...manifest, architecture },
      { ...manifest, fixedPoint: { ...manifest.fixedPoint, blocks } },
    ])
      expect(() => parseManifest(JSON.stringify(half))).toThrow(/scales of square units in every block/);
  });

  it('tells clients nothing of its files: digests would confirm a guess, and link owners of the same model', async () => {
    const text = await readFile(`${folder}/manifest.json`, 'utf8');
    const { files } = parseManifest(text);
    const model = await readModel(folder);
    for (const digest of Object.values(files!)) expect(model.manifestJson).not.toContain(digest);
    expect(model.manifest).toEqual(publicManifest(parseManifest(text)));
    const { client } = await pair(model);
    expect(client.manifest).toEqual(model.manifest);
    expect(JSON.stringify(client.manifest)).not.toMatch(/sha256|[0-9a-f]{32}/i);
    await client.close();
  });

  it('refuses hostile files at once, in few words', async () => {
    const manifest = await readFile(`${folder}/manifest.json`, 'utf8');
    const weights = new Uint8Array(await readFile(`${folder}/weights.bin`)).buffer;
    const refused = (files: { manifest: string; weightsIndex: string }) => {
      const startMs = nowMs();
      let message = '';
      try {
        loadOwnerModel({ ...files, weights });
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProtocolError', code: 'manifest' });
        ({ message } = error as Error);
      }
      expect(message.length).toBeGreaterThan(10);
      expect(message.length).toBeLessThanOrEqual(maxErrorCharacters);
      expect(nowMs() - startMs).toBeLessThan(1000);
      return message;
    };
    const bad = (count: number) => JSON.stringify({ tensors: Array.from({ length: count }, () => ({ name: 1 })) });
    expect(refused({ manifest, weightsIndex: bad(300_000) })).toMatch(
      /weights\.json has \d+ bytes, at most 262144 are read/,
    );
    refused({ manifest, weightsIndex: bad(20_000) });
    refused({ manifest, weightsIndex: bad(2_000) });
    const fine = { name: 'n', dtype: 'int16', shape: [1], offset: 0 };
    refused({ manifest, weightsIndex: JSON.stringify({ tensors: Array.from({ length: 2049 }, () => fine) }) });
    // A key, a name and a value of 900,000 characters, which an error would quote.
    const long = 'x'.repeat(900_000);
    for (const text of [
      manifest.replace('"format"', `"${long}": 1, "format"`),
      manifest.replace(/"name": "[^"]*"/, `"name": "${long}"`),
      manifest.replace(/"format": "[^"]*"/, `"format": "${long}"`),
    ]) {
      expect(text).toContain(long);
      refused({ manifest: text, weightsIndex: '{"tensors":[]}' });
    }
  });

  // Each by one change; what the other parts of the same rule ask for stays as it should be.
  it.each<[string, (manifest: Editable) => void, string]>([
    [
      'a patch that does not divide',
      ({ architecture: a }) => Object.assign(a, { patchSize: 3, tokens: 7 }),
      'tokens =',
    ],
    ['other tokens than patches', ({ architecture: a }) => (a.tokens = 15), 'tokens ='],
    ['heads that do not divide the width', ({ architecture: a }) => (a.heads = 3), 'dim must be a multiple'],
    ['a class token that is not there', ({ architecture: a }) => (a.pool = 'class'), 'a class token is the first'],
    [
      'relative positions beside a prefix',
      ({ architecture: a }) => Object.assign(a, { prefixTokens: 1, tokens: 17 }),
      'a square grid',
    ],
    [
      'relative positions of an oblong',
      ({ architecture: a, preprocessing: p }) => {
        Object.assign(a, { imageWidth: 16, tokens: 32 });
        p.cropWidth = 16;
      },
      'a square grid',
    ],
    ['a label that moves a terminal’s cursor', ({ labels }) => (labels[1] = '\u001b[31mcat'), 'no control'],
    ['a label of two lines', ({ labels }) => (labels[1] = 'a\ncat'), 'no control'],
    ['a title that turns the words around', (m) => (m.title = 'a\u202emodel'), 'no control'],
    ['a label without letters', ({ labels }) => (labels[1] = ''), 'labels'],
    ['a label too few', ({ labels }) => labels.pop(), 'one label for each class'],
    ['another crop', ({ preprocessing: p }) => (p.crop = 7), 'crop = imageSize'],
    ['another crop’s width', ({ preprocessing: p }) => (p.cropWidth = 9), 'crop = imageSize'],
    ['a shorter side below the crop', ({ preprocessing: p }) => (p.shorterSide = 7), 'crop = imageSize'],
    ['scales of one block more', ({ fixedPoint: f }) => f.blocks.push(f.blocks[0]), 'one block of scales'],
    ['switches of one block more', ({ switches: s }) => s.geluTokens.push([]), 'switches for every layer'],
    ['a row beyond the tokens', ({ switches: s }) => s.softmaxRows[0][0].push(16), 'switches for every layer'],
    ['a token beyond them', ({ switches: s }) => s.geluTokens[0].push(16), 'switches for every layer'],
    ['a domain between the sixteenths of a bit', ({ fixedPoint: f }) => (f.blocks[0].attn.exp.minimum = 0.1), '2^-16'],
    ['a domain far away', ({ fixedPoint: f }) => (f.blocks[0].attn.exp.minimum = -(2 ** 20)), '2^-16'],
  ])('refuses a manifest with %s', async (_, change, rule) => {
    const manifest = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Editable;
    expect(() => parseManifest(JSON.stringify(manifest))).not.toThrow();
    change(manifest);
    expect(() => parseManifest(JSON.stringify(manifest))).toThrow(rule);
  });

  it('refuses a division behind the values where a row is no softmax, or has static mixing', () => {
    const shape = { positional: false, softmax: 1, unnormalised: [1] };
    const manifest = makeManifest(shape);
    expect(() => parseManifest(JSON.stringify(manifest))).not.toThrow();
    manifest.switches.softmaxRows[0][0].pop();
    expect(() => parseManifest(JSON.stringify(manifest))).not.toThrow();
    manifest.switches.softmaxRows[1][0].pop();
    const rule = 'unnormalisedMix only in a block without static mixing whose every row is softmax';
    expect(() => parseManifest(JSON.stringify(manifest))).toThrow(rule);
    const { fixedPoint, switches } = withSwitches(manifest, manifest.switches);
    expect(fixedPoint.blocks.map(({ attn }) => attn.unnormalisedMix)).toEqual([undefined, undefined]);
    expect(() => parseManifest(JSON.stringify({ ...manifest, fixedPoint, switches }))).not.toThrow();
    expect(() => parseManifest(JSON.stringify(makeManifest({ ...shape, positional: true })))).toThrow(rule);
  });

  it('refuses altered weights, missing tensors and a malformed manifest, saying which', async () => {
    const manifest = await readFile(`${folder}/manifest.json`, 'utf8');
    const weightsIndex = await readFile(`${folder}/weights.json`, 'utf8');
    const weights = new Uint8Array(await readFile(`${folder}/weights.bin`)).buffer;
    const altered = weights.slice(0);
    new Uint8Array(altered)[7] ^= 1;
    expect(() => loadOwnerModel({ manifest, weightsIndex, weights: altered })).toThrow(/SHA-256/);
    const index = JSON.parse(weightsIndex) as { tensors: { name: string; shape: number[] }[] };
    for (const missing of ['blocks.0.attn.score_bias', 'head.weight']) {
      const tensors = index.tensors.filter(({ name }) => name !== missing);
      expect(() => loadOwnerModel({ manifest, weightsIndex: JSON.stringify({ tensors }), weights })).toThrow(
        `${missing} is missing`,
      );
    }
    const withShape = (tensor: string, shape: number[]) => {
      const tensors = index.tensors.map((entry) => (entry.name === tensor ? { ...entry, shape } : entry));
      return () => loadOwnerModel({ manifest, weightsIndex: JSON.stringify({ tensors }), weights });
    };
    for (const [tensor, shape, expected] of [
      ['blocks.1.attn.static_mix', [2, 49], '(49, 2)'],
      ['head.weight', [16, 4], '(4, 16)'],
      ['head.weight', [64], '(4, 16)'],
      ['blocks.0.attn.proj.weight', [22, 16], '(16, 22)'],
      ['patch_embed.bias', [16], '(16, 16)'],
      ['head.bias', [1, 4], '(4)'],
    ] as const)
      expect(withShape(tensor, [...shape])).toThrow(`${tensor}: expected shape ${expected}, got (${shape.join(', ')})`);
    expect(withShape('head.weight', [4, 16])).not.toThrow();
    expect(withShape('head.weight', [4000, 16])).toThrow('head.weight lies outside weights.bin');
    const twice = JSON.stringify({ tensors: [...index.tensors, index.tensors[0]] });
    expect(() => loadOwnerModel({ manifest, weightsIndex: twice, weights })).toThrow('is there twice');
    expect(() =>
      loadOwnerModel({ manifest: manifest.replace('"depth": ', '"depth": 9'), weightsIndex, weights }),
    ).toThrow(/manifest/);
    expect(() => loadOwnerModel({ manifest: 'no', weightsIndex, weights })).toThrow(/not JSON/);
    const tooFine = manifest.replace(/"projWeightFracBits": \d+/, '"projWeightFracBits": 30');
    expect(() => loadOwnerModel({ manifest: tooFine, weightsIndex, weights })).toThrow(
      /blocks\.0\.attn\.proj: value \d+ .*: needs a ring of \d+ bits, limit 32/,
    );
  });
});
