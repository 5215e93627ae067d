/** A thread that answerThreads.ts starts. */
import { workerData } from 'node:worker_threads';
import { type Endpoint, serveAnswers } from '../../protocols/index.ts';

serveAnswers((workerData as { control: Endpoint }).control);
