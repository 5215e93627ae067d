/**
 * Long tasks are counted by the wall clock, and on a machine that is busy otherwise they hold other programs' time too.
 * So their time on the processor is measured, by a trace of all pages' main threads.
 */
import type { Browser, Page } from 'playwright-core';

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Microseconds on the processor. */
  tdur?: number;
  args?: { name?: string };
}

/** Runs `work` and resolves with the longest task of any page's main thread, in milliseconds on the processor. */
export async function longestTaskMs(browser: Browser, page: Page, work: () => Promise<void>): Promise<number> {
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  await work();
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const mainThreads = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = trace.traceEvents.filter(
    ({ name, pid, tid }) => name === 'RunTask' && mainThreads.has(`${pid} ${tid}`),
  );
  if (tasks.length < 50) throw new Error(`the trace has ${tasks.length} tasks of main threads`);
  return Math.max(...tasks.map(({ tdur }) => (tdur ?? 0) / 1000));
}
