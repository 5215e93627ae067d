import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { TINY_SAMPLES } from '../support/tinySamples.ts';
import {
  alert,
  classifyHalf,
  classifyNext,
  classifySample,
  modelButton,
  openRoom,
  pair,
  said,
  stallClassification,
} from './support/pair.ts';
import { shoot } from './support/shoot.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

describe('images', () => {
  test('a file that is no image, then a huge one, then one that is fine', async () => {
    const { client } = await pair(app);
    const file = client.getByTestId('file');

    await file.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no image') });
    await alert(client, '“notes.txt” is not a picture that can be read here').waitFor();
    await shoot(client, '06-wrong-file');

    const broken = (
      await sharp({ create: { width: 40, height: 40, channels: 3, background: 'red' } })
        .png()
        .toBuffer()
    ).subarray(0, 60);
    await file.setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: broken });
    await alert(client, '“broken.png” is damaged or cut off').waitFor();

    // 12,000 × 9,000 = 108 megapixels: refused by its header, without decoding.
    const huge = await sharp({ create: { width: 12_000, height: 9000, channels: 3, background: 'blue' } })
      .png({ compressionLevel: 1 })
      .toBuffer();
    await file.setInputFiles({ name: 'huge.png', mimeType: 'image/png', buffer: huge });
    await alert(client, 'too large (12,000 × 9,000 pixels)').waitFor();

    // 12,000 pixels wide and not too many of them: used.
    const wide = await sharp({ create: { width: 12_000, height: 2000, channels: 3, background: 'green' } })
      .jpeg()
      .toBuffer();
    await file.setInputFiles({ name: 'wide.jpg', mimeType: 'image/jpeg', buffer: wide });
    await client.getByText('12000 × 2000').waitFor();
    expect(await client.getByRole('alert').filter({ hasText: 'too large' }).count()).toBe(0);
    await client.getByRole('button', { name: 'Classify privately' }).click();
    await client.getByTestId('result').waitFor();
  });

  test('a picture that is chosen while the one before is asked for: the answer belongs to what is shown', async () => {
    const { invite } = await openRoom(app);
    const client = await app.page();
    const isDelayed = { value: false };
    await client.route('**/samples/sample1.png', async (route) => {
      if (isDelayed.value) await new Promise((resolve) => setTimeout(resolve, 4000));
      await route.continue();
    });
    await client.goto(invite);
    const logits = async () =>
      JSON.parse((await client.getByTestId('result').getAttribute('data-logits'))!) as number[];
    await client.getByTestId('sample').first().click();
    await client.getByTestId('prediction').waitFor();
    isDelayed.value = true;
    await client.getByTestId('sample').nth(1).click();
    await client.getByRole('button', { name: 'Classify privately' }).click();
    await client.getByTestId('result').waitFor();
    await client.getByText(`the sample is labelled plain ${TINY_SAMPLES[1]}`).waitFor();
    const first = await logits();
    isDelayed.value = false;
    for (const i of [0, 1]) {
      await classifyNext(client, i);
      const distance = Math.max(...(await logits()).map((logit, j) => Math.abs(logit - first[j])));
      if (i === 1) expect(distance).toBeLessThan(0.1);
      else expect(distance).toBeGreaterThan(0.1);
    }
  });
});

