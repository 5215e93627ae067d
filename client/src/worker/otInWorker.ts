import { relay } from '../../../protocols/channel/messagePort.ts';
import { type OtStream, OtWorker, type Wire } from '../../../protocols/index.ts';
import { beginHelper } from './helpers.ts';

/** Starts the Worker for a session's oblivious transfers; it ends with the session's. */
export function otInWorker(wire: Wire): OtStream {
  const { port1, port2 } = new MessageChannel();
  relay(port1 as never, wire);
  const worker = beginHelper('ot', () => stream.fail(new Error('the Worker for oblivious transfers could not run')));
  const stream = new OtWorker(worker, port2 as never);
  return stream;
}
