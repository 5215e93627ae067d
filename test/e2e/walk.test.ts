/** One number from pixel to score, in the drawer: by itself, by hand, by the arrow keys, in German, without motion. */
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { type App, screenshotsDir } from './support/app.ts';
import { violations } from './support/axe.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

/** The drawer of a client without an owner: the walk needs nobody else. */
async function openWalk(options: Parameters<App['page']>[0], button: string): Promise<{ page: Page; walk: Locator }> {
  const page = await app.page(options);
  await page.goto(`${app.url}#${'A'.repeat(22)}.${'A'.repeat(43)}`);
  await page.getByRole('button', { name: button }).click();
  const walk = page.getByTestId('walk');
  await walk.getByTestId('walk-value').waitFor({ timeout: 60_000 });
  return { page, walk };
}

const value = (walk: Locator) => walk.getByTestId('walk-value').innerText();
const shares = (walk: Locator) => walk.locator('dd.number').allInnerTexts();
const heading = (walk: Locator) => walk.getByRole('heading', { level: 3 }).innerText();

test('by the arrow keys, to the score; other random numbers change all but that', async () => {
  const { page, walk } = await openWalk({ reducedMotion: 'reduce' }, 'How it works');
  // Without motion it waits for the reader.
  await walk.getByRole('button', { name: 'Play' }).waitFor();
  expect(await heading(walk)).toBe('Split');
  const pixel = Number(await value(walk));
  const plain = (x: number) => x * 0.007 - 0.8;
  await walk.getByText('the pixel minus the random number').waitFor();

  const titles = ['Split', 'Multiply', 'Shorten', 'Look up', 'And so on', 'Add up'];
  const values = [];
  for (const [i, title] of titles.entries()) {
    expect(await heading(walk)).toBe(title);
    await walk
      .getByRole('status')
      .filter({ hasText: `Step ${i + 1} of 6, ${title}: ` })
      .waitFor({ state: 'attached' });
    values.push(Number((await value(walk)).replace('−', '-')));
    // The others are drawn alike.
    if (['Look up', 'Add up'].includes(title)) {
      expect(await violations(page), title).toEqual([]);
      await shoot(page, `13-walk-${i + 1}`);
    }
    await page.keyboard.press('ArrowRight');
  }
  expect(await heading(walk)).toBe('Add up');
  const [, multiplied, shortened, lookedUp, score, revealed] = values;
  expect(values[0]).toBe(pixel);
  expect(Math.abs(multiplied - plain(pixel))).toBeLessThan(0.006);
  expect(shortened).toBeCloseTo(multiplied, 1);
  expect(Math.abs(score - 4 * lookedUp)).toBeLessThan(0.03);
  expect(revealed).toBe(score);
  await walk.getByText('Only the picture’s side sees this').waitFor();

  const before = await shares(walk);
  await walk.getByRole('button', { name: 'New random numbers' }).click();
  await expect.poll(() => shares(walk)).not.toEqual(before);
  const after = await shares(walk);
  expect(Math.abs(Number(await value(walk)) - revealed)).toBeLessThan(0.021);
  expect(after).toHaveLength(before.length);

  await page.keyboard.press('ArrowLeft');
  expect(await heading(walk)).toBe('And so on');
  await walk.getByRole('button', { name: 'Step 1: Split' }).click();
  const here = await shares(walk);
  await walk.getByRole('button', { name: 'Another pixel' }).press('Enter');
  await expect.poll(() => shares(walk)).not.toEqual(here);
  // The keyboard's focus stays where it was.
  expect(await page.evaluate(() => document.activeElement!.getAttribute('aria-label'))).toBe('Another pixel');
  await walk.getByText('Details of this step').click();
  await walk.getByText('modulo 1,048,576').waitFor();
});

test('plays by itself, and stops when asked', async () => {
  const { page, walk } = await openWalk({}, 'How it works');
  await walk.getByRole('button', { name: 'Pause' }).waitFor();
  for (const title of ['Multiply', 'Shorten']) {
    await expect.poll(() => heading(walk), { timeout: 25_000 }).toBe(title);
  }
  await walk.getByRole('button', { name: 'Pause' }).click();
  await walk.getByRole('button', { name: 'Play' }).waitFor();
  await page.keyboard.press('Escape');
  await walk.waitFor({ state: 'detached' });
});

test('German, 320 pixels wide, by touch, in forced colours', async () => {
  const { page, walk } = await openWalk(
    {
      locale: 'de',
      viewport: { width: 320, height: 640 },
      hasTouch: true,
      reducedMotion: 'reduce',
      forcedColors: 'active',
    },
    'So geht das',
  );
  for (const title of ['Teilen', 'Malnehmen', 'Kürzen', 'Nachschlagen', 'Und so weiter', 'Addieren']) {
    expect(await heading(walk)).toBe(title);
    const sideways = await page.evaluate(() => {
      const dialog = document.querySelector('dialog')!;
      return dialog.scrollWidth - dialog.clientWidth;
    });
    expect(sideways, title).toBeLessThanOrEqual(0);
    const small = await walk.getByRole('button').evaluateAll((buttons) =>
      buttons.flatMap((button) => {
        const { width, height } = button.getBoundingClientRect();
        return Math.min(width, height) < 44 ? [`${button.textContent} ${width} × ${height}`] : [];
      }),
    );
    expect(small, title).toEqual([]);
    if (title === 'Nachschlagen') await page.screenshot({ path: path.join(screenshotsDir, '13-walk-forced-320.png') });
    if (title !== 'Addieren') await walk.getByRole('button', { name: 'Weiter', exact: true }).click();
  }
});
