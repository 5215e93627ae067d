/** What a page did while a journey ran: shifts of its layout, and when a text changed. */
import type { Page } from 'playwright-core';

interface Observed {
  shifts: number[];
  updates: Record<string, number[]>;
}

/** To be called before the page is opened, or early: earlier shifts are reported too. */
export async function observeShifts(page: Page): Promise<void> {
  const observe = () => {
    const shifts: number[] = [];
    (window as unknown as Observed).shifts = shifts;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
        if (!entry.hadRecentInput) shifts.push(entry.value);
      }
    }).observe({ type: 'layout-shift', buffered: true });
  };
  if (page.url() === 'about:blank') await page.addInitScript(observe);
  else await page.evaluate(observe);
}

/** Sum of all shifts that no input of the user explains. */
export async function layoutShift(page: Page): Promise<number> {
  const shifts = await page.evaluate(() => (window as unknown as Observed).shifts);
  return shifts.reduce((sum, value) => sum + value, 0);
}

/** Notes when the text of an element (by data-testid) changes, from now on. */
export async function observeUpdates(page: Page, testId: string): Promise<void> {
  await page.getByTestId(testId).evaluate((element, id) => {
    const observed = window as unknown as Observed;
    observed.updates ??= {};
    observed.updates[id] = [];
    new MutationObserver(() => observed.updates[id].push(performance.now())).observe(element, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  }, testId);
}

/** Times of the changes, in milliseconds of the page's clock. */
export const updatesOf = (page: Page, testId: string): Promise<number[]> =>
  page.evaluate((id) => (window as unknown as Observed).updates[id], testId);

/**
 * What CSS animates within half a second, but for buttons, which answer the pointer. While the protocol runs there should be nothing: an animation
 * draws for every frame, and without a graphics card that takes the cores from the protocol.
 */
export const movingParts = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const moving = new Set<string>();
    for (let i = 0; i < 10; i++) {
      for (const { effect } of document.getAnimations()) {
        const target = (effect as KeyframeEffect).target;
        if (!target?.closest('.button')) moving.add(target?.className ?? '');
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return [...moving];
  });
