/** The owner's side of an artifact (docs/artifact.md): the manifest with the integer weights. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import * as v from 'valibot';
import { ProtocolError } from '../channel/errors.ts';
import type { OwnerWeights } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import { requireFileSize } from './fileLimits.ts';
import { requireAffordable } from './limits.ts';
import { type Manifest, parseManifest, publicManifest } from './manifest.ts';
import { type Answer, compilePlan, type Plan } from './plan.ts';
import { publicPartFile } from './publicPart.ts';

export interface OwnerModel {
  readonly manifest: Manifest;
  /** The manifest as it goes to the client. */
  readonly manifestJson: string;
  readonly weights: OwnerWeights;
  readonly plan: Plan;
  /** What clients run themselves (publicPart.ts), where the model has such a part. */
  readonly publicPart?: Uint8Array;
}

/** Twenty times what the shipped models have. */
const maxTensors = 2048;

const Index = v.object({
  tensors: v.pipe(
    v.array(
      v.object({
        name: v.pipe(v.string(), v.maxLength(100)),
        dtype: v.picklist(['int16', 'int32']),
        shape: v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(1))), v.minLength(1), v.maxLength(2)),
        offset: v.pipe(v.number(), v.integer(), v.minValue(0)),
      }),
    ),
    v.maxLength(maxTensors),
  ),
});

/** What is in an artifact's files; the public part's file where there is one. */
export interface ArtifactFiles {
  readonly manifest: string;
  readonly weightsIndex: string;
  readonly weights: ArrayBuffer;
  readonly publicPart?: ArrayBuffer | undefined;
}

/**
 * Reads an artifact's files.
 * @param answer what clients are to learn.
 * @throws ProtocolError `manifest` when a file is malformed, a tensor is missing or has another shape, a weight is too large, the weights
 *   are not the manifest's, or no client would take part.
 */
export function loadOwnerModel(files: ArtifactFiles, answer: Answer = 'logits'): OwnerModel {
  const whole = parseManifest(files.manifest);
  const manifest = publicManifest(whole);
  const fail = (message: string): never => {
    throw new ProtocolError('manifest', 'model', message);
  };
  requireFileSize('weights.json', files.weightsIndex.length);
  let index: v.InferOutput<typeof Index>;
  try {
    index = v.parse(Index, JSON.parse(files.weightsIndex), { abortEarly: true });
  } catch (error) {
    return fail(`weights.json: ${(error as Error).message}`);
  }
  const digest = bytesToHex(sha256(new Uint8Array(files.weights)));
  if (digest !== whole.files?.weightsSha256)
    fail('weights.bin is not the file that manifest.json names (its SHA-256 differs)');
  const publicPart = whole.publicPart && files.publicPart ? new Uint8Array(files.publicPart) : undefined;
  if (whole.publicPart && !publicPart) fail(`${publicPartFile} is missing: the model has a public part`);
  if (publicPart && bytesToHex(sha256(publicPart)) !== whole.publicPart?.sha256)
    fail(`${publicPartFile} is not the file that manifest.json names (its SHA-256 differs)`);
  let plan: Plan;
  try {
    plan = compilePlan(manifest, answer);
  } catch (error) {
    return fail((error as Error).message);
  }
  requireAffordable(plan);

  const tensors = new Map<string, { words: Uint32Array; shape: readonly number[] }>();
  for (const { name, dtype, shape, offset } of index.tensors) {
    const count = shape.reduce((product, n) => product * n, 1);
    const width = dtype === 'int16' ? 2 : 4;
    if (offset % 4 !== 0 || offset + count * width > files.weights.byteLength)
      fail(`weights.json: ${name} lies outside weights.bin`);
    const integers =
      dtype === 'int16' ? new Int16Array(files.weights, offset, count) : new Int32Array(files.weights, offset, count);
    if (tensors.has(name)) fail(`weights.json: ${name} is there twice`);
    tensors.set(name, { words: Uint32Array.from(integers), shape });
  }
  for (const op of plan.operations) {
    for (const { name, shape, limit = Number.POSITIVE_INFINITY } of protocolOf(op).tensors(op)) {
      const tensor = tensors.get(name) ?? fail(`weights.json: ${name} is missing`);
      requireShape(name, tensor.shape, shape, fail);
      if (tensor.words.some((word) => Math.abs(word | 0) >= limit)) fail(`${name}: a weight is ${limit} or more`);
    }
  }
  return {
    manifest,
    manifestJson: JSON.stringify(manifest),
    ...(publicPart && { publicPart }),
    plan,
    weights: {
      tensor(name) {
        const tensor = tensors.get(name);
        if (!tensor) throw new RangeError(`no tensor ${name}`);
        return tensor.words;
      },
    },
  };
}

function requireShape(
  name: string,
  shape: readonly number[],
  expected: readonly number[],
  fail: (message: string) => never,
): void {
  if (shape.length !== expected.length || shape.some((n, i) => n !== expected[i]))
    fail(`${name}: expected shape (${expected.join(', ')}), got (${shape.join(', ')})`);
}
