/** Runs a bundled model in plaintext, to compare with. Possible only because this demonstration's model is public. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import * as ort from 'onnxruntime-web/wasm';
import type { FromPlaintextWorker, ToPlaintextWorker } from './messages.ts';

ort.env.wasm.numThreads = 1;

self.onmessage = async ({ data }: MessageEvent<ToPlaintextWorker>) => {
  const answer = (message: FromPlaintextWorker) => self.postMessage(message);
  try {
    const response = await fetch(data.onnxUrl);
    if (!response.ok) return answer({ problem: 'missing' });
    const onnx = new Uint8Array(await response.arrayBuffer());
    const sameModel = bytesToHex(sha256(onnx)) === data.onnxSha256;
    const session = await ort.InferenceSession.create(onnx);
    const side = data.imageSize;
    const planar = new Float32Array(3 * side * side);
    for (let pixel = 0; pixel < side * side; pixel++) {
      for (let channel = 0; channel < 3; channel++)
        planar[channel * side * side + pixel] = data.pixels[3 * pixel + channel]!;
    }
    const startMs = performance.now();
    const { logits } = await session.run({ image: new ort.Tensor('float32', planar, [1, 3, side, side]) });
    answer({ logits: Array.from(logits!.data as Float32Array), elapsedMs: performance.now() - startMs, sameModel });
    await session.release();
  } catch (error) {
    answer({ problem: 'run', detail: (error as Error).message });
  }
};
