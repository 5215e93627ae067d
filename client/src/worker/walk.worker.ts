/** Both sides of the walk (explain/walk.ts), off the page's thread; set up once, for as many runs as are asked for. */
import { Walk } from '../explain/walk.ts';
import type { FromWalkWorker, ToWalkWorker } from './messages.ts';

const opened = Walk.open();

self.onmessage = async ({ data }: MessageEvent<ToWalkWorker>) => {
  let answer: FromWalkWorker;
  try {
    answer = { run: await (await opened).run(data) };
  } catch (error) {
    answer = { problem: (error as Error).message };
  }
  self.postMessage(answer);
};
