// Which browser the tests drive.
import { access } from 'node:fs/promises';

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
];

/** CHROMIUM_PATH, or a Chromium or Chrome that is installed, or Playwright's own; undefined when there is none. */
export async function findChromium() {
  const { chromium } = await import('playwright-core');
  for (const path of [process.env.CHROMIUM_PATH, ...installed, chromium.executablePath()]) {
    if (!path) continue;
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
