/** Pairing by a typed code, and pairs that lose each other and meet again. */
import type { Page } from 'playwright-core';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, test, vi } from 'vitest';
import { parseInvite } from '../../client/src/pairing/invite.ts';
import {
  alert,
  classifyHalf,
  classifySample,
  openRoom,
  pair,
  said,
  sentToServer,
  stallClassification,
} from './support/pair.ts';
import { useApp } from './support/useApp.ts';

// Losses are noticed, and repaired, by the clock.
vi.setConfig({ testTimeout: 180_000 });

const app = useApp();

const state = (page: Page, of: 'peer-state' | 'signaling-state') => page.getByTestId(of).getAttribute('data-state');
const becomes = (page: Page, of: 'peer-state' | 'signaling-state', expected: string) =>
  expect.poll(() => state(page, of), { timeout: 60_000 }).toBe(expected);
const codeOf = (owner: Page) => owner.getByTestId('code').innerText();

async function typeCode(client: Page, code: string): Promise<void> {
  await client.getByLabel('Invite link or code').fill(code);
  await client.getByRole('button', { name: 'Open' }).click();
}

/** The code with its last letter changed. */
const mistyped = (code: string) => code.slice(0, -1) + (code.endsWith('7') ? '8' : '7');

describe('a typed code', () => {
  test('typed, it pairs the tabs; after a reload they meet again without it', async () => {
    let sentByOwner: string[] = [];
    const { owner } = await openRoom(app, undefined, (page) => {
      sentByOwner = sentToServer(page);
    });
    const code = await codeOf(owner);
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
    const client = await app.page();
    const sentByClient = sentToServer(client);
    await client.goto(app.url);
    await typeCode(client, code.toLowerCase().replace('-', ' '));
    await client.getByTestId('sample').first().waitFor();
    expect(await owner.getByTestId('short-code').innerText()).toBe(await client.getByTestId('short-code').innerText());
    await classifySample(client);

    // The server saw the first half of the code; neither the second half nor the secret that came of it.
    const secret = client.url().split('.').at(-1)!;
    expect(secret).toHaveLength(43);
    expect(sentByClient.some((text) => text.includes(code.slice(0, 4)))).toBe(true);
    expect(sentByOwner.some((text) => text.includes('code-answer'))).toBe(true);
    const sent = [...sentByOwner, ...sentByClient];
    // As a word, or after the first half: four letters by themselves stand somewhere in random base64, once in a thousand runs.
    const half = new RegExp(`(?<![\\w+/=-])${code.slice(5)}(?![\\w+/=-])|${code.slice(0, 4)}-?${code.slice(5)}`, 'i');
    expect(half.test(`"${code}"`) && half.test(`{"half":"${code.slice(5)}"}`)).toBe(true);
    expect(sent.filter((text) => half.test(text) || text.includes(secret))).toEqual([]);

    await client.reload();
    await client.getByTestId('sample').first().waitFor();
    await classifySample(client);
    await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('2');
  });

  test('works once, and its secret is not the link’s', async () => {
    const { owner, invite } = await openRoom(app);
    const code = await codeOf(owner);
    const first = await app.page();
    await first.goto(app.url);
    await typeCode(first, code);
    await first.getByTestId('sample').first().waitFor();
    expect(first.url().split('.').at(-1)).not.toBe(invite.split('.').at(-1));
    await first.getByRole('button', { name: 'Leave' }).click();
    await expect.poll(() => codeOf(owner)).not.toBe(code);
    const second = await app.page();
    await second.goto(app.url);
    await typeCode(second, code);
    await second.getByText('There is no room with this code').waitFor();
    await second.goto(invite);
    await second.getByTestId('sample').first().waitFor();
  });

  test('mistyped, it says so on both sides, and the right one still works', async () => {
    const { owner } = await openRoom(app);
    const code = await codeOf(owner);
    const client = await app.page();
    await client.goto(app.url);
    await typeCode(client, 'K7Q2');
    await client.getByText('neither a link nor a code').waitFor();
    await typeCode(client, mistyped(code));
    await client.getByText('That code does not fit: check it with the other person. 2 tries left.').waitFor();
    await owner.getByText('A wrong code was typed: 2 tries left.').waitFor();
    expect(await codeOf(owner)).toBe(code);
    await typeCode(client, code);
    await client.getByTestId('sample').first().waitFor();
  });

  test('after three wrong tries there is another, after nine none until the owner asks', async () => {
    const { owner } = await openRoom(app);
    const client = await app.page();
    await client.goto(app.url);
    for (let round = 1; round <= 3; round++) {
      const code = await codeOf(owner);
      for (const left of ['2 tries left', '1 try left', 'That was the last try']) {
        await typeCode(client, mistyped(code));
        await client.getByText(left).waitFor();
        await client.getByLabel('Invite link or code').fill('');
      }
      if (round === 3) break;
      await owner.getByText('A wrong code was typed three times.').waitFor();
      expect(await codeOf(owner)).not.toBe(code);
    }
    await owner.getByText('Somebody may be guessing').waitFor();
    expect(await owner.getByTestId('code').count()).toBe(0);
    await owner.getByRole('button', { name: 'Make a code' }).click();
    await typeCode(client, await codeOf(owner));
    await client.getByTestId('sample').first().waitFor();
  });
});

