/** A thread of cores.ts, which says its role in the URL that it runs from, and what it has computed. */
import { readFileSync } from 'node:fs';
import { BroadcastChannel, isMainThread, threadId, workerData } from 'node:worker_threads';
import {
  ClientSession,
  type Endpoint,
  type MessagePortLike,
  messagePortWire,
  serveAnswers,
  serveOtStream,
} from '../../protocols/index.ts';
import { nttKernel } from '../../protocols/kernels/ntt.ts';
import { startOtThread } from '../../scripts/lib/otThread.ts';

export type FromClient = 'opened' | 'prepared';

export const roleModule = (role: string): string => {
  const url = new URL(import.meta.url);
  url.searchParams.set('role', role);
  return url.href;
};

/** Processor time of this thread so far, in milliseconds. */
export const threadMs = (): number => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;

export interface Report {
  readonly role: string;
  readonly ms: number;
  /** Of the thread; none for the main one. */
  readonly id?: number;
  /** The ring-LWE kernel's. */
  readonly memoryMiB?: number;
}

const reports = () => new BroadcastChannel('what threads have computed');

/** Asks all threads until so many have answered: one that still loads does not hear. */
export function untilReports(threads: number): Promise<Report[]> {
  const channel = reports();
  const byId = new Map<number | undefined, Report>();
  return new Promise((resolve) => {
    const asking = setInterval(() => channel.postMessage('report'), 200);
    channel.onmessage = ({ data }: { data: Report | 'report' } | MessageEvent) => {
      byId.set(data.id, data);
      if (byId.size < threads) return;
      clearInterval(asking);
      channel.close();
      resolve([...byId.values()]);
    };
  });
}

async function serveClient(control: Endpoint): Promise<void> {
  const opening = new Promise<MessagePortLike>((resolve) => {
    control.onmessage = ({ data }: { data: MessagePortLike }) => resolve(data);
  });
  const { channel, ot } = startOtThread(roleModule('client, OT')).open(messagePortWire(await opening));
  const client = await ClientSession.open(channel, { onEvent: () => {}, ot });
  control.onmessage = async ({ data }: { data: 'prepare' | 'close' }) => {
    if (data === 'close') return client.close();
    await client.prepare();
    control.postMessage('prepared' satisfies FromClient, []);
  };
  control.postMessage('opened' satisfies FromClient, []);
}

const role = new URL(import.meta.url).searchParams.get('role');
if (!isMainThread && role !== null) {
  const { control } = workerData as { control: Endpoint };
  if (role.startsWith('client, ring-LWE')) void serveClient(control);
  else if (role.endsWith('OT')) serveOtStream(control);
  else serveAnswers(control);
  const channel = reports();
  channel.onmessage = ({ data }) => {
    if (data !== 'report') return;
    const memoryMiB = nttKernel().arena.memory.buffer.byteLength / 2 ** 20;
    channel.postMessage({ role, ms: threadMs(), id: threadId, memoryMiB } satisfies Report);
  };
}
