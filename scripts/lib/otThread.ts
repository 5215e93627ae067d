/**
 * A session's oblivious transfers in a thread of their own, as in a page: they and ring-LWE then compute at the same time. For a process that
 * runs one party of one session; where there are many, each session has a thread anyway.
 */
import { MessageChannel } from 'node:worker_threads';
import { relay } from '../../protocols/channel/messagePort.ts';
import {
  type FramedChannel,
  type MessagePortLike,
  type OtStream,
  OtWorker,
  sessionWires,
  streamChannel,
  type Wire,
} from '../../protocols/index.ts';
import { startThread } from './thread.ts';

export interface OtThread {
  /** Takes the wire's two streams apart; once. */
  open(wire: Wire): { channel: FramedChannel; ot: OtStream };
}

/** Starts the thread, which loads while the parties connect. It ends with the process. @param module see `startThread`. */
export function startOtThread(module = 'otWorker.ts'): OtThread {
  const chunks = new MessageChannel();
  const thread = startThread(module, (error) => ot.fail(error));
  const ot = new OtWorker(thread, chunks.port2 as unknown as MessagePortLike);
  return {
    open(wire) {
      const { session, ot: stream } = sessionWires(wire);
      relay(chunks.port1 as unknown as MessagePortLike, stream);
      return { channel: streamChannel(session), ot };
    },
  };
}