describe('coming back', () => {
  test('the client reloads in mid-run: the pair goes on with the same link', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    await stallClassification(client);
    await client.goto(invite);
    await classifyHalf(owner, client);
    await client.reload();
    await client.getByTestId('sample').first().waitFor();
    expect(await owner.getByTestId('served').innerText()).toBe('0');
    await classifySample(client);
    await expect.poll(() => owner.getByTestId('served').innerText()).toBe('1');
    expect(await owner.getByRole('alert').count()).toBe(0);
  });

  test('the owner reloads: the same link, the same limit, and the client connects by itself', async () => {
    const { owner, client, invite } = await pair(app);
    await classifySample(client);
    await owner.getByLabel('Close the room after').selectOption('5');
    await owner.reload();
    await becomes(client, 'peer-state', 'reconnecting');
    await becomes(client, 'peer-state', 'connected');
    await becomes(owner, 'peer-state', 'connected');
    expect(await client.getByRole('alert').count()).toBe(0);
    await client.getByTestId('sample').nth(1).click();
    await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('2');
    expect(await owner.getByLabel('Close the room after').inputValue()).toBe('5');
    await client.getByRole('button', { name: 'Leave' }).click();
    expect(await owner.getByTestId('invite').inputValue()).toBe(invite);
    // Leaving ends it: a reload then starts anew.
    await owner.getByRole('button', { name: 'Leave' }).click();
    await owner.reload();
    await owner.getByRole('button', { name: 'Share a model' }).waitFor();
  });

  test('the connection breaks in mid-run while both tabs live: they make another, and the image is classified', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    // Keeps every connection, so that the test can break it.
    await client.addInitScript(() => {
      const all: RTCPeerConnection[] = [];
      Object.assign(window, { connections: all });
      window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          all.push(this);
        }
      };
    });
    await stallClassification(client);
    await client.goto(invite);
    await classifyHalf(owner, client);
    await client.evaluate(() => {
      for (const connection of (window as unknown as { connections: RTCPeerConnection[] }).connections)
        connection.close();
    });
    expect(await client.getByTestId('result').count()).toBe(0);
    await becomes(client, 'peer-state', 'reconnecting');
    await client.getByTestId('result').waitFor({ timeout: 40_000 });
    await becomes(owner, 'peer-state', 'connected');
    await expect.poll(() => owner.getByTestId('served').innerText()).toBe('1');
    expect(await client.getByRole('alert').count()).toBe(0);
    expect(await owner.getByRole('alert').count()).toBe(0);
    expect(await client.getByTestId('short-code').innerText()).toBe(await owner.getByTestId('short-code').innerText());
  });

  test('reconnecting can be cancelled', async () => {
    const { owner, client } = await pair(app);
    await owner.close();
    await client.getByText(/reconnecting, try 1 of 6/).waitFor();
    await client.getByRole('button', { name: 'Cancel', exact: true }).click();
    await client.getByText('You stopped reconnecting').waitFor();
    expect(await state(client, 'peer-state')).toBe('closed');
    await client.getByRole('button', { name: 'Connect again' }).click();
    await alert(client, 'The owner is gone').waitFor();
  });

  test('a client that the owner disconnects does not come back by itself', async () => {
    const { owner, client } = await pair(app);
    await owner.getByRole('button', { name: 'Disconnect the client' }).click();
    await said(client, 'The owner disconnected this tab').waitFor();
    await owner.getByTestId('invite').waitFor();
    await client.waitForTimeout(2500);
    expect(await state(owner, 'peer-state')).toBe('closed');
    await client.getByRole('button', { name: 'Connect again' }).click();
    await becomes(owner, 'peer-state', 'connected');
  });
});

