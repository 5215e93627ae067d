/** The owner's ring-LWE answers in threads of their own, as in a page. */
import { availableParallelism } from 'node:os';
import { AnswerPool, defaultWorkers } from '../../protocols/index.ts';
import { wholeNumber } from './options.ts';
import { startThread } from './thread.ts';

/** The option `--workers`: as many threads as the cores allow, where it is left out. @throws Error */
export const workersOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : wholeNumber('workers', text, 0, 64);

/** @param workers how many threads; as the cores allow, where it is left out. Fewer than two are none. */
export const answerThreads = (workers = defaultWorkers(availableParallelism())): AnswerPool =>
  new AnswerPool(workers, (onFailure) => startThread('answerWorker.ts', onFailure));
