import type { SessionEvent } from '../../../protocols/index.ts';

/**
 * Clock and progress ten times a second: quick enough to look live. What each step has cost, four times: drawing hundreds of figures takes the
 * cores from the protocol. All of it fifteen times, with transitions between, took more than half of two cores online (PERFORMANCE.md).
 */
const intervalMs = 100;
const stepsIntervalMs = 250;

type Meters = Extract<SessionEvent, { type: 'meters' }>;

/**
 * Passes a session's events on: meters and progress at most every 100 ms, the latest of each; steps of meters at most every 250 ms, and none of
 * them in between. Everything else passes at once, after what is held back.
 */
export function batchEvents(post: (event: SessionEvent) => void): (event: SessionEvent) => void {
  let progress: SessionEvent | undefined;
  let meters: Meters | undefined;
  let isClockPassed = true;
  let [lastMs, lastStepsMs] = [0, 0];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (isEnd: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    lastMs = performance.now();
    if (meters && (isEnd || lastMs - lastStepsMs >= stepsIntervalMs)) {
      lastStepsMs = lastMs;
      post(meters);
      meters = undefined;
    } else if (meters && !isClockPassed) {
      post({ ...meters, steps: [] });
    }
    isClockPassed = true;
    if (progress) post(progress);
    progress = undefined;
    if (meters) timer = setTimeout(() => flush(false), intervalMs);
  };

  return (event) => {
    if (event.type !== 'meters' && event.type !== 'progress') {
      flush(true);
      return post(event);
    }
    if (event.type === 'meters') {
      // Meters of another phase would replace the last ones of the phase before.
      if (meters && meters.phase !== event.phase) flush(true);
      meters = event;
      isClockPassed = false;
    } else progress = event;
    const waitMs = lastMs + intervalMs - performance.now();
    if (waitMs <= 0) flush(false);
    else timer ??= setTimeout(() => flush(false), waitMs);
  };
}
