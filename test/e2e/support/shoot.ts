/** Screenshots for people to look at; what a program can check of a picture, it checks here. */
import path from 'node:path';
import { errors, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { screenshotsDir } from './app.ts';

const widths = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

/**
 * Chromium's screenshot waits for the page's next frame, which a page in the background never draws, and one on a busy
 * machine now and then does not either. The picture is for people, so a journey does not fail for want of it.
 */
async function takePicture(page: Page, file: string): Promise<void> {
  for (const _ of ['first', 'second']) {
    await page.bringToFront();
    try {
      await page.screenshot({ path: file, fullPage: true, timeout: 10_000 });
      return;
    } catch (error) {
      if (!(error instanceof errors.TimeoutError)) throw error;
    }
  }
  console.warn(`${path.basename(file)} was not taken: the page drew no frame`);
}

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
      await takePicture(page, path.join(screenshotsDir, `${name}-${colorScheme}-${size.width}.png`));
    }
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${name}, ${size.width} pixels: sideways`).toBeLessThanOrEqual(0);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(before);
}
