import { cpus } from 'node:os';

/** One figure: the median of several runs, with the extremes. */
export interface BenchResult {
  /** `suite/figure`, such as `kernels/matmul`. */
  name: string;
  value: number;
  unit: string;
  min: number;
  max: number;
}

/** What the suite `plan` looks at; the others have nothing to choose. */
export interface BenchOptions {
  readonly model?: string | undefined;
  readonly softmax?: number | undefined;
  readonly gelu?: number | undefined;
}

/** What a suite module (test/bench/<suite>.ts) exports as `run`. */
export type BenchSuite = (options: BenchOptions) => Promise<BenchResult[]>;

/** Median, minimum and maximum of `values`. @throws RangeError when there are none. */
export function summarise(name: string, unit: string, values: number[]): BenchResult {
  if (values.length === 0) throw new RangeError(`${name}: expected at least one value, got 0`);
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { name, value, unit, min: sorted[0], max: sorted.at(-1)! };
}

/**
 * Times `work` and reports what `figure` makes of the milliseconds of one call (a rate, or the time itself).
 * Calls run in batches of at least 5 ms, so the clock's resolution does not show; the first batches warm the engine up.
 */
export async function measure(
  name: string,
  unit: string,
  figure: (elapsedMs: number) => number,
  work: () => unknown,
  runs = 21,
): Promise<BenchResult> {
  const batch = async (calls: number) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) await work();
    return performance.now() - start;
  };
  let calls = 1;
  while ((await batch(calls)) < 5) calls *= 2;
  for (let i = 0; i < 5; i++) await batch(calls);
  const values: number[] = [];
  for (let i = 0; i < runs; i++) values.push(figure((await batch(calls)) / calls));
  return summarise(name, unit, values);
}

/** What the figures were measured on. */
export function describeMachine() {
  const list = cpus();
  return {
    cpu: list[0]?.model.trim() ?? 'unknown',
    cores: list.length,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
}
