import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

let axe: string | undefined;

/**
 * Names of axe's rules that a page violates seriously, with the elements. What is found is looked at again, a second and three seconds
 * later: colours change by transitions, and slowly where the processor is busy.
 */
export async function violations(page: Page): Promise<string[]> {
  axe ??= await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // A page behind another draws late what `emulateMedia` asks for: half of the colours would be of the other scheme.
  await page.bringToFront();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  let found: string[] = [];
  for (const waitMs of [400, 1000, 3000]) {
    await page.waitForTimeout(waitMs); // transitions of colours
    found = await violationsNow(page, axe);
    if (found.length === 0) break;
  }
  return found;
}

async function violationsNow(page: Page, axe: string): Promise<string[]> {
  await page.evaluate(axe); // by the debugger's protocol, which the page's content policy does not bind
  const results = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as AxeResults;
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
}
