/** A thread that onnxRunner.ts starts. */
import { workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import { type Endpoint, serveOnnx } from '../../protocols/index.ts';

serveOnnx((workerData as { control: Endpoint }).control, async (onnx) => {
  const session = await InferenceSession.create(onnx);
  return async (planar, shape) => {
    const { stream } = await session.run({ image: new Tensor('float32', planar, shape) });
    return stream.data as Float32Array;
  };
});
