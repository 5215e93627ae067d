// Which Chromium the tests drive.
import { chosenOrInstalled, exists } from './browsers.mjs';

/**
 * CHROMIUM_PATH, or a Chromium or Chrome that is installed, or Playwright's own; undefined when there is none.
 * @throws Error when CHROMIUM_PATH names no file.
 */
export async function findChromium() {
  const found = await chosenOrInstalled('CHROMIUM_PATH', [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/usr/bin/google-chrome-stable',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    'C:/Program Files/Google/Chrome/Application/chrome.exe',
  ]);
  if (found) return found;
  const { chromium } = await import('playwright-core');
  const own = chromium.executablePath();
  return (await exists(own)) ? own : undefined;
}
