/**
 * Protocols as coroutines. A party's side of a protocol is a generator that yields what it sends and what it waits for; the
 * arithmetic in between is plain synchronous code. Two protocols that do not depend on each other run side by side with
 * `parallel`, and what they send then shares its flights.
 */
import type { Channel } from '../channel/channel.ts';

/** Send (resumed at once), or receive exactly `receive` bytes (resumed with them). `step` labels the meter. */
export type RoundRequest =
  | { readonly step: string; readonly send: Uint8Array }
  | { readonly step: string; readonly receive: number };
export type Rounds<T> = Generator<RoundRequest, T, Uint8Array>;

/** Sends `bytes` with the next flight. Nothing is sent for no bytes. */
export function* send(step: string, bytes: Uint8Array): Rounds<void> {
  if (bytes.length > 0) yield { step, send: bytes };
}

/** Waits for `length` bytes. */
export function* receive(step: string, length: number): Rounds<Uint8Array> {
  return length > 0 ? yield { step, receive: length } : new Uint8Array(0);
}

/**
 * Runs independent branches in lockstep: flight by flight, branch by branch in the order given. A branch that receives again
 * without having sent is still reading the same flight; one that has sent waits for the next. Both parties run the same
 * branches in the same order, so both cut every flight at the same places.
 */
export function* parallel(branches: readonly Rounds<void>[]): Rounds<void> {
  interface Waiting {
    readonly branch: Rounds<void>;
    readonly request: { readonly step: string; readonly receive: number };
  }
  let waiting: Waiting[] = [];
  const advance = (branch: Rounds<void>, input: Uint8Array, sent: RoundRequest[]): Waiting | undefined => {
    let next = branch.next(input);
    while (!next.done && 'send' in next.value) {
      sent.push(next.value);
      next = branch.next(nothing);
    }
    return next.done ? undefined : { branch, request: next.value as Waiting['request'] };
  };

  const outgoing: RoundRequest[] = [];
  for (const branch of branches) {
    const blocked = advance(branch, nothing, outgoing);
    if (blocked) waiting.push(blocked);
  }
  for (const request of outgoing.splice(0)) yield request;
  while (waiting.length > 0) {
    const stillWaiting: Waiting[] = [];
    for (const { branch, request } of waiting) {
      let current: Waiting | undefined = { branch, request };
      let sentBefore = outgoing.length;
      while (current && outgoing.length === sentBefore) {
        const bytes: Uint8Array = yield current.request;
        sentBefore = outgoing.length;
        current = advance(branch, bytes, outgoing);
      }
      if (current) stillWaiting.push(current);
    }
    for (const request of outgoing.splice(0)) yield request;
    waiting = stillWaiting;
  }
}

const nothing = new Uint8Array(0);

/** Called when the step that bytes belong to changes. */
export type StepListener = (step: string) => void;

/**
 * Runs a party's side over a channel.
 * @param signal checked whenever the protocol would wait; aborting throws its reason.
 */
export async function runRounds<T>(
  rounds: Rounds<T>,
  channel: Channel,
  onStep?: StepListener,
  signal?: AbortSignal,
): Promise<T> {
  let next = rounds.next();
  while (!next.done) {
    const request = next.value;
    onStep?.(request.step);
    if ('send' in request) {
      channel.send(request.send);
      next = rounds.next(nothing);
    } else {
      signal?.throwIfAborted();
      next = rounds.next(await channel.receive(request.receive));
    }
  }
  await channel.flush();
  return next.value;
}
