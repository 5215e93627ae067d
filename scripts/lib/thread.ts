/** A thread of Node that runs a TypeScript module, as a page's Worker runs a script: it talks over `workerData.control`. */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Endpoint } from '../../protocols/index.ts';

export interface Thread extends Endpoint {
  /** Resolves when it has ended. */
  terminate(): Promise<unknown>;
}

/**
 * Starts it; it ends with the process at the latest.
 * @param module its name beside this file, or its URL.
 * @param onFailure called when it fails, or ends by itself.
 */
export function startThread(module: string, onFailure: (error: Error) => void): Thread {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('typescriptWorker.mjs', import.meta.url), {
    workerData: { module: new URL(module, import.meta.url).href, control: port2 },
    execArgv: [], // the process's own, such as `--input-type`, may not fit a file
    transferList: [port2],
  });
  worker.unref();
  let isWanted = true;
  const fail = (error: Error) => isWanted && onFailure(error);
  worker.on('error', (error: unknown) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => fail(new Error(`${module}: the thread ended by itself, with code ${code}`)));
  return Object.assign(port1 as unknown as Endpoint, {
    terminate() {
      isWanted = false;
      port1.close();
      return worker.terminate();
    },
  });
}
