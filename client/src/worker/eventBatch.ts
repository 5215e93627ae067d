import type { Phase, SessionEvent } from '../../../protocols/index.ts';

/**
 * While an image is classified five times a second, often enough to look live; twice in the longer phases before. Without a graphics card every
 * update takes some 15 ms of a core that the protocol has a use for, in either tab; fifteen updates a second, with transitions between, took more
 * than half of two cores online (PERFORMANCE.md).
 */
const intervalMs = (phase: Phase): number => (phase === 'online' ? 200 : 500);

type Meters = Extract<SessionEvent, { type: 'meters' }>;

/**
 * Passes a session's events on: meters and progress at most every `intervalMs`, the latest of each. Everything else passes at once, after what is held
 * back.
 */
export function batchEvents(post: (event: SessionEvent) => void): (event: SessionEvent) => void {
  let progress: SessionEvent | undefined;
  let meters: Meters | undefined;
  let lastMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    lastMs = performance.now();
    if (meters) post(meters);
    if (progress) post(progress);
    meters = progress = undefined;
  };

  return (event) => {
    if (event.type !== 'meters' && event.type !== 'progress') {
      flush();
      return post(event);
    }
    if (event.type === 'meters') {
      // Meters of another phase would replace the last ones of the phase before.
      if (meters && meters.phase !== event.phase) flush();
      meters = event;
    } else progress = event;
    const waitMs = lastMs + intervalMs(event.phase) - performance.now();
    if (waitMs <= 0) flush();
    else timer ??= setTimeout(flush, waitMs);
  };
}
