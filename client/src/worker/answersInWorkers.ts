import { AnswerPool, type AnswerWorker, defaultWorkers } from '../../../protocols/index.ts';

/** The Workers for the owner's ring-LWE answers; they end with the session, or with the one that started it. */
export function answersInWorkers(cores: number): AnswerPool {
  // In browsers whose Workers cannot start others, the thread that asks makes them.
  if (typeof Worker === 'undefined') return new AnswerPool();
  return new AnswerPool(defaultWorkers(cores), (onFailure) => {
    const worker = new Worker(new URL('./answers.worker.ts', import.meta.url), { type: 'module', name: 'answers' });
    worker.onerror = (event) => {
      event.preventDefault();
      onFailure(new Error('a Worker for the answers of ring-LWE could not run'));
    };
    return worker as unknown as AnswerWorker;
  });
}
