import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { findFirefox } from '../../scripts/lib/firefox.mjs';

/** Tests of Firefox are skipped where there is none; with FIREFOX_PATH set, a missing one is an error. */
export const firefoxPath = await findFirefox();

/** Starts the Firefox that scripts/lib/firefox.mjs finds, by WebDriver BiDi. */
export function launchFirefox({ dark = false, nameOfThisMachine = '' } = {}): Promise<Browser> {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: firefoxPath!,
    headless: true,
    defaultViewport: null,
    extraPrefsFirefox: {
      // Without a network but the loopback, WebRTC finds no candidates unless it may use that one …
      'media.peerconnection.ice.loopback': true,
      // … by its address: names by mDNS need multicast.
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'network.dns.localDomains': nameOfThisMachine,
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'layout.css.prefers-color-scheme.content-override': dark ? 0 : 1,
    },
  });
}

/** Firefox 140 has no command for the screen's orientation, which Puppeteer sends along; the size it does set. */
export async function resize(page: Page, size: { width: number; height: number }): Promise<void> {
  await page.setViewport(size).catch((error: Error) => {
    if (!error.message.includes('setScreenOrientationOverride')) throw error;
  });
  await poll(() => page.evaluate((width) => window.innerWidth === width, size.width));
}

/**
 * By the clock, from here: Puppeteer's own waiting needs eval, which the app's content policy forbids, or frames, which a page in
 * the background does not draw.
 */
export async function poll(check: () => Promise<boolean>, what = 'a condition', timeoutMs = 60_000): Promise<void> {
  for (const startedMs = Date.now(); !(await check()); ) {
    if (Date.now() - startedMs > timeoutMs) throw new Error(`${what}: not after ${timeoutMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
