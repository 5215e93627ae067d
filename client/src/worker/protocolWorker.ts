import type { Answer, Classification, SessionEvent } from '../../../protocols/index.ts';
import { HelperWorkers } from './helperWorkers.ts';
import type {
  CheckedModel,
  Failure,
  FromProtocolWorker,
  OwnerFiles,
  ToProtocolWorker,
  WireHandle,
} from './messages.ts';
import { relayThroughPort } from './relay.ts';

export interface ProtocolWorkerListener {
  onEvent?(event: SessionEvent): void;
  onMaskedImage?(bytes: Uint8Array): void;
  onPassing?(bytes: Uint8Array): void;
  onOpened?(): void;
  onPrepared?(): void;
  onClassified?(classification: Classification): void;
  onClosed?(): void;
  onFailed(failure: Failure): void;
}

/** The page's handle on the Worker that runs the protocol, and on that one's helpers. `terminate` frees everything it holds. */
export class ProtocolWorker {
  readonly #worker = new Worker(new URL('./protocol.worker.ts', import.meta.url), { type: 'module', name: 'protocol' });
  readonly #helpers = new HelperWorkers((message) => this.#post(message));

  constructor(listener: ProtocolWorkerListener) {
    this.#worker.onmessage = ({ data }: MessageEvent<FromProtocolWorker>) => {
      switch (data.type) {
        case 'event':
          return listener.onEvent?.(data.event);
        case 'maskedImage':
          return listener.onMaskedImage?.(data.bytes);
        case 'passing':
          return listener.onPassing?.(data.bytes);
        case 'opened':
          return listener.onOpened?.();
        case 'prepared':
          return listener.onPrepared?.();
        case 'classified':
          return listener.onClassified?.(data.classification);
        case 'beginHelper':
          return this.#helpers.begin(data);
        case 'endHelper':
          return this.#helpers.end(data.id);
        case 'closed':
          return listener.onClosed?.();
        case 'failed':
          return listener.onFailed(data.failure);
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      listener.onFailed({ code: 'internal', message: 'The Worker could not run.' });
    };
  }

  openClient(channel: RTCDataChannel): void {
    this.#open((wire) => ({ type: 'openClient', wire }), channel);
  }

  /** @param limit answers, `answersBefore` included, after which the Worker refuses more. */
  openOwner(
    channel: RTCDataChannel,
    files: OwnerFiles,
    answer: Answer,
    limit: number | undefined,
    answersBefore: number,
  ): void {
    // Not every browser tells.
    const cores = navigator.hardwareConcurrency ?? 1;
    this.#open((wire) => ({ type: 'openOwner', wire, files, answer, limit, answersBefore, cores }), channel);
  }

  setLimit(limit: number | undefined): void {
    this.#post({ type: 'limit', limit });
  }

  prepare(): void {
    this.#post({ type: 'prepare' });
  }

  /** Takes a copy of `pixels`. */
  classify(pixels: Uint8Array): void {
    this.#post({ type: 'classify', pixels });
  }

  cancel(): void {
    this.#post({ type: 'cancel' });
  }

  close(): void {
    this.#post({ type: 'close' });
  }

  terminate(): void {
    this.#worker.terminate();
    this.#helpers.terminate();
  }

  #post(message: ToProtocolWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #open(message: (wire: WireHandle) => ToProtocolWorker, channel: RTCDataChannel): void {
    try {
      this.#post(message({ kind: 'channel', channel }), [channel as unknown as Transferable]);
    } catch {
      // This browser cannot move a data channel into a Worker.
      const port = relayThroughPort(channel);
      this.#post(message({ kind: 'port', port }), [port]);
    }
  }
}

/** Whether an owner's files fit together; resolves with what they are, or with what is wrong. */
export function checkOwnerFiles(files: OwnerFiles): Promise<CheckedModel | { failure: Failure }> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./protocol.worker.ts', import.meta.url), { type: 'module', name: 'check' });
    const finish = (outcome: CheckedModel | { failure: Failure }) => {
      worker.terminate();
      resolve(outcome);
    };
    worker.onmessage = ({ data }: MessageEvent<FromProtocolWorker>) => {
      if (data.type === 'checked' || data.type === 'failed') finish(data);
    };
    worker.onerror = () => finish({ failure: { code: 'internal', message: 'The Worker could not run.' } });
    worker.postMessage({ type: 'check', files } satisfies ToProtocolWorker);
  });
}
