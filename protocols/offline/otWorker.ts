/**
 * otStream.ts in another thread. Requests are copied to it, results are transferred back; its stream of the wire arrives on a port. The
 * other party does not notice.
 */
import { ProtocolError, type ProtocolErrorCode } from '../channel/errors.ts';
import { FramedChannel } from '../channel/framed.ts';
import { type MessagePortLike, messagePortWire } from '../channel/messagePort.ts';
import { streamOptions } from '../channel/streams.ts';
import type {
  ClientCorrelation,
  ClientProvider,
  ClientRequest,
  CorrelationKey,
  OwnerCorrelation,
  OwnerProvider,
  OwnerRequest,
  ProgressListener,
} from './correlations.ts';
import { type OtMeter, type OtStream, otStream } from './otStream.ts';

/** A Worker as its creator sees it, or as it sees itself. */
export interface Endpoint {
  postMessage(message: unknown, transfer: (ArrayBuffer | MessagePortLike)[]): void;
  onmessage: ((event: { data: never }) => void) | null;
}

type Party = 'client' | 'owner';
type ToWorker =
  | { readonly type: 'setUp'; readonly party: Party; readonly seed: Uint8Array; readonly port: MessagePortLike }
  | { readonly type: 'provide'; readonly requests: readonly (ClientRequest | OwnerRequest)[] };
type FromWorker =
  | { readonly type: 'meter'; readonly meter: OtMeter }
  | { readonly type: 'progress'; readonly key: CorrelationKey; readonly fraction: number }
  | { readonly type: 'done'; readonly results: readonly (ClientCorrelation | OwnerCorrelation)[] }
  | { readonly type: 'failed'; readonly code: ProtocolErrorCode | undefined; readonly message: string };

/** Runs in the Worker: one party's half of one pairing. */
export function serveOtStream(endpoint: Endpoint): void {
  const post = (message: FromWorker, transfer: ArrayBuffer[] = []) => endpoint.postMessage(message, transfer);
  let provider: ClientProvider | OwnerProvider | undefined;
  const handle = async (message: ToWorker): Promise<void> => {
    if (message.type === 'setUp') {
      const channel = new FramedChannel(messagePortWire(message.port), streamOptions);
      provider = await otStream(channel)[message.party](message.seed, (meter) => post({ type: 'meter', meter }));
      return post({ type: 'done', results: [] });
    }
    const results = await provider!.provide(message.requests as never, (key, fraction) =>
      post({ type: 'progress', key, fraction }),
    );
    const transfer = results.flatMap((result) => Object.values(result).map(({ buffer }) => buffer as ArrayBuffer));
    return post({ type: 'done', results }, transfer);
  };
  endpoint.onmessage = ({ data }: { data: ToWorker }) => {
    handle(data).catch((error: unknown) => {
      const code = error instanceof ProtocolError ? error.code : undefined;
      // Any other error's text was not written for people, and may name values.
      post({ type: 'failed', code, message: error instanceof ProtocolError ? error.message : (error as Error).name });
    });
  };
}

/**
 * The Worker's handle, for the session.
 * @param worker runs `serveOtStream`.
 * @param port carries its stream of the wire.
 */
export class OtWorker implements OtStream {
  #onMeter: (meter: OtMeter) => void = () => {};
  #call:
    | { resolve(results: FromWorker & { type: 'done' }): void; reject(error: Error): void; progress: ProgressListener }
    | undefined;
  #failure: Error | undefined;

  constructor(
    private readonly worker: Endpoint,
    private readonly port: MessagePortLike,
  ) {
    worker.onmessage = ({ data }: { data: FromWorker }) => this.#receive(data);
  }

  client(seed: Uint8Array, onMeter: (meter: OtMeter) => void): Promise<ClientProvider> {
    return this.#setUp<ClientProvider>('client', seed, onMeter);
  }

  owner(seed: Uint8Array, onMeter: (meter: OtMeter) => void): Promise<OwnerProvider> {
    return this.#setUp<OwnerProvider>('owner', seed, onMeter);
  }

  /** For a Worker that has died: whoever waits for it learns why. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#call?.reject(this.#failure);
    this.#call = undefined;
  }

  async #setUp<P>(party: Party, seed: Uint8Array, onMeter: (meter: OtMeter) => void): Promise<P> {
    this.#onMeter = onMeter;
    await this.#ask({ type: 'setUp', party, seed, port: this.port }, () => {}, [this.port]);
    const provide = async (requests: readonly (ClientRequest | OwnerRequest)[], progress: ProgressListener) =>
      (await this.#ask({ type: 'provide', requests }, progress)).results;
    return { source: 'two-party', provide } as unknown as P;
  }

  #ask(message: ToWorker, progress: ProgressListener, transfer: MessagePortLike[] = []) {
    return new Promise<FromWorker & { type: 'done' }>((resolve, reject) => {
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
      case 'done':
        return this.#call?.resolve(message);
      case 'failed':
        return this.fail(
          message.code ? new PassedOnError(message.code, message.message) : new Error(`OT Worker: ${message.message}`),
        );
    }
  }
}

/** A ProtocolError from another thread, with its text as it was. */
class PassedOnError extends ProtocolError {
  constructor(code: ProtocolErrorCode, message: string) {
    const [protocol = '', ...rest] = message.split(': ');
    super(code, protocol, rest.join(': '));
  }
}
