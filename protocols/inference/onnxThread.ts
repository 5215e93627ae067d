/**
 * A public part runs in a thread of its own. The file is a stranger's, and its graph may have loops without an end: what runs it cannot be
 * asked to stop, only be ended from outside, when the user cancels or after `onnxLimitMs`.
 */
import type { Endpoint } from '../offline/endpoint.ts';
import { type OnnxRunner, OnnxRunnerError } from './publicPart.ts';

/**
 * For one picture. Six blocks of a ViT-Base at 224 px are 17 billion multiplications: some five seconds in WebAssembly on one core, and
 * a minute on a phone that is ten times as slow.
 */
export const onnxLimitMs = 120_000;

export interface OnnxThread extends Endpoint {
  terminate(): void;
  /** Node's: between runs it does not keep the program from ending. */
  unref?(): void;
}

type ToThread = {
  readonly onnx?: Uint8Array;
  readonly planar: Float32Array;
  readonly shape: Parameters<OnnxRunner>[2];
};
type FromThread = { readonly stream: Float32Array } | { readonly problem: string };
type Given = FromThread | { readonly broken: string };

/**
 * Runs files in a thread, which is kept for the next picture of the same file; runs wait for each other.
 * @param start a thread that calls `serveOnnx`. @param onFailure to be called when it cannot run, or ends by itself
 */
export function onnxInThread(start: (onFailure: () => void) => OnnxThread, limitMs = onnxLimitMs): OnnxRunner {
  let thread: OnnxThread | undefined;
  let file: Uint8Array | undefined;
  let before: Promise<unknown> = Promise.resolve();
  const end = () => {
    thread?.terminate();
    thread = file = undefined;
  };

  const run = async (...[onnx, planar, shape, signal]: Parameters<OnnxRunner>) => {
    signal?.throwIfAborted();
    if (file !== onnx) end();
    let give: (message: Given) => void = () => {};
    const given = new Promise<Given>((resolve) => {
      give = resolve;
    });
    const cancel = () => give({ problem: 'cancelled' });
    const timer = setTimeout(() => give({ problem: `it took more than ${limitMs / 1000} seconds` }), limitMs);
    signal?.addEventListener('abort', cancel, { once: true });
    thread ??= start(() => give({ broken: 'the thread for the public part could not run' }));
    thread.onmessage = ({ data }: { data: FromThread }) => give(data);
    thread.unref?.(); // the timer keeps it alive
    const message: ToThread = { ...(file !== onnx && { onnx }), planar, shape };
    file = onnx;
    thread.postMessage(message, []);
    const result = await given;
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    if ('stream' in result) return result.stream;
    end();
    throw 'broken' in result ? new OnnxRunnerError(result.broken) : new Error(result.problem);
  };

  return (...all) => {
    const result = before.then(() => run(...all));
    before = result.catch(() => {});
    return result;
  };
}

/** A file that was made ready. @returns the output `stream` for the input `image` (OnnxRunner has their shapes) */
export type ReadyOnnx = (planar: Float32Array, shape: Parameters<OnnxRunner>[2]) => Promise<Float32Array>;

/** The thread's side. @param load how a file is made ready, in WebAssembly */
export function serveOnnx(endpoint: Endpoint, load: (onnx: Uint8Array) => Promise<ReadyOnnx>): void {
  let ready: Promise<ReadyOnnx> | undefined;
  endpoint.onmessage = async ({ data }: { data: ToThread }) => {
    const answer = (message: FromThread) => endpoint.postMessage(message, []);
    try {
      if (data.onnx) ready = load(data.onnx);
      if (!ready) throw new Error('no file');
      answer({ stream: await (await ready)(data.planar, data.shape) });
    } catch (error) {
      answer({ problem: (error as Error).message });
    }
  };
}
