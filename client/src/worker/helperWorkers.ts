/**
 * Other threads for a protocol Worker, one file and one line of `start` for each kind. The page starts them, and they talk to the protocol Worker
 * over a port: in Firefox (153, measured) a Worker that starts another one stands still for ever now and then, on a busy machine in one of
 * some 60 times, with nothing in either but a message. Of 1,200 pairs that the page started none did.
 */
import type { FromProtocolWorker, HelperKind, ToProtocolWorker } from './messages.ts';

const start: Record<HelperKind, () => Worker> = {
  ot: () => new Worker(new URL('./ot.worker.ts', import.meta.url), { type: 'module', name: 'ot' }),
  answers: () => new Worker(new URL('./answers.worker.ts', import.meta.url), { type: 'module', name: 'answers' }),
  onnx: () => new Worker(new URL('./onnx.worker.ts', import.meta.url), { type: 'module', name: 'onnx' }),
};

/** Those of one protocol Worker. */
export class HelperWorkers {
  readonly #workers = new Map<number, Worker>();

  constructor(private readonly post: (message: ToProtocolWorker) => void) {}

  begin({ kind, id, port }: Extract<FromProtocolWorker, { type: 'beginHelper' }>): void {
    const worker = start[kind]();
    worker.onerror = (event) => {
      event.preventDefault();
      this.post({ type: 'helperFailed', id });
    };
    worker.postMessage(port, [port]);
    this.#workers.set(id, worker);
  }

  end(id: number): void {
    this.#workers.get(id)?.terminate();
    this.#workers.delete(id);
  }

  /** Ends all of them. */
  terminate(): void {
    for (const worker of this.#workers.values()) worker.terminate();
    this.#workers.clear();
  }
}