describe('the server goes away', () => {
  test('a pair goes on without it, and nobody takes the client’s place when it is back', async () => {
    const { owner, client, invite } = await pair(app);
    const startServer = await app.stopServer();
    await becomes(client, 'signaling-state', 'offline');
    await becomes(owner, 'signaling-state', 'offline');
    expect(await state(client, 'peer-state')).toBe('connected');
    await client.getByTestId('sample').first().waitFor();
    await startServer();
    await becomes(client, 'signaling-state', 'connected');
    await becomes(owner, 'signaling-state', 'connected');
    const third = await app.page();
    await expect
      .poll(
        async () => {
          await third.goto('about:blank');
          await third.goto(invite);
          return third.getByRole('alert').first().innerText({ timeout: 8000 });
        },
        { timeout: 40_000 },
      )
      .toContain('This room is full');
    expect(await state(client, 'peer-state')).toBe('connected');
    await classifySample(client);
    await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('1');
  });

  test('who says to be the client, and is not, is sent out and ends nothing', async () => {
    const { owner, invite } = await openRoom(app);
    const client = await app.page();
    let isHeldBack = false;
    await client.routeWebSocket(/socket\.io/, (socket) => {
      if (isHeldBack) void socket.close();
      else socket.connectToServer();
    });
    await client.goto(invite);
    await client.getByTestId('sample').first().waitFor();
    const startServer = await app.stopServer();
    isHeldBack = true;
    await startServer();
    await becomes(owner, 'signaling-state', 'connected');

    // Its place is free now; this one has the invite, and not the connection.
    const stranger: Socket = io(app.url, { transports: ['websocket'], forceNew: true });
    const code = parseInvite(invite)!.code;
    const join = () => stranger.emitWithAck('join', code, { keyId: '0'.repeat(16), linkTag: '0'.repeat(64) });
    try {
      const sentOut = new Promise((resolve) => stranger.once('peerLeft', resolve));
      await expect.poll(join, { timeout: 20_000 }).toEqual({ ok: true }); // the owner may still be opening the room again
      expect(await sentOut).toBe('lost');
      void join();
      await stranger.emitWithAck('leave', 'closed'); // for itself, before the owner can send it out
    } finally {
      stranger.close();
    }
    isHeldBack = false;
    await becomes(client, 'signaling-state', 'connected');
    expect(await state(owner, 'peer-state')).toBe('connected');
    await classifySample(client);
    await expect.poll(() => owner.getByTestId('served').innerText(), { timeout: 20_000 }).toBe('1');
  });

  test('a run that is going on ends as if nothing had happened', async () => {
    const { owner, client } = await pair(app);
    await client.getByTestId('sample').first().click();
    await client.getByRole('button', { name: 'Classify privately' }).waitFor();
    const startServer = await app.stopServer();
    await client.getByRole('button', { name: 'Classify privately' }).click();
    await client.getByTestId('result').waitFor();
    await startServer();
    await becomes(owner, 'signaling-state', 'connected');
    expect(await owner.getByTestId('code').count()).toBe(0); // the invite is not shown to a pair
    expect(await state(owner, 'peer-state')).toBe('connected');
  });
});

test('the line is measured, and the online time predicted before the image and compared after it', async () => {
  const { client } = await pair(app);
  await expect.poll(() => client.getByTestId('peer-state').innerText()).toContain('direct');
  await expect.poll(() => client.getByTestId('round-trip').innerText(), { timeout: 10_000 }).toMatch(/^[\d.]+ ms$/);
  await expect
    .poll(() => client.getByTestId('throughput').innerText(), { timeout: 10_000 })
    .toMatch(/[\d.]+ .?B\/s.*[\d.]+ .?B\/s/s);
  await client.getByText(/The answer will take about [\d.]+ m?s on this connection/).waitFor();
  await classifySample(client);
  await client.getByText(/The answer took [\d.]+ m?s, predicted [\d.]+ m?s/).waitFor();
});

test('servers in a link are shown, and used only after a yes; the invite carries them on in its fragment', async () => {
  const owner = await app.page();
  const requests: string[] = [];
  owner.on('request', (request) => requests.push(request.url()));
  await owner.goto(`${app.url}#ice=stun:127.0.0.1:9`);
  expect(await owner.getByTestId('ice-server').allInnerTexts()).toEqual(['stun:127.0.0.1:9']);
  await owner.getByRole('button', { name: 'Use these servers' }).click();
  await owner.getByRole('button', { name: 'Share a model' }).click();
  await owner.locator('button[data-model="tiny"]').click();
  const invite = await owner.getByTestId('invite').inputValue();
  expect(invite).toMatch(/#[\w-]{22}\.[\w-]{43}&ice=stun%3A127\.0\.0\.1%3A9$/);
  const client = await app.page();
  await client.goto(invite);
  expect(await client.getByTestId('sample').count()).toBe(0);
  await client.getByRole('button', { name: 'Go on without them' }).click();
  await client.getByTestId('sample').first().waitFor();
  expect(client.url()).not.toContain('ice');
  expect(requests.filter((url) => url.includes('127.0.0.1:9') || url.includes('ice='))).toEqual([]);
});

test('a link that names a server twice is read as any other', async () => {
  const page = await app.page();
  await page.goto(`${app.url}#ice=stun:127.0.0.1:9&ice=stun:127.0.0.1:9`);
  expect(await page.getByTestId('ice-server').allInnerTexts()).toEqual(new Array(2).fill('stun:127.0.0.1:9'));
  await page.getByRole('button', { name: 'Go on without them' }).click();
  await page.getByRole('button', { name: 'Share a model' }).waitFor();
});
