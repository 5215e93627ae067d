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

const exists = (path) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * CHROMIUM_PATH, or a Chromium or Chrome that is installed, or Playwright's own; undefined when there is none.
 * @throws Error when CHROMIUM_PATH names no file.
 */
export async function findChromium() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) {
    if (await exists(chosen)) return chosen;
    throw new Error(`CHROMIUM_PATH: there is no file ${chosen}`);
  }
  for (const path of installed) if (await exists(path)) return path;
  const { chromium } = await import('playwright-core');
  const own = chromium.executablePath();
  return (await exists(own)) ? own : undefined;
}
