/** A thread of the headless owner: runs sessions, several side by side, each over a port that the main thread joins to a connection. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  type Answer,
  type ArtifactFiles,
  loadOwnerModel,
  type MessagePortLike,
  messagePortWire,
  OwnerSession,
  openStreams,
  type SessionEvent,
} from '../../protocols/index.ts';
import { answerThreads } from './answerThreads.ts';

export interface OwnerWorkerData {
  /** The artifact's, the same for all threads whatever becomes of its folder. */
  readonly files: ArtifactFiles;
  readonly answer: Answer;
  /** See SessionOptions. */
  readonly otChecks: boolean;
  /** Threads for each session's answers of ring-LWE. */
  readonly workers: number;
}

export interface OpenSession {
  readonly id: number;
  readonly port: MessagePort;
  readonly limit: number;
  readonly answersBefore: number;
}

/** What a thread tells; and `ready`, once, when it has the model. */
export type SessionNews = { readonly id: number } & (
  | { readonly news: 'open' }
  | { readonly news: 'closed' }
  | { readonly news: 'answer'; readonly answers: number; readonly elapsedMs: number }
  | { readonly news: 'failed'; readonly code: string; readonly message: string }
);

const { files, answer, otChecks, workers } = workerData as OwnerWorkerData;
const model = loadOwnerModel(files, answer); // who cannot read it serves nobody: the thread fails, and says why
const tell = (news: SessionNews) => parentPort!.postMessage(news);

async function serve({ id, port, limit, answersBefore }: OpenSession): Promise<void> {
  const { channel, ot } = openStreams(messagePortWire(port as unknown as MessagePortLike));
  let startedMs = 0;
  const onEvent = (event: SessionEvent) => {
    if (event.type === 'state' && event.state === 'classifying') startedMs = performance.now();
    if (event.type === 'answer')
      tell({ id, news: 'answer', answers: event.answers, elapsedMs: Math.round(performance.now() - startedMs) });
  };
  const session = await OwnerSession.open(channel, model, {
    onEvent,
    ot,
    otChecks,
    pool: answerThreads(workers),
    limit,
    answersBefore,
  });
  tell({ id, news: 'open' });
  await session.serve();
}

parentPort!.on('message', (open: OpenSession) => {
  serve(open).then(
    () => tell({ id: open.id, news: 'closed' }),
    (error: Error & { code?: string }) =>
      tell({ id: open.id, news: 'failed', code: error.code ?? 'internal', message: error.message }),
  );
});

parentPort!.postMessage('ready');
