/** The app in another language: by the browser's preference, by choice, in the middle of everything. */
import { expect, test } from 'vitest';
import { openRoom } from './support/pair.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

test('a German browser gets German, to the result', async () => {
  const { invite } = await openRoom(app);
  const client = await app.page({ locale: 'de-AT' });
  await client.goto(app.url);
  await client.getByRole('heading', { name: 'Ein Bild erkennen lassen, ohne es zu zeigen.' }).waitFor();
  expect(await client.locator('html').getAttribute('lang')).toBe('de');
  await client.waitForTimeout(2000); // the picture appears
  await shoot(client, '16-german-start');
  await client.goto(invite);
  await client.getByTestId('sample').first().click();
  await client.getByRole('button', { name: 'Privat erkennen' }).click();
  await client.getByTestId('result').waitFor();
  expect(await client.getByTestId('result').innerText()).toMatch(/\d,\d %/);
  await shoot(client, '16-german-result');
});

test('the language is switched while a notice stands, and remembered', async () => {
  const page = await app.page();
  await page.goto(`${app.url}#${'A'.repeat(22)}.${'A'.repeat(43)}`);
  await page.getByRole('alert').filter({ hasText: 'There is no room with this code' }).waitFor();
  await page.getByLabel('Language').selectOption('Deutsch');
  await page.getByRole('alert').filter({ hasText: 'Es gibt keinen Raum mit diesem Code' }).waitFor();
  await page.reload();
  await page.getByRole('alert').filter({ hasText: 'Es gibt keinen Raum mit diesem Code' }).waitFor();
  await page.getByLabel('Sprache').selectOption('English');
  await page.getByRole('alert').filter({ hasText: 'There is no room with this code' }).waitFor();
});
