/** What people with a phone, a keyboard, large letters or their own colours meet; and what they are told. */
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { nameWithoutHttps } from './support/app.ts';
import { alert, classifyNext, classifySample, modelButton, openRoom, pair, said } from './support/pair.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

/** In a page: its Worker is told two seconds later what to classify. */
function classifyLater(): void {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message: { type?: string }, ...rest: unknown[]) {
    const send = () => (post as (...all: unknown[]) => void).call(this, message, ...rest);
    if (message.type === 'classify') setTimeout(send, 2000);
    else send();
  };
}

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** What makes the page scroll sideways. */
const sticksOut = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    // A box, or a text that is longer than its own.
    const right = (element: Element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      return Math.max(element.getBoundingClientRect().right, range.getBoundingClientRect().right);
    };
    const wide = [...document.body.querySelectorAll('*')].filter(
      (element) => element.checkVisibility() && right(element) > clientWidth + 0.5,
    );
    return [`${scrollWidth - clientWidth} pixels`, ...wide.map((element) => element.outerHTML.slice(0, 120))];
  });

/** Visible controls that are smaller than a finger; links within a text are as high as its lines. */
const smallTargets = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, select, summary, input, nav a')]
      .filter((element) => element.checkVisibility() && !element.classList.contains('visually-hidden'))
      // What is in a label is as large as the label.
      .map((element) => ({ element, box: (element.closest('label') ?? element).getBoundingClientRect() }))
      .filter(({ box }) => box.height < 44 || box.width < 44)
      .map(
        ({ element, box }) => `${element.outerHTML.slice(0, 100)}: ${box.width.toFixed(0)} × ${box.height.toFixed(0)}`,
      ),
  );

const isInView = (page: Page, testId: string): Promise<boolean> =>
  page.getByTestId(testId).evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });

describe('on a phone', () => {
  test('the answer to the next picture comes into view, and an error stands where the file was chosen', async () => {
    const { client } = await pair(app, phone);
    await classifySample(client);
    await client.getByText('one or several; pasted, too').waitFor(); // nothing can be dropped
    await client.getByRole('heading', { name: 'Next picture' }).scrollIntoViewIfNeeded();
    await client.mouse.wheel(0, 2000);
    await expect.poll(() => isInView(client, 'top-label')).toBe(false);
    await classifyNext(client, 1);
    await expect.poll(() => isInView(client, 'top-label'), { timeout: 10_000 }).toBe(true);

    await client
      .getByTestId('file')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no image') });
    const box = await alert(client, 'notes.txt').boundingBox();
    expect(box!.y).toBeGreaterThanOrEqual(0);
    expect(box!.y + box!.height).toBeLessThanOrEqual(844);
    await shoot(client, '17-phone-error');
  });

  test('a file that comes while work runs is not lost without a word', async () => {
    const { invite } = await openRoom(app, phone);
    const client = await app.page(phone);
    await client.addInitScript(classifyLater);
    await client.goto(invite);
    await client.getByTestId('sample').first().click();
    await client.getByRole('button', { name: 'Classify privately' }).click();
    await client.getByRole('heading', { name: 'Classifying…' }).waitFor();
    expect(await client.getByRole('button', { name: 'Choose an image' }).isDisabled()).toBe(true);
    const notes = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no image') };
    await client.getByTestId('file').setInputFiles(notes);
    const busy = alert(client, '“notes.txt” was not taken');
    await busy.waitFor();
    expect(await client.getByTestId('result').count()).toBe(0);
    await client.getByTestId('result').waitFor();
    expect(await busy.isVisible()).toBe(true);
    // Now there is time for it.
    await client.getByTestId('file').setInputFiles(notes);
    await alert(client, '“notes.txt” is not a picture that can be read here').waitFor();
    expect(await busy.count()).toBe(0);
  });

  test('turned and turned back, nothing sticks out', async () => {
    const { owner, client } = await pair(app, phone);
    await classifySample(client);
    for (const page of [client, owner]) {
      for (const size of [{ width: 844, height: 390 }, phone.viewport]) {
        await page.setViewportSize(size);
        await page.waitForTimeout(400); // charts are drawn anew
        expect(await sticksOut(page), `${size.width}`).toEqual([]);
        // The pictures keep to their cards.
        const outside = await page.evaluate(() =>
          [...document.querySelectorAll('section.card')].flatMap((card) => {
            const { right } = card.getBoundingClientRect();
            return [...card.querySelectorAll('canvas')]
              .filter((canvas) => canvas.checkVisibility() && canvas.getBoundingClientRect().right > right + 1)
              .map((canvas) => `${canvas.getAttribute('aria-label')} in ${card.getAttribute('aria-label')}`);
          }),
        );
        expect(outside).toEqual([]);
      }
    }
  });

  test('every control is as large as a finger, and details are folded until they are wanted', async () => {
    const start = await app.page(phone);
    await start.goto(app.url);
    expect(await smallTargets(start)).toEqual([]);
    const { owner, invite } = await openRoom(app, phone);
    expect(await smallTargets(owner)).toEqual([]);
    const client = await app.page(phone);
    await client.goto(invite);
    await classifySample(client);
    const table = client.getByRole('table');
    expect(await table.isVisible()).toBe(false);
    await client.getByText('Details: what it costs').click();
    await table.waitFor();
    await client.getByText('Details: the model').click();
    for (const page of [client, owner]) expect(await smallTargets(page)).toEqual([]);
  });

  test('the screen stays on while there is work, and no longer', async () => {
    const { invite } = await openRoom(app);
    const client = await app.page(phone);
    await client.addInitScript(classifyLater);
    await client.addInitScript(() => {
      const held = { now: 0, ever: 0 };
      Object.assign(window, { held });
      Object.defineProperty(navigator, 'wakeLock', {
        value: {
          request: async () => {
            held.now++;
            held.ever++;
            return { release: async () => void held.now-- };
          },
        },
      });
    });
    const held = (key: 'now' | 'ever') =>
      client.evaluate((k) => (window as unknown as { held: Record<string, number> }).held[k], key);
    await client.goto(invite);
    await client.getByText('Prepared, waiting for an image').waitFor();
    await expect.poll(() => held('now'), { timeout: 10_000 }).toBe(0);
    expect(await held('ever')).toBeGreaterThan(0);
    await client.getByTestId('sample').first().click();
    await client.getByRole('button', { name: 'Classify privately' }).click();
    await client.getByRole('heading', { name: 'Classifying…' }).waitFor();
    await expect.poll(() => held('now')).toBe(1);
    expect(await client.getByTestId('result').count()).toBe(0); // it was held for the answer, not for the next preparation
    await client.getByTestId('result').waitFor();
    await client.getByText('Prepared for the next image').waitFor();
    await expect.poll(() => held('now'), { timeout: 10_000 }).toBe(0);
  });
});

