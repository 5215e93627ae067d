import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { answerBits, compilePlan, parseManifest, protocolVersion } from '../../protocols/index.ts';
import { type Manifest, publicManifest } from '../../protocols/inference/manifest.ts';
import { makeManifest } from '../support/manifest.ts';
import { ownFiles } from '../support/ownFiles.ts';
import { TINY_SAMPLES, tinySample } from '../support/tinySamples.ts';
import { screenshotsDir } from './support/app.ts';
import { violations } from './support/axe.ts';
import { classifySample, modelButton, openRoom, pair, said } from './support/pair.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

test('the private answer is checked against plaintext, and saved without the photograph', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await client.getByLabel('The masked image: noise').waitFor();
  await owner.getByLabel('The masked image: noise').waitFor();

  await client.getByRole('button', { name: 'Check against plaintext' }).click();
  await client.getByText('Same answer in plaintext').waitFor();
  expect(Number(await client.getByTestId('logit-difference').innerText())).toBeLessThan(0.1);
  await client.getByText('The owner describes its model exactly as this public one is described').waitFor();

  const save = async (name: string) => {
    const [download] = await Promise.all([
      client.waitForEvent('download'),
      client.getByRole('button', { name, exact: true }).click(),
    ]);
    return readFile(await download.path());
  };
  const report = JSON.parse((await save('JSON')).toString());
  expect(report.phases.online.bytesClientToOwner).toBeGreaterThan(1000);
  expect(report.correlations).toBe('two-party');
  expect(Math.abs(Date.now() - Date.parse(report.date))).toBeLessThan(120_000);
  expect(report.version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(report.protocolVersion).toBe(protocolVersion);
  expect(report.browser).toContain('Chrome');
  // Of the public description, which the client has anyway; of the weights there is no digest.
  const tiny = await readFile(path.join(import.meta.dirname, '../vectors/tiny/manifest.json'), 'utf8');
  const description = JSON.stringify(publicManifest(parseManifest(tiny)));
  expect(report.modelDescription).toBe(createHash('sha256').update(description).digest('hex'));
  const lines = (await save('CSV')).toString().split('\r\n');
  expect(lines[0]).toBe(
    'name,protocol,phase,elapsedMs,bytesClientToOwner,bytesOwnerToClient,flights,' +
      'date,version,protocolVersion,browser,model,modelDescription',
  );
  expect(lines).toHaveLength(report.layers.length + 1);
  for (const line of lines.slice(1)) expect(line.endsWith(`"tiny","${report.modelDescription}"`)).toBe(true);
  const picture = await save('Picture');
  expect(picture.subarray(1, 4).toString()).toBe('PNG');
  await writeFile(path.join(screenshotsDir, '15-summary.png'), picture);
});

test('a device that can share shares the picture of the result; where that fails, it is saved', async () => {
  const { invite } = await openRoom(app);
  const client = await app.page();
  await client.addInitScript(() => {
    const shared: string[] = [];
    Object.assign(window, { shared });
    navigator.canShare = () => true;
    navigator.share = async ({ files = [] } = {}) => {
      if (shared.length > 0) throw new DOMException('no app takes it', 'NotAllowedError');
      shared.push(...files.map(({ name, type, size }) => `${name} ${type} ${size > 10_000}`));
    };
  });
  await client.goto(invite);
  await classifySample(client);
  const button = client.getByRole('button', { name: 'Share the picture of it' });
  await button.click();
  const shared = () => client.evaluate(() => (window as unknown as { shared: string[] }).shared);
  await expect.poll(shared).toEqual(['blindsight.png image/png true']);
  const [download] = await Promise.all([client.waitForEvent('download'), button.click()]);
  expect(download.suggestedFilename()).toBe('blindsight.png');
});

test('the meters’ totals are WebRTC’s own, to within the framing that is shown', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await expect
    .poll(() => client.getByTestId('session-state').innerText(), { timeout: 30_000 })
    .toContain('Prepared for the next image');
  // Behind each of some hundred and fifty flights three probes of a byte may follow (protocols/channel/dataChannel.ts).
  const probes = 3 * 150;
  // Statistics are read once a second: after the last message they need one more reading.
  const difference = async () => {
    const traffic = await owner.getByTestId('traffic').evaluate((element) => ({ ...(element as HTMLElement).dataset }));
    const measured = Number(traffic.measuredBytes);
    expect(measured).toBeGreaterThan(100 * probes);
    return Math.abs(Number(traffic.webrtcBytes) - measured) - Number(traffic.framingBytes);
  };
  await expect.poll(difference).toBeLessThanOrEqual(64 + probes);
});

