import { type Browser, chromium } from 'playwright-core';
import { findChromium } from '../../scripts/lib/chromium.mjs';

/** Starts the browser that scripts/lib/chromium.mjs finds. @throws Error when there is none. */
export async function launchChromium(args: string[] = []): Promise<Browser> {
  const executablePath = await findChromium();
  if (executablePath === undefined)
    throw new Error(
      'No Chromium: install Chromium or Chrome, set CHROMIUM_PATH, or run `npx playwright-core install chromium`.',
    );
  // Containers and CI machines run as root, where Chromium's sandbox does not start.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...sandbox, ...args] });
}