describe('the server', () => {
  test('is away when somebody connects again, or opens a room again: both are told, and can when it is back', async () => {
    const { owner, client } = await pair(app);
    await owner.getByRole('button', { name: 'Disconnect the client' }).click();
    await said(client, 'The owner disconnected this tab').waitFor();
    await owner.getByRole('button', { name: 'Close the room' }).click();
    const startServer = await app.stopServer();
    await client.getByRole('button', { name: 'Connect again' }).click();
    await owner.getByRole('button', { name: 'Open a new room' }).click();
    for (const page of [client, owner]) await alert(page, 'The signaling server does not answer').waitFor();
    await startServer();
    await client.getByRole('button', { name: 'Connect again' }).click();
    await alert(client, 'The owner is gone').waitFor();
    await owner.getByRole('button', { name: 'Open a room' }).click();
    await owner.getByTestId('invite').waitFor();
  });

  test('a TURN server without a password is refused in words', async () => {
    const owner = await app.page();
    await owner.goto(`${app.url}#ice=turn:turn.example.org`);
    await owner.getByRole('button', { name: 'Use these servers' }).click();
    await owner.getByRole('button', { name: 'Share a model' }).click();
    await modelButton(owner, 'tiny').click();
    await alert(owner, 'The STUN and TURN servers cannot be used').waitFor();
  });

  test('a room that is closed while it is being opened stays closed', async () => {
    const owner = await app.page();
    const servers = await holdBack(owner, '**/ice.json');
    await owner.goto(app.url);
    await owner.getByRole('button', { name: 'Share a model' }).click();
    await modelButton(owner, 'tiny').click();
    await servers.asked;
    await owner.getByRole('button', { name: 'Close the room' }).click();
    servers.release();
    await owner.waitForTimeout(2000);
    expect(await owner.getByTestId('invite').count()).toBe(0);
    expect(await owner.evaluate(() => sessionStorage.length)).toBe(0);
    await owner.getByRole('button', { name: 'Open a new room' }).click();
    await owner.getByTestId('invite').waitFor();
  });

  test('what an owner chose is kept at once: a tab that crashes says no goodbye', async () => {
    const { owner } = await openRoom(app);
    await owner.getByLabel('Close the room after').selectOption('5');
    await owner.getByLabel('The next client learns').selectOption('label');
    const saved = await owner.evaluate(() => sessionStorage.getItem('blindsight room'));
    expect(JSON.parse(saved!)).toMatchObject({ limit: 5, answer: 'label' });
  });

  test('leaving while a model loads leaves no room and no second tab behind', async () => {
    const owner = await app.page();
    const weights = await holdBack(owner, '**/weights.bin');
    await owner.goto(app.url);
    await owner.getByRole('button', { name: 'Try it alone' }).click();
    await weights.asked;
    await owner.getByRole('button', { name: 'In two tabs' }).click();
    await owner.getByRole('heading', { name: 'Fetching a model' }).waitFor();
    await owner.getByRole('button', { name: 'Leave' }).click();
    weights.release();
    await owner.waitForTimeout(3000);
    expect(owner.context().pages()).toEqual([owner]);
    expect(await owner.evaluate(() => sessionStorage.length)).toBe(0);
    await owner.getByRole('button', { name: 'Try it alone' }).waitFor();
  });

  test('an owner who reloads twice keeps the room', async () => {
    const { owner, invite } = await openRoom(app);
    await owner.getByLabel('Close the room after').selectOption('5');
    const weights = await holdBack(owner, '**/weights.bin');
    await owner.reload();
    await weights.asked;
    await owner.reload();
    weights.release();
    await expect.poll(() => owner.getByTestId('invite').inputValue(), { timeout: 20_000 }).toBe(invite);
    expect(await owner.getByLabel('Close the room after').inputValue()).toBe('5');
  });
});

/** Answers to `url` wait until they are released; `asked` resolves with the first request. */
async function holdBack(page: Page, url: string): Promise<{ asked: Promise<void>; release(): void }> {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let onAsked = () => {};
  const asked = new Promise<void>((resolve) => {
    onAsked = resolve;
  });
  await page.route(url, async (route) => {
    onAsked();
    await released;
    await route.continue().catch(() => {}); // the page that asked may be gone
  });
  return { asked, release };
}

describe('rooms', () => {
  test('a full room', async () => {
    const { owner, invite } = await pair(app);
    const third = await app.page();
    await third.goto(invite);
    await alert(third, 'This room is full').waitFor();
    await shoot(third, '07-full-room');
    expect(await owner.getByTestId('peer-state').getAttribute('data-state')).toBe('connected');
  });

  test('a mistyped code, a cut link, and the start again from there', async () => {
    const { invite } = await openRoom(app);
    const client = await app.page();
    const [base, fragment] = invite.split('#') as [string, string];
    const first = fragment[0] === 'A' ? 'B' : 'A';
    await client.goto(`${base}#${first}${fragment.slice(1)}`);
    await alert(client, 'There is no room with this code').waitFor();

    await client.getByRole('button', { name: 'Back to start' }).click();
    await client.getByLabel('Invite link').fill(invite.slice(0, -5));
    await client.getByRole('button', { name: 'Open' }).click();
    await client.getByText('not a whole invite link').waitFor();

    await client.getByLabel('Invite link').fill(invite);
    await client.getByRole('button', { name: 'Open' }).click();
    await client.getByTestId('sample').first().waitFor();
  });

  test('a wrong secret: both sides stop, and say so', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    const at = invite.indexOf('.') + 3;
    await client.goto(invite.slice(0, at) + (invite[at] === 'A' ? 'B' : 'A') + invite.slice(at + 1));
    await alert(client, 'could not be verified').waitFor();
    await alert(owner, 'could not be verified').waitFor();
    expect(await client.getByTestId('sample').count()).toBe(0);
  });
});