test('cancelling the preparation stops both sides, which can start again', async () => {
  const { owner, invite } = await openRoom(app);
  const client = await app.page();
  // The tiny model is prepared too fast to be cancelled: slow the Worker's first chunks down.
  await client.route('**/protocol.worker-*.js', async (route) => {
    const response = await route.fetch();
    const slow = `{
      const post = self.postMessage.bind(self);
      const send = RTCDataChannel.prototype.send;
      let sent = 0;
      RTCDataChannel.prototype.send = function (chunk) {
        if (++sent <= 6) return send.call(this, chunk);
        setTimeout(() => this.readyState === 'open' && send.call(this, chunk), 8000);
      };
    }`;
    await route.fulfill({ response, body: slow + (await response.text()) });
  });
  await client.goto(invite);
  await client.getByRole('button', { name: 'Cancel the preparation' }).waitFor();
  await shoot(client, '03-preparing');
  await client.getByRole('button', { name: 'Cancel the preparation' }).click();
  await said(client, 'You cancelled').waitFor();
  await shoot(client, '09-cancelled');
  // Its word over the data channel is held up here. Should the goodbye over the server get lost as well, the owner gives up after 30 s.
  await said(owner, /The client (cancelled|has left|did not come back)/).waitFor({ timeout: 45_000 });
  expect(await owner.getByRole('alert').count()).toBe(0);
  await client.unroute('**/protocol.worker-*.js');
  await client.getByRole('button', { name: 'Connect again' }).click();
  await classifySample(client);
});

test('a picture that is chosen after an end waits beside the last answer, until the tabs are connected again', async () => {
  const { owner, client } = await pair(app);
  await classifySample(client);
  await owner.getByRole('button', { name: 'Disconnect the client' }).click();
  await said(client, 'The owner disconnected this tab').waitFor();
  const logits = () => client.getByTestId('result').getAttribute('data-logits');
  const before = await logits();
  await client.getByTestId('sample').nth(1).click();
  await client.getByText('it is classified when you have connected again').waitFor();
  expect(await logits()).toBe(before);
  await client.getByRole('button', { name: 'Check against plaintext' }).waitFor();
  await shoot(client, '09-waits-for-connection');
  await client.getByRole('button', { name: 'Connect again' }).click();
  await expect
    .poll(async () => (await client.getByTestId('result').count()) > 0 && (await logits()) !== before)
    .toBe(true);
  await client.getByText(`the sample is labelled plain ${TINY_SAMPLES[1]}`).waitFor();
});

test('the owner’s limit closes the room after the answer', async () => {
  const { owner, client } = await pair(app);
  await owner.getByLabel('Close the room after').selectOption('1');
  await classifySample(client);
  await owner.getByRole('status').filter({ hasText: 'Your limit is reached' }).waitFor();
  await said(client, 'The owner’s limit is reached').waitFor();
  // The link is dead, so nothing offers it; nor is it said to be mistyped.
  expect(await client.getByRole('button', { name: 'Connect again' }).count()).toBe(0);
  await client.getByRole('button', { name: 'Back to start' }).waitFor();
  expect(await client.getByRole('alert').count()).toBe(0);
  expect(await client.getByTestId('result').count()).toBe(1);
  await owner.getByText('The model has answered once').waitFor();
  // Another picture is refused in words: nothing is promised that will not come, and the answer stays.
  await client.getByTestId('sample').nth(1).click();
  await client.getByText('was not taken').waitFor();
  expect(await client.getByText(/Getting ready|Classified as soon|is next/).count()).toBe(0);
  expect(await client.getByTestId('result').count()).toBe(1);
  // A new room keeps the limit, which the owner has to raise first.
  const tiny = await readFile(path.join(import.meta.dirname, '../vectors/tiny/manifest.json'), 'utf8');
  const bits = answerBits(compilePlan(parseManifest(tiny), 'logits'));
  await owner.getByText(`can have learned ${bits} bits of the weights from these answers`).waitFor();
  expect(await owner.getByRole('button', { name: 'Open a new room' }).isDisabled()).toBe(true);
  await owner.getByLabel('Close the room after').selectOption('5');
  await owner.getByRole('button', { name: 'Open a new room' }).click();
  await owner.getByTestId('invite').waitFor();
});

test('an owner who reveals the label only', async () => {
  const { owner, invite } = await openRoom(app);
  await owner.getByLabel('The next client learns').selectOption('label');
  const client = await app.page();
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  await classifySample(client);
  await client.getByText('The owner reveals the label only').waitFor();
  expect(await client.getByTestId('result').getAttribute('data-logits')).toBe('[]');
  await shoot(client, '12-label-only');
  await client.getByRole('button', { name: 'Check against plaintext' }).click();
  await client.getByText('Same answer in plaintext').waitFor();
});

