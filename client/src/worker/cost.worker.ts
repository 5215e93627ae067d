/** What one answer of a model costs, by its plan: compiling takes a moment, so not on the page's thread. */
import { costOf } from './costOf.ts';
import type { FromCostWorker } from './messages.ts';

self.onmessage = ({ data }: MessageEvent<string>) => {
  let answer: FromCostWorker;
  try {
    answer = { cost: costOf(data) };
  } catch (error) {
    answer = { problem: (error as Error).message };
  }
  self.postMessage(answer);
};
