/** Runs a model's public part, a stranger's file, in this Worker. The runtime is loaded when it is needed. */
import type { OnnxRunner } from '../../../protocols/index.ts';

export const runOnnx: OnnxRunner = async (onnx, planar, shape) => {
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(onnx);
  try {
    const outputs = await session.run({ image: new ort.Tensor('float32', planar, shape) });
    return outputs.stream.data as Float32Array;
  } finally {
    await session.release();
  }
};