test('a model that looks at all of a picture, which is not square, and knows things from right to left', async () => {
  const made = makeManifest({ imageSize: 16, imageWidth: 32, patchSize: 4, classes: 4, positional: false });
  const manifest: Manifest = {
    ...made,
    title: 'חיות: מבחן',
    preprocessing: { ...made.preprocessing, fit: 'squash' },
    labels: ['חתול', 'כלב (גדול)', 'ציפור', 'דג'],
  };
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await owner.getByLabel('Files of your model').setInputFiles(ownFiles(manifest));
  const client = await app.page();
  await client.goto(await owner.getByTestId('invite').inputValue());
  await client.getByTestId('file').setInputFiles({
    ...{ name: 'חתול.png', mimeType: 'image/png', buffer: await tinySample('#844') },
  });
  // Nothing of the picture is dark: the model sees all of it. Its corner is as its centre.
  const drawn = client.locator('section.picture canvas');
  const colours = await drawn.nth(0).evaluate((canvas: HTMLCanvasElement) => {
    const context = canvas.getContext('2d')!;
    const at = (x: number, y: number) => [...context.getImageData(x, y, 1, 1).data].join();
    return [at(1, 1), at(canvas.width - 2, 1), at(1, canvas.height - 2), at(canvas.width >> 1, canvas.height >> 1)];
  });
  expect(colours).toEqual(new Array(4).fill('136,68,68,255'));
  const size = (canvas: HTMLCanvasElement) => [canvas.width, canvas.height];
  expect(await drawn.nth(1).evaluate(size)).toEqual([32, 16]);
  await client.getByText('It looks at a thumbnail of 32 × 16 pixels').first().waitFor();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await client.getByTestId('result').waitFor({ timeout: 60_000 });
  for (const page of [client, owner]) {
    const noise = page.getByLabel('The masked image: noise');
    expect(await noise.evaluate(size)).toEqual([32, 16]);
    // The number of bits that the plan gives each of the values.
    const { ringBits } = compilePlan(manifest).input.output!;
    await page.getByText(`modulo 2^${ringBits}`).waitFor();
    await shoot(page, `18-not-square-${page === client ? 'client' : 'owner'}`);
  }
});

test('a picture from the camera', async () => {
  const { client } = await pair(app, { permissions: ['camera'] });
  await client.getByRole('button', { name: 'Camera' }).click();
  await client.getByRole('button', { name: 'Take the picture' }).click();
  await client.getByLabel('The crop that the model classifies').waitFor();
});

test('several pictures, chosen at once, are answered one after the other', async () => {
  const { client } = await pair(app);
  const sources = await client
    .getByTestId('sample')
    .locator('img')
    .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).src));
  const picture = async (source: string, name: string) => ({
    name,
    mimeType: 'image/png',
    buffer: Buffer.from(await (await fetch(source)).arrayBuffer()),
  });
  const broken = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no image') };
  const [first, second] = [await picture(sources[0], 'first.png'), await picture(sources[1], 'second.png')];
  await client.getByTestId('file').setInputFiles([first, broken, second]);
  const queue = client.getByTestId('queue');
  await queue.getByText('0 of 3 pictures answered').waitFor();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await queue.getByText('3 of 3 pictures answered').waitFor({ timeout: 60_000 });
  const lines = await queue.getByRole('listitem').allInnerTexts();
  expect(lines[0]).toMatch(/first\.png\s+(circle|square|stripe|cloud), [<>]? ?[\d.]+ %\s+[\d.]+ m?s, [\d.]+ kB$/);
  expect(lines[1]).toMatch(/notes\.txt\s+\S/);
  expect(lines[2]).toMatch(/second\.png\s+(circle|square|stripe|cloud), /);
  await queue.getByText(/^On average .* in preparation, then /).waitFor();
  // Each was asked by itself: two answers, and as many as the owner counts.
  expect(await client.getByTestId('top-label').innerText()).toBe(/second\.png\s+(\w+),/.exec(lines[2])![1]);
  await shoot(client, '08-queue');
});

test('of those that wait, the rest can be left out', async () => {
  const { client } = await pair(app);
  const source = await client
    .getByTestId('sample')
    .first()
    .locator('img')
    .evaluate((image) => (image as HTMLImageElement).src);
  const buffer = Buffer.from(await (await fetch(source)).arrayBuffer());
  await client
    .getByTestId('file')
    .setInputFiles(['a', 'b', 'c'].map((name) => ({ name: `${name}.png`, mimeType: 'image/png', buffer })));
  await client.getByRole('button', { name: 'Leave out the rest' }).click();
  await client.getByRole('button', { name: 'Classify privately' }).click();
  await client.getByText('1 of 1 pictures answered').waitFor({ timeout: 60_000 });
});