test('at 320 pixels, and with letters twice as large, nothing scrolls sideways', async () => {
  const narrow = { viewport: { width: 320, height: 640 } };
  const start = await app.page(narrow);
  await start.goto(app.url);
  expect(await sticksOut(start), 'start').toEqual([]);
  await start.goto(`${app.url}#protection`);
  await start.getByRole('heading', { name: 'What is not covered' }).waitFor();
  expect(await sticksOut(start), 'protection').toEqual([]);
  const { owner, invite } = await openRoom(app, narrow);
  expect(await sticksOut(owner), 'invite').toEqual([]);
  const client = await app.page(narrow);
  await client.goto(invite);
  await classifySample(client);
  for (const page of [client, owner]) {
    for (const title of await page.locator('summary').all()) if (await title.isVisible()) await title.click();
    expect(await sticksOut(page), page === client ? 'client' : 'owner').toEqual([]);
  }
  await client.getByRole('button', { name: 'How it works' }).click();
  await client.getByRole('dialog').waitFor();
  expect(await sticksOut(client), 'drawer').toEqual([]);
  await client.keyboard.press('Escape');
  // Zoom to 200 % of a window of 1,280 pixels is a window of 640 with two device pixels each.
  await client.setViewportSize({ width: 640, height: 450 });
  expect(await sticksOut(client), '200 %').toEqual([]);
  await shoot(client, '18-narrow');
});

test('forced colours leave what says something: bars, dots, progress, what is chosen', async () => {
  const { client } = await pair(app, { forcedColors: 'active' });
  await classifySample(client);
  const background = (selector: string) =>
    client
      .locator(selector)
      .first()
      .evaluate((element) => getComputedStyle(element).backgroundColor);
  const canvas = await background('body');
  for (const selector of ['.fill', '.dot', '.share', '[aria-pressed="true"]'])
    expect(await background(selector), selector).not.toBe(canvas);
  expect(await background('[aria-pressed="true"]')).not.toBe(await background('[aria-pressed="false"]'));
  await shoot(client, '19-forced-colors');
});

