/** What the server relayed and an exchange has not asked for yet. */
export class Inbox<T> {
  readonly #queue: T[] = [];
  #waiting: { resolve(value: T): void; reject(error: Error): void } | undefined;
  #closed = false;

  /** No exchange has more messages ahead than this; the server might flood it. */
  static readonly maxWaiting = 8;

  put(value: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined; // the next value is not for whoever waited for this one
    if (waiting) waiting.resolve(value);
    else if (this.#queue.length < Inbox.maxWaiting) this.#queue.push(value);
  }

  /** One call at a time. Rejects when the inbox is closed, or nothing comes in time. */
  async next(timeoutMs: number): Promise<T> {
    if (this.#queue.length > 0) return this.#queue.shift()!;
    if (this.#closed) throw new ClosedError();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => reject(new ClosedError()), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting?.reject(new ClosedError());
  }
}

/** The other side left, or took too long. */
export class ClosedError extends Error {}
