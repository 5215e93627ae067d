/** What this process holds that is in use: after full garbage collections, which Node does not make by itself while memory is left. */
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const mebibytes = (bytes: number) => bytes / 2 ** 20;

export interface MemoryInUse {
  /** JavaScript objects of this thread, and what belongs to them outside its heap (buffers, WebAssembly memories), in MiB. */
  readonly heapMiB: number;
  readonly externalMiB: number;
  /** The whole process with all its threads, what is free for the next allocation included, in MiB. */
  readonly rssMiB: number;
}

/** Two collections: what finalizers and weak references held goes with the second. */
export async function memoryInUse(): Promise<MemoryInUse> {
  for (let round = 0; round < 2; round++) {
    collect();
    await pause(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMiB: mebibytes(heapUsed), externalMiB: mebibytes(external), rssMiB: mebibytes(rss) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** How much `values` grow for each of `steps`, by the second half's least-squares line: the first is for pools that fill. */
export function growthPerStep(values: readonly number[], steps: readonly number[]): number {
  const half = values.length >> 1;
  const [y, x] = [values.slice(half), steps.slice(half)];
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const covariance = x.reduce((sum, step, i) => sum + (step - meanX) * (y[i] - meanY), 0);
  return covariance / x.reduce((sum, step) => sum + (step - meanX) ** 2, 0);
}
