import type { SessionEvent } from '../../../protocols/index.ts';

/**
 * Ten times a second: quick enough to look live. Drawing takes the cores from the protocol: at fifteen, with transitions between, it took more
 * than half of two cores online (PERFORMANCE.md).
 */
const intervalMs = 100;

/**
 * Passes a session's events on, meters and progress at most every 100 ms: the latest of each counts. Everything else
 * passes at once, after what is held back.
 */
export function batchEvents(post: (event: SessionEvent) => void): (event: SessionEvent) => void {
  const held = new Map<SessionEvent['type'], SessionEvent>();
  let lastMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    lastMs = performance.now();
    for (const event of held.values()) post(event);
    held.clear();
  };

  return (event) => {
    if (event.type !== 'meters' && event.type !== 'progress') {
      flush();
      return post(event);
    }
    // Meters of another phase would replace the last ones of the phase before.
    const before = held.get('meters');
    if (event.type === 'meters' && before?.type === 'meters' && before.phase !== event.phase) flush();
    held.set(event.type, event);
    const waitMs = lastMs + intervalMs - performance.now();
    if (waitMs <= 0) flush();
    else timer ??= setTimeout(flush, waitMs);
  };
}
