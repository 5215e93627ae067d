/** Runs a model's public part in Node: in WebAssembly and in a thread of its own, since the file may be a stranger's. */
import { onnxInThread } from '../../protocols/index.ts';
import { startThread } from './thread.ts';

export const startOnnxThread = (onFailure: () => void) => startThread('onnxWorker.ts', onFailure);
export const runOnnx = onnxInThread(startOnnxThread);
