/** Runs a model's public part, a stranger's file, for the Worker at the other end of the port that comes. */
import * as ort from 'onnxruntime-web/wasm';
import { type Endpoint, serveOnnx } from '../../../protocols/index.ts';

ort.env.wasm.numThreads = 1;

self.onmessage = ({ data }: MessageEvent<MessagePort>) =>
  serveOnnx(data as unknown as Endpoint, async (onnx) => {
    const session = await ort.InferenceSession.create(onnx);
    return async (planar, shape) => {
      const { stream } = await session.run({ image: new ort.Tensor('float32', planar, shape) });
      return stream.data as Float32Array;
    };
  });