test('the keyboard goes where the work goes', async () => {
  const { client } = await pair(app);
  const focused = () => client.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  await client.getByTestId('sample').first().focus();
  await client.keyboard.press('Enter');
  await expect.poll(focused, { timeout: 20_000 }).toBe('Classify privately');
  await client.keyboard.press('Enter');
  await client.getByTestId('result').waitFor();
  await client.getByTestId('sample').nth(1).focus();
  await client.keyboard.press('Enter');
  await expect
    .poll(() => client.evaluate(() => (document.activeElement as HTMLElement).dataset.testid), { timeout: 20_000 })
    .toBe('top-label');
  await client.getByRole('button', { name: 'Check against plaintext' }).focus();
  await client.keyboard.press('Enter');
  await client.getByText('Same answer in plaintext').waitFor();
  expect(await focused()).toContain('Same answer in plaintext');
});

test('each screen has one first heading', async () => {
  const { owner, client } = await pair(app);
  const start = await app.page();
  await start.goto(app.url);
  for (const page of [start, owner, client]) expect(await page.locator('h1').count()).toBe(1);
});

test('Back asks before it ends anything', async () => {
  const { owner, client } = await pair(app);
  await owner.goBack();
  await owner.getByRole('dialog').getByText('Your room closes').waitFor();
  await shoot(owner, '20-back');
  await owner.getByRole('button', { name: 'Stay' }).click();
  await classifySample(client);
  await client.goBack();
  await client.getByRole('dialog').getByText('The connection ends').waitFor();
  await client.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await client.getByRole('button', { name: 'Try it alone' }).waitFor();
  await said(owner, 'The client has left').waitFor();
});

test('who is connected keeps what was promised, and the owner is told', async () => {
  const { owner } = await pair(app);
  await owner.getByLabel('The next client learns').selectOption('label');
  await owner.getByText('The client that is connected now still learns all scores').waitFor();
  await owner.getByLabel('The next client learns').selectOption('logits');
  expect(await owner.getByText('still learns').count()).toBe(0);
});

test('the owner closes the room: the client is told, without alarm, and is not sent to a dead link', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await owner.getByRole('button', { name: 'Close the room' }).click();
  await said(client, 'The owner closed the room').waitFor();
  expect(await client.getByRole('button', { name: 'Connect again' }).count()).toBe(0);
  for (const page of [owner, client]) expect(await page.getByRole('alert').count()).toBe(0);
  await shoot(client, '21-room-closed');
});

describe('an owner whose page was opened as localhost', () => {
  /** The room of an owner whose server says that it is reached by these addresses. */
  async function openRoomReachedBy(networkOrigins: string[]) {
    const owner = await app.page();
    await owner.route('**/settings.json', (route) => route.fulfill({ json: { signaling: 'here', networkOrigins } }));
    await owner.goto(app.url);
    await owner.getByRole('button', { name: 'Share a model' }).click();
    await modelButton(owner, 'tiny').click();
    await owner.getByTestId('invite').waitFor();
    return owner;
  }

  test('without an address in a network there is no QR code, which could not work', async () => {
    const owner = await openRoomReachedBy([]);
    await owner.getByText('This link works on this machine only').waitFor();
    expect(await owner.getByLabel('QR code of the invite link').count()).toBe(0);
  });

  test('gets a link and a QR code for other devices, where the page works over plain HTTP and says what that means', async () => {
    const other = `http://${nameWithoutHttps}:${new URL(app.url).port}`;
    const owner = await openRoomReachedBy([other, 'http://192.168.7.7:3000']);
    const link = owner.getByTestId('network-invite');
    const invite = await link.inputValue();
    expect(invite.split('#')).toEqual([`${other}/`, (await owner.getByTestId('invite').inputValue()).split('#')[1]]);
    await owner.getByLabel('QR code of the invite link').waitFor();
    await owner.getByLabel('This machine’s address').selectOption('192.168.7.7');
    expect(await link.inputValue()).toMatch(/^http:\/\/192\.168\.7\.7:3000\/#/);
    await shoot(owner, '22-network-link');

    const client = await app.page(phone);
    await client.goto(invite);
    await client.getByTestId('sample').first().waitFor();
    expect(await client.evaluate(() => isSecureContext)).toBe(false);
    await client.getByText('This page came over plain HTTP').waitFor();
    expect(await client.getByRole('button', { name: 'Camera' }).count()).toBe(0);
    await classifySample(client);
    await client.getByRole('button', { name: 'Check against plaintext' }).click();
    await client.getByText('Same answer in plaintext').waitFor();
    await shoot(client, '22-plain-http');
  });
});
