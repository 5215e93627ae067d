/** What takes turns in one thread. */

/** Lets other events run (an abort, a message), without a timer: hidden tabs throttle those. */
export const pause = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });

/** Does the work for one item after the other; once it fails, for none any more. */
export function inTurn<A, B>(items: readonly A[], work: (item: A, index: number) => Promise<B>): Promise<B>[] {
  let before: Promise<unknown> = Promise.resolve();
  return items.map((item, i) => {
    const done = before.then(() => work(item, i));
    // Whoever waits for it hears of a failure; here nobody may be waiting yet.
    done.catch(() => {});
    before = done;
    return done;
  });
}

/** A promise, and what settles it. */
export function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let settle!: { resolve(value: T): void; reject(error: Error): void };
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
}
