import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { violations } from './support/axe.ts';
import { classifySample, modelButton, openRoom, said, tryAlone } from './support/pair.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

// Fourteen screens, each in two ways: a minute on a quiet machine.
test('no screen has a serious violation, in light and dark, wide and narrow', { timeout: 240_000 }, async () => {
  /** Looks at one screen both ways; a new page for each would take twice the time. */
  const check = async (page: Page, screen: string) => {
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 390],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      expect(await violations(page), `${screen}, ${colorScheme}`).toEqual([]);
    }
  };
  const start = await app.page();
  await start.goto(app.url);
  await start.waitForTimeout(2000);
  await check(start, 'start');
  await start.getByRole('link', { name: 'What is protected' }).click();
  await start.getByRole('heading', { name: 'What is not covered' }).waitFor();
  await check(start, 'protection');
  await start.getByRole('button', { name: 'Back to start' }).click();
  await start.getByRole('button', { name: 'Share a model' }).click();
  await start.getByText('Recognises 4 things').waitFor();
  await check(start, 'choice of a model');

  const alone = await tryAlone(app);
  await check(alone, 'both sides');
  await alone.getByTestId('sample').first().click();
  await alone.getByTestId('result').waitFor({ timeout: 60_000 });
  await check(alone, 'both sides, answered');

  const { owner, invite } = await openRoom(app);
  const code = await owner.getByTestId('code').innerText();
  await check(owner, 'invite');
  const guesser = await app.page();
  await guesser.goto(app.url);
  await guesser.getByLabel('Invite link or code').fill(code.slice(0, -1) + (code.endsWith('7') ? '8' : '7'));
  await guesser.getByRole('button', { name: 'Open' }).click();
  await guesser.getByText('That code does not fit').waitFor();
  await owner.getByText('A wrong code was typed').waitFor();
  await check(guesser, 'a wrong code');
  await check(owner, 'a wrong code, at the owner’s');
  const client = await app.page();
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  await check(client, 'paired');
  await classifySample(client);
  await check(client, 'result');
  await check(owner, 'owner');
  await client.emulateMedia({ reducedMotion: 'reduce' }); // what fades in has no contrast yet
  await client.getByRole('button', { name: 'How it works' }).click();
  await client.getByTestId('walk-value').waitFor();
  await check(client, 'drawer');
  await client.keyboard.press('Escape');
  // The owner is not back before the screen has been looked at.
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await owner.route('**/weights.bin', (route) => released.then(() => route.continue()));
  await owner.reload();
  await client.getByText('reconnecting, try').waitFor();
  await check(client, 'reconnecting');
  expect(await client.getByTestId('peer-state').getAttribute('data-state')).toBe('reconnecting');
  release();
  await expect.poll(() => client.getByTestId('peer-state').getAttribute('data-state')).toBe('connected');
  await owner.getByRole('button', { name: 'Close the room' }).click();
  await said(client, 'The owner closed the room').waitFor();
  expect(await client.getByRole('button', { name: 'Connect again' }).count()).toBe(0);
  await check(client, 'failure');
});

test('by keyboard only, from the first visit to the result', async () => {
  const tabTo = async (page: Page, name: string | RegExp) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const label = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        return element.getAttribute('aria-label') ?? element.querySelector('img')?.alt ?? element.innerText ?? '';
      });
      if (typeof name === 'string' ? label.includes(name) : name.test(label)) return;
    }
    throw new Error(`no focus on ${name}`);
  };
  const owner = await app.page();
  await owner.goto(app.url);
  await tabTo(owner, 'Share a model');
  await owner.keyboard.press('Enter');
  await modelButton(owner, 'tiny').waitFor();
  await tabTo(owner, 'seeded noise');
  await owner.keyboard.press('Enter');
  const invite = await owner.getByTestId('invite').inputValue();

  const client = await app.page();
  await client.goto(app.url);
  await tabTo(client, /^$/); // the field for the link
  await client.keyboard.insertText(invite);
  await client.keyboard.press('Enter');
  await client.getByTestId('sample').first().waitFor();
  await tabTo(client, 'Sample');
  await client.keyboard.press('Space');
  await client.getByRole('button', { name: 'Classify privately' }).waitFor();
  await client.evaluate(() => (document.activeElement as HTMLElement).blur());
  await tabTo(client, 'Classify privately');
  await client.keyboard.press('Enter');
  await client.getByTestId('result').waitFor();
  // The button that had the focus is gone; the answer has taken it.
  expect(await client.evaluate(() => (document.activeElement as HTMLElement).dataset.testid)).toBe('top-label');
  // What a screen reader says then: sentences, each with one full stop.
  const spoken = await client.getByRole('status').filter({ hasText: 'The answer:' }).innerText();
  expect(spoken).toMatch(/^The answer: [^.]+, [\d.]+ %\. [^.]+\.$/);
  await tabTo(client, 'input');
  await client.keyboard.press('ArrowDown');
  await shoot(client, '14-keyboard');
});

test('reduced motion: what moves is there at once', async () => {
  const page = await app.page({ reducedMotion: 'reduce' });
  await page.goto(app.url);
  const animations = await page.evaluate(() =>
    document.getAnimations().filter((animation) => Number(animation.effect!.getComputedTiming().endTime) > 600),
  );
  expect(animations).toEqual([]);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await page.reload();
  await expect.poll(() => page.evaluate(() => document.getAnimations().length)).toBeGreaterThan(0);
});

test('what is loaded before a role is chosen stays small', async () => {
  const page = await app.page();
  const scripts: string[] = [];
  page.on('response', (response) => response.request().resourceType() === 'script' && scripts.push(response.url()));
  await page.goto(app.url, { waitUntil: 'networkidle' });
  let bytes = 0;
  for (const url of scripts) {
    const { gzipSync } = await import('node:zlib');
    bytes += gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length;
  }
  console.info(`${bytes} bytes of scripts (gzip) before a role is chosen`);
  expect(scripts.length).toBeGreaterThan(0);
  expect(scripts.filter((url) => /uPlot|worker|Screen/.test(url))).toEqual([]);
  expect(bytes).toBeLessThanOrEqual(150_000);
});
