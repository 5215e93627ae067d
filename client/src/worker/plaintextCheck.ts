import type { FromPlaintextWorker, ToPlaintextWorker } from './messages.ts';

/** Runs the public model beside the private result, in a Worker of its own that ends with it. */
export function runPlaintext(message: ToPlaintextWorker): Promise<FromPlaintextWorker> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./plaintext.worker.ts', import.meta.url), { type: 'module', name: 'plaintext' });
    const finish = (result: FromPlaintextWorker) => {
      worker.terminate();
      resolve(result);
    };
    worker.onmessage = ({ data }: MessageEvent<FromPlaintextWorker>) => finish(data);
    worker.onerror = (event) => {
      event.preventDefault();
      finish({ problem: 'load' });
    };
    worker.postMessage(message);
  });
}