test('models of one data set share a card, and a slider goes from the cheapest to the most accurate', async () => {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  const sliders = owner.getByRole('slider', { name: 'Cheaper, or more accurate?' });
  await sliders.first().waitFor();
  const mostAccurate: (string | null)[] = [];
  for (const slider of await sliders.all()) {
    const card = slider.locator('xpath=ancestor::article');
    const seen: { title: string; accuracy: string; megabytes: number }[] = [];
    const last = Number(await slider.getAttribute('max'));
    await slider.press('Home');
    for (let i = 0; i <= last; i++) {
      const title = await card.getByRole('heading').innerText();
      const accuracy = (await slider.getAttribute('aria-valuetext'))!.split(': ').at(-1)!;
      const price = await card.getByTestId('price').innerText();
      seen.push({ title, accuracy, megabytes: Number(/([\d.]+) MB and/.exec(price)![1]) });
      await slider.press('ArrowRight');
    }
    expect(new Set(seen.map(({ title }) => title)).size).toBe(last + 1);
    const known = seen
      .filter(({ accuracy }) => accuracy !== 'accuracy unknown')
      .map(({ accuracy }) => Number.parseFloat(accuracy));
    expect(known).toEqual(known.toSorted((a, b) => a - b));
    expect(seen[0].megabytes).toBeLessThan(seen[last].megabytes);
    // What is shared is what the slider shows.
    mostAccurate.push(await card.getByRole('button').getAttribute('data-model'));
  }
  expect(mostAccurate).toEqual(['imagenette-exact', 'imagenet1k']);
});

test('the owner’s own model, dropped on the page', async () => {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await modelButton(owner, 'tiny').waitFor();
  await owner.getByText('Recognises 4 things').waitFor();
  // What an answer costs, before one is asked for: seconds and bytes.
  const price = /^About \d+ s in preparation, then about \d+ s.* MB in preparation, .*B and \d+ turns for the answer$/s;
  const card = owner.locator('article', { has: modelButton(owner, 'tiny') });
  expect(await card.getByTestId('price').innerText()).toMatch(price);
  await shoot(owner, '02-models');
  const folder = path.join(import.meta.dirname, '../vectors/tiny');
  const files = await Promise.all(
    ['manifest.json', 'weights.json', 'weights.bin'].map(async (name) => ({
      name,
      base64: (await readFile(path.join(folder, name))).toString('base64'),
    })),
  );
  // Labels need not differ: ImageNet has two cranes.
  const manifest = { ...JSON.parse(atob(files[0].base64)), labels: ['crane', 'crane', 'tench', 'tench'] };
  files[0].base64 = btoa(JSON.stringify(manifest));
  const dropped = await owner.evaluateHandle((list) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of list) {
      transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    }
    return transfer;
  }, files);
  await owner.getByRole('group', { name: 'Your own model' }).dispatchEvent('drop', { dataTransfer: dropped });
  const invite = await owner.getByTestId('invite').inputValue();
  expect(await owner.getByTestId('price').innerText()).toMatch(price);
  await shoot(owner, '02-invite');
  const client = await app.page();
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  await classifySample(client);
  expect(await client.getByTestId('result').getByRole('listitem').count()).toBe(4);
  await shoot(owner, '10-own-model');
});

