/** A model's public part for tests of the protocol: any file, and in place of its run numbers that hang on the picture. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Manifest } from '../../protocols/inference/manifest.ts';
import type { OnnxRunner } from '../../protocols/inference/publicPart.ts';
import { inputShape } from '../../protocols/inference/vit.ts';
import { Prg } from '../../protocols/sharing/prg.ts';

export const publicPartBytes = Uint8Array.from({ length: 1000 }, (_, i) => i);

export const publicPartOf = (blocks: number): NonNullable<Manifest['publicPart']> => ({
  blocks,
  bytes: publicPartBytes.length,
  sha256: bytesToHex(sha256(publicPartBytes)),
});

/** A stream in ±2 from the picture's digest. */
export const runTestPart =
  (manifest: Manifest): OnnxRunner =>
  async (onnx, planar) => {
    if (onnx.length !== publicPartBytes.length) throw new Error('another file');
    const { rows, cols } = inputShape(manifest);
    const words = new Prg(sha256(new Uint8Array(planar.buffer)), 'stream').words(rows * cols);
    return Float32Array.from(words, (word) => (word | 0) / 2 ** 30);
  };
