/**
 * npx tsx test/bench/shape.ts --model NAME|PATH --out FOLDER [--softmax ROWS] [--gelu TOKENS] [--gelu-in BLOCK]
 *   [--linear-mlps] [--without-squarings] [--keep-after BLOCK:checkerboard]
 *
 * What a network of a model's shape would cost before anybody trains it: writes an artifact with the model's scales, other switches, and random
 * weights. Bytes, flights and seconds are what a trained one of this shape has (protocols do not depend on values); its answers mean nothing.
 *
 * --gelu-in: the GELU tokens are all in this block, counted from 0, where a search may leave them; else spread evenly.
 * --linear-mlps: norms before MLPs have a constant scale, and MLPs without a GELU token are part of attention's last matrix.
 * --without-squarings: scores are small enough for one exponential (`privit narrow --score-weight 10` trains for that).
 * --keep-after: behind this block, counted from 0, every second patch goes on, and what is before the patches.
 */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { compilePlan, type Manifest, parseManifest } from '../../protocols/index.ts';
import { tokensBehind } from '../../protocols/inference/tokens.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { modelFolder } from '../../scripts/lib/models.ts';
import { readOptions } from '../../scripts/lib/options.ts';
import { randomWeights } from '../support/manifest.ts';
import { withBudget } from './plan.ts';

const usage = `npx tsx test/bench/shape.ts --model NAME|PATH --out FOLDER [--softmax ROWS] [--gelu TOKENS] [--gelu-in BLOCK]
       [--linear-mlps] [--without-squarings] [--keep-after BLOCK:checkerboard]`;

/** Constant scales before MLPs, those without a GELU token inside attention's last matrix; scores for one exponential. */
function cheaper(manifest: Manifest, linearMlps: boolean, withoutSquarings: boolean): Manifest {
  const blocks = manifest.fixedPoint.blocks.map(({ norm2, mlp, attn, ...rest }, layer) => {
    const { squarings, ...exponential } = attn;
    const isLinear = linearMlps && manifest.switches.geluTokens[layer].length === 0;
    return {
      ...rest,
      attn: withoutSquarings ? exponential : attn,
      ...(!linearMlps && { norm2 }),
      ...(!isLinear && { mlp }),
    };
  });
  return parseManifest(JSON.stringify({ ...manifest, fixedPoint: { ...manifest.fixedPoint, blocks } }));
}

/** All GELU tokens in one block. */
function gathered(manifest: Manifest, block: number): Manifest {
  const { geluTokens } = manifest.switches;
  const count = geluTokens.flat().length;
  const there = tokensBehind(manifest.architecture, block);
  if (count > there.length)
    throw new Error(`--gelu-in: block ${block} has ${there.length} tokens, fewer than ${count}`);
  const inBlock = geluTokens.map((_, layer) => (layer === block ? there.slice(0, count) : []));
  return { ...manifest, switches: { ...manifest.switches, geluTokens: inBlock } };
}

/** Every second patch of a square picture, and the tokens before the patches. */
function checkerboard({ tokens, prefixTokens = 0 }: Manifest['architecture'], block: number) {
  const side = Math.sqrt(tokens - prefixTokens);
  const isKept = (patch: number) => (Math.floor(patch / side) + (patch % side)) % 2 === 0;
  return {
    block,
    tokens: Array.from({ length: tokens }, (_, i) => i).filter((i) => i < prefixTokens || isKept(i - prefixTokens)),
  };
}

async function main(): Promise<void> {
  const options = readOptions(usage, {
    model: { type: 'string' },
    out: { type: 'string' },
    softmax: { type: 'string' },
    gelu: { type: 'string' },
    'gelu-in': { type: 'string' },
    'linear-mlps': { type: 'boolean', default: false },
    'without-squarings': { type: 'boolean', default: false },
    'keep-after': { type: 'string' },
  });
  const { model, out: folder, 'keep-after': after } = options;
  if (model === undefined || folder === undefined) throw new Error(`--model and --out are needed\nusage: ${usage}`);
  const from = await modelFolder(model);
  const given = parseManifest(await readFile(`${from}manifest.json`, 'utf8'));
  const { architecture } = given;
  const keptTokens = after === undefined ? undefined : [checkerboard(architecture, Number(after.split(':')[0]))];
  const count = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const kept = { ...given, architecture: { ...architecture, ...(keptTokens && { keptTokens }) } };
  const spread = withBudget(kept, count(options.softmax), count(options.gelu));
  const block = count(options['gelu-in']);
  const switched = block === undefined ? spread : gathered(spread, block);
  const wanted = cheaper(switched, options['linear-mlps'], options['without-squarings']);
  const { files, publicPart: _part, ...manifest } = wanted;
  const weights = randomWeights(manifest);
  const tensors: { name: string; dtype: 'int32'; shape: readonly number[]; offset: number }[] = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const op of compilePlan(manifest).operations) {
    for (const { name, shape } of protocolOf(op).tensors(op)) {
      const words = weights.tensor(name);
      tensors.push({ name, dtype: 'int32', shape, offset });
      parts.push(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      offset += words.byteLength;
    }
  }
  const all = Buffer.concat(parts);
  const written = {
    ...manifest,
    description: `Random weights in the shape of ${given.name}: what such a network costs.`,
    files: { ...files, weightsSha256: bytesToHex(sha256(all)) },
  };
  await mkdir(folder, { recursive: true });
  await Promise.all([
    writeFile(`${folder}/manifest.json`, JSON.stringify(written)),
    writeFile(`${folder}/weights.json`, JSON.stringify({ tensors })),
    writeFile(`${folder}/weights.bin`, all),
    // What `classify` compares with: the model's own network, which says something else.
    copyFile(`${from}model.onnx`, `${folder}/model.onnx`),
  ]);
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
