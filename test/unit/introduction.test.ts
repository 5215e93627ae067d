/** A client without a screen meets the owner as a tab that opens the same link would. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { iceNotice } from '../../client/src/session/notices.ts';
import { signalingServer } from '../../client/src/session/settings.ts';
import { introductionOf } from '../../scripts/lib/introduction.ts';

const invite = `${'A'.repeat(22)}.${'A'.repeat(43)}`;
const closers: (() => unknown)[] = [];
afterEach(() => closers.splice(0).forEach((close) => void close()));

/** A page with these files beside it, in a folder of its host. */
async function page(files: Record<string, unknown>): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    const file = files[url.replace('/app/', '')];
    response.writeHead(file === undefined ? 404 : 200).end(JSON.stringify(file ?? 'none'));
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/app/`;
}

test('a page that says nothing: its own server, and nobody else', async () => {
  const address = await page({});
  const server = new URL('/', address).href;
  expect(await introductionOf(`${address}#${invite}`)).toEqual({ server, iceServers: [] });
});

test('what the page says, and what the link says before it', async () => {
  const stun = [{ urls: 'stun:s.example' }];
  const address = await page({ 'settings.json': { signaling: 'https://m.example' }, 'ice.json': stun });
  expect(await introductionOf(`${address}#${invite}`)).toEqual({ server: 'https://m.example', iceServers: stun });
  const link = `${address}?signaling=https://n.example#${invite}&ice=stun:t.example`;
  const server = 'https://n.example';
  expect(await introductionOf(link, 'use')).toEqual({ server, iceServers: [{ urls: 'stun:t.example' }] });
  expect(await introductionOf(link, 'ignore')).toEqual({ server, iceServers: stun });
});

test('servers that a link brings are not used without a yes, nor is anybody asked before it', async () => {
  const link = `http://127.0.0.1:9/#${invite}&ice=stun:t.example`;
  await expect(introductionOf(link)).rejects.toThrow('the link names stun:t.example, which would learn');
});

test('an address that has moved, as a tab follows it; and a host that takes the connection and says nothing', async () => {
  const address = await page({});
  const moved = createServer((_, response) => response.writeHead(301, { location: address }).end());
  const silent = createServer(() => {});
  for (const server of [moved, silent]) {
    closers.push(
      () => server.close(),
      () => server.closeAllConnections(),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
  const at = (server: typeof moved) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect((await introductionOf(`${at(moved)}#${invite}`)).server).toBe(new URL('/', address).href);
  await expect(introductionOf(`${at(silent)}#${invite}`)).rejects.toThrow('does not answer');
}, 30_000);

test('what stands in the way is said', async () => {
  const byText = await page({ 'settings.json': { signaling: null } });
  await expect(introductionOf(`${byText}#${invite}`)).rejects.toThrow('which takes a browser');
  const withPath = 'https://n.example/path/';
  const settings = await page({ 'settings.json': { signaling: withPath } });
  for (const link of [`${byText}?signaling=${withPath}#${invite}`, `${settings}#${invite}`])
    await expect(introductionOf(link)).rejects.toThrow(`without a path, such as https://example.org, got ${withPath}`);
  await expect(introductionOf(`http://127.0.0.1:9/#${invite}`)).rejects.toThrow('http://127.0.0.1:9/: does not answer');
  await expect(introductionOf(`${await page({})}#${invite}&ice=nonsense`)).rejects.toThrow('servers that are none');
});

test('a page says what is wrong with its settings, and not that nobody answers', async () => {
  const broken = await page({ 'settings.json': { signaling: 'https://m.example/path' } });
  for (const [search, address] of [
    ['?signaling=https://m.example/path', undefined],
    ['', broken],
  ] as const) {
    const problem = await signalingServer(search, address).catch((error: unknown) => error);
    const { title, text } = iceNotice(problem);
    expect(title).toBe('The signaling server cannot be used.');
    expect(text).toContain('without a path');
  }
});