test('samples in the owner’s own file: its guests are shown them, unless it says otherwise', async () => {
  const owner = await app.page();
  await owner.goto(app.url);
  await owner.getByRole('button', { name: 'Share a model' }).click();
  const file = async (name: string) =>
    new Uint8Array(await readFile(path.join(import.meta.dirname, '../vectors/tiny', name)));
  const manifest = { ...JSON.parse(new TextDecoder().decode(await file('manifest.json'))), name: 'my-own' };
  const [picture, other] = await Promise.all(TINY_SAMPLES.slice(0, 2).map(tinySample));
  // One that is no picture, and one that stands there twice.
  const index = [
    { file: 'page.svg', label: 'script', source: 'a stranger' },
    { file: 'mine.png', label: 'crane', source: 'of a test' },
    { file: 'other.png', label: '<b>tench</b>', source: 'of a test' },
    { file: 'other.png', label: '<b>tench</b>', source: 'of a test' },
  ];
  const bundle = zipSync({
    'manifest.json': strToU8(JSON.stringify(manifest)),
    'weights.json': await file('weights.json'),
    'weights.bin': await file('weights.bin'),
    'samples/page.svg': strToU8('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    'samples/mine.png': new Uint8Array(picture),
    'samples/other.png': new Uint8Array(other),
    'samples/samples.json': strToU8(JSON.stringify(index)),
  });
  const dropped = { name: 'my-own.blindsight', mimeType: '', buffer: Buffer.from(bundle) };
  await owner.getByLabel('Files of your model').setInputFiles(dropped);
  const shown = owner.getByLabel('Show guests the 3 sample pictures that are in your file');
  expect(await shown.isChecked()).toBe(true);
  expect(await violations(owner)).toEqual([]);
  await shoot(owner, '10-own-samples');
  const invite = await owner.getByTestId('invite').inputValue();

  const client = await app.page();
  await client.goto(invite);
  await client.getByText('or try one of the owner’s pictures').waitFor();
  expect(await client.getByTestId('sample').count()).toBe(3);
  expect(await client.getByTitle('<b>tench</b>. of a test').count()).toBe(2);
  await classifySample(client);
  await client.getByText('✗ the sample is labelled crane').waitFor();
  // Their plaintext is not here.
  expect(await client.getByRole('button', { name: 'Check against plaintext' }).count()).toBe(0);
  await shoot(client, '10-owners-samples');
  await client.close();

  await shown.uncheck();
  // A tab that is reloaded has to be given the file again; what its owner decided is kept.
  await owner.reload();
  await owner.getByLabel('Files of your model').setInputFiles(dropped);
  await owner.getByTestId('invite').waitFor();
  expect(await shown.isChecked()).toBe(false);
  const next = await app.page();
  await next.goto(invite);
  await next.getByRole('heading', { name: 'This model knows 4 things' }).waitFor();
  // Longer than the pictures took.
  await next.waitForTimeout(2000);
  expect(await next.getByTestId('sample').count()).toBe(0);
});

test('what the model knows, and how sure it is', async () => {
  const { client } = await pair(app);
  await client.getByRole('heading', { name: 'This model knows 4 things' }).waitFor();
  await client.getByText('Any other picture gets one of these labels too').waitFor();
  await classifySample(client);
  await client.getByTestId('confidence').getByText('was not measured for this model').waitFor();
  await client.getByText('It always picks one of these 4 things').waitFor();
  // The sample's own label is told apart from the answer.
  await client.getByText(`✗ the sample is labelled plain ${TINY_SAMPLES[0]}`).waitFor();
});

test('the meters: sorted, explained by pointer and by keyboard, as a chart', async () => {
  const { client } = await pair(app);
  await classifySample(client);
  const meters = client.getByRole('region', { name: 'Meters' });
  await meters.getByText('The costliest step:').waitFor();
  const firstBytes = () => meters.locator('tbody tr').first().locator('td').first().innerText();
  await meters.getByRole('button', { name: 'To owner' }).click();
  const largest = await firstBytes();
  expect(largest).toMatch(/kB/);
  await meters.getByRole('button', { name: 'To owner' }).click();
  expect(await firstBytes()).toBe('0 B');

  const input = meters.getByRole('button', { name: /^input/ });
  await input.hover();
  await meters.getByText('The client sends the image minus its random share').waitFor();
  await input.focus();
  await client.mouse.move(0, 0);
  await meters.getByText('The client sends the image minus its random share').waitFor();
  await client.keyboard.press('ArrowDown');
  await meters.getByText('The client sends the image minus its random share').waitFor({ state: 'detached' });

  const chart = meters.getByRole('img');
  expect(await chart.getAttribute('aria-label')).toMatch(/^Bytes of \d+ steps; the largest is /);
  expect(await chart.locator('canvas').count()).toBe(1);
  await meters.getByRole('button', { name: 'Time' }).first().click();
  await expect.poll(() => chart.getAttribute('aria-label')).toMatch(/^Time of \d+ steps/);
});

test('the server restarts: connected tabs go on, and the room is there again', async () => {
  const { owner, client, invite } = await pair(app);
  await app.restartServer();
  await classifySample(client);
  await expect.poll(() => owner.locator('dd').first().innerText(), { timeout: 20_000 }).toBe('connected');
  await client.close();
  const next = await app.page();
  await expect
    .poll(
      async () => {
        await next.goto('about:blank');
        await next.goto(invite);
        return next
          .getByTestId('sample')
          .first()
          .waitFor({ timeout: 8000 })
          .then(
            () => true,
            () => false,
          );
      },
      { timeout: 60_000 },
    )
    .toBe(true);
});
