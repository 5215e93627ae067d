import { onnxInThread } from '../../../protocols/index.ts';
import { beginHelper } from './helpers.ts';

/** Runs a model's public part in a Worker of its own. The runtime is loaded when it is needed. */
export const runOnnx = onnxInThread((onFailure) => beginHelper('onnx', onFailure));
