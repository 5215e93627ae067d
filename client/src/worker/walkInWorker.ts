import type { WalkRun } from '../explain/walkRun.ts';
import type { FromWalkWorker } from './messages.ts';

/** Starts the Worker in which both sides of the walk run. */
export function walkInWorker(onRun: (run: WalkRun) => void, onProblem: () => void) {
  const worker = new Worker(new URL('./walk.worker.ts', import.meta.url), { type: 'module', name: 'walk' });
  worker.onmessage = ({ data }: MessageEvent<FromWalkWorker>) => ('run' in data ? onRun(data.run) : onProblem());
  worker.onerror = (event) => {
    event.preventDefault();
    onProblem();
  };
  return {
    run: (pixels: Int32Array) => worker.postMessage(pixels),
    end: () => worker.terminate(),
  };
}
