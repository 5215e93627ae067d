/**
 * Requests of one address at a limited rate, each of its connections in turn. So a script behind a router slows its
 * neighbours down and does not keep them out: who asks once waits for one round, not for the whole flood.
 */
import { RateLimit } from './rateLimit.ts';

interface Address<Connection> {
  readonly bucket: RateLimit;
  /** In the order of their turns. */
  readonly waiting: Map<Connection, ((granted: boolean) => void)[]>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export interface FairLimitOptions {
  readonly burst: number;
  readonly perSecond: number;
  /** Requests of one connection that wait; more are refused at once. */
  readonly maxWaiting: number;
}

export class FairLimit<Connection> {
  readonly #addresses = new Map<string, Address<Connection>>();

  constructor(private readonly options: FairLimitOptions) {}

  /** Addresses that are remembered: those whose bucket is not full. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Resolves when it is this connection's turn; with false where too many of its requests wait already. */
  take(key: string, connection: Connection): Promise<boolean> {
    const address = this.#addressOf(key);
    if (address.waiting.size === 0 && address.bucket.take()) {
      this.#schedule(key, address);
      return Promise.resolve(true);
    }
    const own = address.waiting.get(connection) ?? [];
    if (own.length >= this.options.maxWaiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      own.push(resolve);
      address.waiting.set(connection, own);
      this.#schedule(key, address);
    });
  }

  /** The connection is gone: its requests wait no longer. */
  forget(key: string, connection: Connection): void {
    const address = this.#addresses.get(key);
    for (const resolve of address?.waiting.get(connection) ?? []) resolve(false);
    address?.waiting.delete(connection);
  }

  #addressOf(key: string): Address<Connection> {
    let address = this.#addresses.get(key);
    if (!address) {
      const bucket = new RateLimit(this.options.burst, this.options.perSecond);
      this.#addresses.set(key, (address = { bucket, waiting: new Map(), timer: undefined }));
    }
    return address;
  }

  /** For the next turn, or to forget an address whose bucket is full again. */
  #schedule(key: string, address: Address<Connection>): void {
    if (address.timer !== undefined) return;
    const waitMs = address.waiting.size > 0 ? address.bucket.msUntil(1) : address.bucket.msUntil(this.options.burst);
    address.timer = setTimeout(() => {
      address.timer = undefined;
      while (address.waiting.size > 0 && address.bucket.take()) this.#serveNext(address);
      if (address.waiting.size === 0 && address.bucket.full) this.#addresses.delete(key);
      else this.#schedule(key, address);
    }, Math.ceil(waitMs));
    address.timer.unref();
  }

  #serveNext(address: Address<Connection>): void {
    const [connection, requests] = address.waiting.entries().next().value!;
    address.waiting.delete(connection);
    requests.shift()!(true);
    if (requests.length > 0) address.waiting.set(connection, requests); // at the end
  }
}
