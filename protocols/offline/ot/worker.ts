/**
 * stream.ts in another thread. Requests are copied to it, results are transferred back; its stream of the wire arrives on a port. The
 * other party does not notice.
 */
import { FramedChannel } from '../../channel/framed.ts';
import { type MessagePortLike, messagePortWire } from '../../channel/messagePort.ts';
import { streamOptions } from '../../channel/splitWire.ts';
import type {
  ClientCorrelation,
  ClientProvider,
  ClientRequest,
  CorrelationKey,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  ProgressListener,
} from '../correlations.ts';
import { type Endpoint, errorOf, type Failed, failedBy } from '../endpoint.ts';
import { type OtMeter, type OtStream, type OtStreamOptions, otStream } from './stream.ts';

type ToWorker =
  | {
      readonly type: 'setUp';
      readonly party: 'client' | 'owner';
      readonly seed: Uint8Array;
      readonly options: OtStreamOptions;
      readonly port: MessagePortLike;
    }
  | { readonly type: 'provideClient'; readonly requests: readonly ClientRequest[] }
  | { readonly type: 'provideOwner'; readonly requests: readonly OwnerRequest[] }
  | { readonly type: 'destroy' };
type FromWorker =
  | { readonly type: 'meter'; readonly meter: OtMeter }
  | { readonly type: 'progress'; readonly key: CorrelationKey; readonly fraction: number }
  | { readonly type: 'ready' }
  | { readonly type: 'doneClient'; readonly results: readonly ClientCorrelation[] }
  | { readonly type: 'doneOwner'; readonly results: readonly OwnerCorrelation[] }
  | Failed;

/** Runs in the Worker: one party's half of one pairing. */
export function serveOtStream(endpoint: Endpoint): void {
  const post = (message: FromWorker, transfer: ArrayBuffer[] = []) => endpoint.postMessage(message, transfer);
  const progress: ProgressListener = (key, fraction) => post({ type: 'progress', key, fraction });
  const buffersOf = (results: readonly (ClientCorrelation | OwnerCorrelation)[]) =>
    results.flatMap((result) => Object.values(result).map(({ buffer }) => buffer as ArrayBuffer));
  let client: ClientProvider | undefined;
  let owner: OwnerProvider | undefined;
  const handle = async (message: ToWorker): Promise<void> => {
    switch (message.type) {
      case 'setUp': {
        const stream = otStream(new FramedChannel(messagePortWire(message.port), streamOptions));
        const onMeter = (meter: OtMeter) => post({ type: 'meter', meter });
        const { party, seed, options } = message;
        if (party === 'client') client = await stream.client(seed, onMeter, options);
        else owner = await stream.owner(seed, onMeter, options);
        return post({ type: 'ready' });
      }
      case 'provideClient': {
        const results = await client!.provide(message.requests, progress);
        return post({ type: 'doneClient', results }, buffersOf(results));
      }
      case 'provideOwner': {
        const results = await owner!.provide(message.requests, progress);
        return post({ type: 'doneOwner', results }, buffersOf(results));
      }
      case 'destroy':
        client?.destroy();
        owner?.destroy();
    }
  };
  endpoint.onmessage = ({ data }: { data: ToWorker }) => {
    handle(data).catch((error: unknown) => post(failedBy(error)));
  };
}

type Done = FromWorker & { type: 'ready' | 'doneClient' | 'doneOwner' };

/**
 * The Worker's handle, for the session.
 * @param worker runs `serveOtStream`.
 * @param port carries its stream of the wire.
 */
export class OtWorker implements OtStream {
  #onMeter: (meter: OtMeter) => void = () => {};
  #call: { resolve(done: Done): void; reject(error: Error): void; progress: ProgressListener } | undefined;
  #failure: Error | undefined;

  constructor(
    private readonly worker: Endpoint,
    private readonly port: MessagePortLike,
  ) {
    worker.onmessage = ({ data }: { data: FromWorker }) => this.#receive(data);
  }

  async client(
    seed: Uint8Array,
    onMeter: (meter: OtMeter) => void,
    options: OtStreamOptions = {},
  ): Promise<ClientProvider> {
    await this.#setUp('client', seed, onMeter, options);
    return {
      source: 'two-party',
      provide: async (requests, progress) => {
        const done = await this.#ask({ type: 'provideClient', requests }, progress);
        return done.type === 'doneClient' ? [...done.results] : [];
      },
      destroy: () => this.worker.postMessage({ type: 'destroy' } satisfies ToWorker, []),
    };
  }

  async owner(
    seed: Uint8Array,
    onMeter: (meter: OtMeter) => void,
    options: OtStreamOptions = {},
  ): Promise<OwnerProvider> {
    await this.#setUp('owner', seed, onMeter, options);
    return {
      source: 'two-party',
      provide: async (requests, progress) => {
        const done = await this.#ask({ type: 'provideOwner', requests }, progress);
        return done.type === 'doneOwner' ? [...done.results] : [];
      },
      destroy: () => this.worker.postMessage({ type: 'destroy' } satisfies ToWorker, []),
    };
  }

  /** For a Worker that has died: whoever waits for it learns why. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#call?.reject(this.#failure);
    this.#call = undefined;
  }

  async #setUp(
    party: 'client' | 'owner',
    seed: Uint8Array,
    onMeter: (meter: OtMeter) => void,
    options: OtStreamOptions,
  ): Promise<void> {
    this.#onMeter = onMeter;
    await this.#ask({ type: 'setUp', party, seed, options, port: this.port }, () => {}, [this.port]);
  }

  #ask(message: ToWorker, progress: ProgressListener, transfer: MessagePortLike[] = []) {
    return new Promise<Done>((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#call = { resolve, reject, progress };
      this.worker.postMessage(message, transfer);
    });
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'meter':
        return this.#onMeter(message.meter);
      case 'progress':
        return this.#call?.progress(message.key, message.fraction);
      case 'ready':
      case 'doneClient':
      case 'doneOwner':
        return this.#call?.resolve(message);
      case 'failed':
        return this.fail(errorOf(message, 'OT Worker'));
    }
  }
}
