/** An owner's three files of a manifest, with random weights. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Manifest } from '../../protocols/inference/manifest.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { randomWeights } from './manifest.ts';

export function ownFiles(manifest: Manifest): { name: string; mimeType: string; buffer: Buffer }[] {
  const weights = randomWeights(manifest);
  const named = new Map(
    compilePlan(manifest).operations.flatMap((op) =>
      protocolOf(op)
        .tensors(op)
        .map(({ name, shape }) => [name, shape]),
    ),
  );
  let offset = 0;
  const parts: Buffer[] = [];
  const tensors = [...named].map(([name, shape]) => {
    const words = weights.tensor(name);
    const part = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    parts.push(part);
    offset += part.length;
    return { name, dtype: 'int32', shape, offset: offset - part.length };
  });
  const bytes = Buffer.concat(parts);
  const files = { weightsSha256: bytesToHex(sha256(bytes)), onnxSha256: '0'.repeat(64) };
  const json = (name: string, value: unknown) => ({
    ...{ name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(value)) },
  });
  return [
    json('manifest.json', { ...manifest, files }),
    json('weights.json', { tensors }),
    { name: 'weights.bin', mimeType: 'application/octet-stream', buffer: bytes },
  ];
}
