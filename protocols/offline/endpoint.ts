/** Workers of the offline phase (ot/worker.ts, rlwe/pool.ts): how messages and failures cross between threads, in browsers and in Node. */
import { ProtocolError, type ProtocolErrorCode } from '../channel/errors.ts';
import type { MessagePortLike } from '../channel/messagePort.ts';

/** A Worker as its creator sees it, or as it sees itself. */
export interface Endpoint {
  postMessage(message: unknown, transfer: (ArrayBuffer | MessagePortLike)[]): void;
  onmessage: ((event: { data: never }) => void) | null;
}

/** What a Worker tells of an error. */
export interface Failed {
  readonly type: 'failed';
  readonly code: ProtocolErrorCode | undefined;
  readonly message: string;
}

export function failedBy(error: unknown): Failed {
  if (error instanceof ProtocolError) return { type: 'failed', code: error.code, message: error.message };
  // Any other error's text was not written for people, and may name values.
  return { type: 'failed', code: undefined, message: (error as Error).name };
}

/** The error that the session ends with. @param worker whose it was. */
export const errorOf = ({ code, message }: Failed, worker: string): Error =>
  code ? new PassedOnError(code, message) : new Error(`${worker}: ${message}`);

/** A ProtocolError from another thread, with its text as it was. */
class PassedOnError extends ProtocolError {
  constructor(code: ProtocolErrorCode, message: string) {
    const [protocol = '', ...rest] = message.split(': ');
    super(code, protocol, rest.join(': '));
  }
}
