/** Runs a model's public part in Node: in WebAssembly, since the file may be a stranger's. */
import { InferenceSession, Tensor } from 'onnxruntime-web';
import type { OnnxRunner } from '../../protocols/index.ts';

export const runOnnx: OnnxRunner = async (onnx, planar, shape) => {
  const session = await InferenceSession.create(onnx);
  try {
    const outputs = await session.run({ image: new Tensor('float32', planar, shape) });
    return outputs.stream.data as Float32Array;
  } finally {
    await session.release();
  }
};