describe('the other side', () => {
  test('the client closes its tab in mid-protocol; another takes the same link', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    await stallClassification(client);
    await client.goto(invite);
    await classifyHalf(owner, client);
    await client.close();
    await owner.getByText('gone, may come back').waitFor();
    await shoot(owner, '08-client-gone');

    const next = await app.page();
    await next.goto(invite);
    await next.getByTestId('sample').first().waitFor();
    await classifySample(next);
    expect(await owner.getByText(/did not come back|may come back/).count()).toBe(0);
  });

  test('the owner closes its tab', { timeout: 180_000 }, async () => {
    const { owner, client } = await pair(app);
    await classifySample(client);
    await owner.close();
    // It might be reloading: the client tries for a while.
    await client.getByText(/reconnecting, try \d of 6/).waitFor();
    await alert(client, 'Its tab was closed, or the network failed').waitFor({ timeout: 60_000 });
    await client.getByTestId('peer-state').filter({ hasText: 'lost' }).waitFor();
    await shoot(client, '08-owner-gone');
    // The link worked before, so it is not mistyped.
    await client.getByRole('button', { name: 'Connect again' }).click();
    await alert(client, 'The owner is gone').waitFor();
  });

  test('the client leaves and comes back without a reload', async () => {
    const { owner, client, invite } = await pair(app);
    await client.getByRole('button', { name: 'Leave' }).click();
    await said(owner, 'The client has left').waitFor();
    expect(await owner.getByRole('alert').count()).toBe(0);
    await client.getByLabel('Invite link').fill(invite);
    await client.getByRole('button', { name: 'Open' }).click();
    await client.getByTestId('sample').first().waitFor();
    await classifySample(client);
  });

  test('an altered message stops the session on both sides, which can start again', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    // Flips one bit of the 12th chunk that the client's Worker sends.
    const tamper = `{
      let chunks = 0;
      const send = RTCDataChannel.prototype.send;
      RTCDataChannel.prototype.send = function (chunk) {
        if (++chunks === 12) { chunk = chunk.slice(); chunk[chunk.length - 1] ^= 1; }
        return send.call(this, chunk);
      };
    }`;
    await client.route('**/protocol.worker-*.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: tamper + (await response.text()) });
    });
    await client.goto(invite); // the preparation alone has more chunks than that
    await alert(owner, 'A message was altered').waitFor();
    await alert(owner, 'checksum').waitFor();
    await alert(client, 'The owner ended the session').waitFor();
    await alert(client, 'checksum').waitFor();

    await client.unroute('**/protocol.worker-*.js');
    await client.getByRole('button', { name: 'Connect again' }).click();
    await expect
      .poll(() => owner.getByTestId('peer-state').getAttribute('data-state'), { timeout: 15_000 })
      .toBe('connected');
    expect(await owner.getByRole('alert').filter({ hasText: 'altered' }).count()).toBe(0);
  });
});

describe('the owner’s own model', () => {
  test('a missing file, a broken manifest', async () => {
    const owner = await app.page();
    await owner.goto(app.url);
    await owner.getByRole('button', { name: 'Share a model' }).click();
    const files = owner.getByLabel('Files of your model');
    const json = (name: string, text: string) => ({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
    await files.setInputFiles([json('manifest.json', '{}')]);
    await alert(owner, 'A file is missing').waitFor();
    await files.setInputFiles([json('manifest.json', '{}'), json('weights.json', '{}'), json('weights.bin', '')]);
    await alert(owner, 'This model cannot be used').waitFor();
    await shoot(owner, '10-broken-model');
  });
});

test.each([
  ['WebRTC', () => Reflect.deleteProperty(window, 'RTCPeerConnection')],
  ['Web Workers', () => Reflect.deleteProperty(window, 'Worker')],
  [
    'WebAssembly with SIMD',
    () => {
      WebAssembly.validate = () => false;
    },
  ],
])('a browser without %s is told so', async (feature, remove) => {
  const page = await app.page();
  await page.addInitScript(remove);
  await page.goto(app.url);
  await page.getByText('This browser cannot run Blindsight').waitFor();
  expect(await page.getByRole('listitem').allInnerTexts()).toEqual([expect.stringContaining(feature)]);
  if (feature === 'WebRTC') await shoot(page, '11-unsupported');
});
