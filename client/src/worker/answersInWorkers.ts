import { AnswerPool, defaultWorkers } from '../../../protocols/index.ts';
import { beginHelper } from './helpers.ts';

/** The Workers for the owner's ring-LWE answers; they end with the session. */
export const answersInWorkers = (cores: number): AnswerPool =>
  new AnswerPool(defaultWorkers(cores), (onFailure) =>
    beginHelper('answers', () => onFailure(new Error('a Worker for the answers of ring-LWE could not run'))),
  );
