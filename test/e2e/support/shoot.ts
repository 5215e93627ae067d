/** Screenshots for people to look at; what a program can check of a picture, it checks here. */
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { screenshotsDir } from './app.ts';

const widths = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

/**
 * A state of a journey in both widths and both colour schemes, without running the journey four times: the page is
 * resized and put back. Fails where the page scrolls sideways.
 */
export async function shoot(page: Page, name: string): Promise<void> {
  const before = page.viewportSize()!;
  for (const size of widths) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(200); // transitions of colours; charts are drawn anew
      const file = path.join(screenshotsDir, `${name}-${colorScheme}-${size.width}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${name}, ${size.width} pixels: sideways`).toBeLessThanOrEqual(0);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(before);
}
