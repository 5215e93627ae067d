/** The protocol Worker's side of helperWorkers.ts. */
import type { AnswerWorker, Endpoint } from '../../../protocols/index.ts';
import type { FromProtocolWorker, HelperKind } from './messages.ts';

/** Of those that run, what to do when one fails. */
const failures = new Map<number, () => void>();
let begun = 0;

const post = (message: FromProtocolWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

/** Asks the page for another thread. @param onFailure called when it cannot run. */
export function beginHelper(kind: HelperKind, onFailure: () => void): AnswerWorker {
  const { port1, port2 } = new MessageChannel();
  const id = begun++;
  failures.set(id, onFailure);
  post({ type: 'beginHelper', kind, id, port: port2 }, [port2]);
  return Object.assign(port1 as unknown as Endpoint, {
    terminate: () => {
      failures.delete(id);
      port1.close();
      post({ type: 'endHelper', id });
    },
  });
}

/** To be called with what the page says of one. */
export const helperFailed = (id: number): void => failures.get(id)?.();
