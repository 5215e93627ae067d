import { relay } from '../../../protocols/channel/messagePort.ts';
import {
  type Endpoint,
  type OtStream,
  OtWorker,
  otStream,
  streamChannel,
  type Wire,
} from '../../../protocols/index.ts';

/** Starts the Worker for a session's oblivious transfers; it ends with the one that started it. */
export function otInWorker(wire: Wire): OtStream {
  // In browsers whose Workers cannot start others, the transfers take turns with the rest.
  if (typeof Worker === 'undefined') return otStream(streamChannel(wire));
  const { port1, port2 } = new MessageChannel();
  relay(port1 as never, wire);
  const worker = new Worker(new URL('./ot.worker.ts', import.meta.url), { type: 'module', name: 'ot' });
  const stream = new OtWorker(worker as unknown as Endpoint, port2 as never);
  worker.onerror = (event) => {
    event.preventDefault();
    stream.fail(new Error('the Worker for oblivious transfers could not run'));
  };
  return stream;
}
