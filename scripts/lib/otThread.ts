/**
 * A session's oblivious transfers in a thread of their own, as in a page: they and ring-LWE then compute at the same time. For a process that
 * runs one party of one session; where there are many, each session has a thread anyway.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { relay } from '../../protocols/channel/messagePort.ts';
import {
  type Endpoint,
  type FramedChannel,
  type MessagePortLike,
  type OtStream,
  OtWorker,
  sessionWires,
  streamChannel,
  type Wire,
} from '../../protocols/index.ts';

export interface OtThread {
  /** Takes the wire's two streams apart; once. */
  open(wire: Wire): { channel: FramedChannel; ot: OtStream };
}

/** Starts the thread, which loads while the parties connect. It ends with the process. */
export function startOtThread(): OtThread {
  const [control, chunks] = [new MessageChannel(), new MessageChannel()];
  const worker = new Worker(new URL('typescriptWorker.mjs', import.meta.url), {
    workerData: { module: new URL('otWorker.ts', import.meta.url).href, control: control.port2 },
    transferList: [control.port2],
  });
  worker.unref();
  const ot = new OtWorker(control.port1 as unknown as Endpoint, chunks.port2 as unknown as MessagePortLike);
  worker.on('error', (error: unknown) => ot.fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => ot.fail(new Error(`the thread for oblivious transfers ended with code ${code}`)));
  return {
    open(wire) {
      const { session, ot: stream } = sessionWires(wire);
      relay(chunks.port1 as unknown as MessagePortLike, stream);
      return { channel: streamChannel(session), ot };
    },
  };
}
