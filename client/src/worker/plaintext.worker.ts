/** Runs a bundled model in plaintext, to compare with. Possible only because this demonstration's model is public. */
import * as ort from 'onnxruntime-web/wasm';
import { parseManifest, publicManifest } from '../../../protocols/index.ts';
import { pictureSize, planarOf } from '../ui/pixels.ts';
import type { FromPlaintextWorker, ToPlaintextWorker } from './messages.ts';

ort.env.wasm.numThreads = 1;

self.onmessage = async ({ data }: MessageEvent<ToPlaintextWorker>) => {
  const answer = (message: FromPlaintextWorker) => self.postMessage(message);
  try {
    const [manifest, onnx] = await Promise.all([
      fetch(`${data.folder}manifest.json`, { cache: 'no-cache' }),
      fetch(`${data.folder}model.onnx`, { cache: 'no-cache' }),
    ]);
    if (!manifest.ok || !onnx.ok) return answer({ problem: 'missing' });
    // The owner's files have no digest here: it would tell owners of the same model apart from others.
    const bundled = publicManifest(parseManifest(await manifest.text()));
    const sameModel = JSON.stringify(bundled) === JSON.stringify(data.manifest);
    const session = await ort.InferenceSession.create(new Uint8Array(await onnx.arrayBuffer()));
    const { width, height } = pictureSize(data.manifest.architecture);
    const planar = planarOf(data.pixels);
    const startMs = performance.now();
    const { logits } = await session.run({ image: new ort.Tensor('float32', planar, [1, 3, height, width]) });
    answer({ logits: Array.from(logits.data as Float32Array), elapsedMs: performance.now() - startMs, sameModel });
    await session.release();
  } catch (error) {
    answer({ problem: 'run', detail: (error as Error).message });
  }
};
