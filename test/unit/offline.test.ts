/** The static page's service worker, run with caches and a network of the test's. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { versionOf } from '../../scripts/build-static.ts';

const scope = 'https://example.org/some/path/';
const at = (name: string) => new URL(name, scope).href;

afterEach(() => vi.unstubAllGlobals());

/** Of a browser: what is kept in it, and whether it lets more be kept, or anything be read. */
class FakeCaches {
  readonly kept = new Map<string, Map<string, { body: string; status: number }>>();
  isFull = false;
  isBroken = false;

  async open(name: string) {
    if (this.isBroken) throw new DOMException('no storage', 'SecurityError');
    const entries = this.kept.get(name) ?? new Map<string, { body: string; status: number }>();
    this.kept.set(name, entries);
    const url = (request: Request | string) => (typeof request === 'string' ? at(request) : request.url);
    const put = async (request: Request | string, response: Response) => {
      if (this.isFull) throw new DOMException('no room', 'QuotaExceededError');
      entries.set(url(request), { body: await response.text(), status: response.status });
    };
    return {
      put,
      addAll: async (requests: (Request | string)[]) => {
        for (const each of requests) await put(each, await fetch(typeof each === 'string' ? at(each) : each));
      },
      match: async (request: Request | string) => {
        const entry = entries.get(url(request));
        return entry && new Response(entry.body, { status: entry.status });
      },
      keys: async () => [...entries.keys()].map((each) => new Request(each)),
      delete: async (request: Request | string) => entries.delete(url(request)),
    };
  }
  keys = async () => [...this.kept.keys()];
  delete = async (name: string) => this.kept.delete(name);
}

/** A server, its files by their names below the page's folder, and before it what the browser itself keeps for some minutes. */
class FakeServer {
  isAway = false;
  /** Awaited before an answer. */
  delay: (name: string) => Promise<void> | undefined = () => undefined;
  readonly #recent = new Map<string, string>();
  constructor(
    readonly files: Record<string, string>,
    readonly hasMaxAge = false,
  ) {}
  fetch = async (asked: Request | string, init?: RequestInit): Promise<Response> => {
    const request = new Request(asked, init);
    const name = request.url.slice(scope.length).split('#')[0];
    const recent = request.cache === 'default' ? this.#recent.get(name) : undefined;
    if (recent !== undefined) return new Response(recent);
    if (this.isAway) throw new TypeError('Failed to fetch');
    const body = this.files[name];
    await this.delay(name);
    if (body !== undefined && this.hasMaxAge) this.#recent.set(name, body);
    return body === undefined ? new Response('', { status: 404 }) : new Response(body);
  };
}

const site = (hasMaxAge?: boolean) =>
  new FakeServer(
    {
      ...{ '': 'page 1', 'app.js': 'app 1', 'settings.json': 'settings 1', 'ice.json': 'ice 1' },
      ...{ 'models/index.json': 'index 1', 'models/a/manifest.json': 'a 1', 'models/a/weights.bin': 'weights of a 1' },
      ...{
        'models/a/samples/1.jpg': 'sample 1',
        'models/b/manifest.json': 'b 1',
        'models/b/weights.bin': 'weights of b 1',
      },
    },
    hasMaxAge,
  );
const first = ['./', './app.js', './settings.json', './ice.json'];

/** Starts the worker, as a browser does at the first visit, or for a new version. */
async function start(server: FakeServer, caches: FakeCaches, version = 'one') {
  type Listener = (event: Record<string, unknown>) => void;
  const listeners: Record<string, Listener> = {};
  vi.stubGlobal('self', {
    addEventListener: (type: string, listener: Listener) => (listeners[type] = listener),
    ...{ clients: { claim: async () => {} }, location: new URL(scope), registration: { scope } },
  });
  vi.stubGlobal('caches', caches);
  vi.stubGlobal('fetch', server.fetch);
  vi.stubGlobal('version', version);
  vi.stubGlobal('files', first);
  vi.resetModules();
  await import('../../client/offline.ts');

  const dispatch = async (type: string, event: Record<string, unknown> = {}) => {
    const lasting: Promise<unknown>[] = [];
    let answered: Promise<Response> | undefined;
    listeners[type]({
      ...event,
      waitUntil: (promise: Promise<unknown>) => lasting.push(promise),
      respondWith: (promise: Promise<Response>) => (answered = promise),
    });
    return { answered, lasting };
  };
  for (const type of ['install', 'activate']) await Promise.all((await dispatch(type)).lasting);

  /** What a page gets, and in the end the cache: what it says, or its status, or that it fails. */
  const get = async (name: string, mode?: 'navigate'): Promise<string | number> => {
    const request = new Request(at(name));
    if (mode) Object.defineProperty(request, 'mode', { value: mode });
    const { answered, lasting } = await dispatch('fetch', { request });
    try {
      const response = await answered!;
      return response.ok ? await response.text() : response.status;
    } catch (error) {
      return (error as Error).name;
    } finally {
      await Promise.all(lasting);
    }
  };
  return { get, dispatch };
}

test('without a network everything is there that was before', async () => {
  const server = site();
  const { get } = await start(server, new FakeCaches());
  expect(
    await Promise.all(['models/index.json', 'models/a/manifest.json', 'models/a/weights.bin'].map((name) => get(name))),
  ).toEqual(['index 1', 'a 1', 'weights of a 1']);
  server.isAway = true;
  expect(await get('', 'navigate')).toBe('page 1');
  expect(await get('?signaling=here', 'navigate')).toBe('page 1');
  for (const [name, body] of Object.entries(server.files))
    expect(await get(name)).toBe(/models\/b|samples/.test(name) ? 'TypeError' : body);
});

test('what may change under its name comes from the network, everything else from the cache', async () => {
  const server = site();
  const { get } = await start(server, new FakeCaches());
  const names = Object.keys(server.files);
  for (const name of names) await get(name);
  for (const name of names) server.files[name] = server.files[name].replace('1', '2');
  // The weights of a model that stays.
  server.files['models/b/manifest.json'] = 'b 1';
  expect(await get('', 'navigate')).toBe('page 2');
  for (const name of ['settings.json', 'ice.json', 'models/index.json', 'models/a/manifest.json'])
    expect(await get(name), name).toBe(server.files[name]);
  expect(await get('app.js')).toBe('app 1');
  expect(await get('models/b/weights.bin')).toBe('weights of b 1');
  // And is kept for when there is none.
  server.isAway = true;
  expect(await get('settings.json')).toBe('settings 2');
  expect(await get('models/a/manifest.json')).toBe('a 2');
});

test.each([
  [['models/a/manifest.json', 'models/a/weights.bin']],
  [['models/a/weights.bin', 'models/a/manifest.json']],
  [['models/a/weights.bin']],
])('manifest and weights are of one version, in whatever order they are asked for: %j', async (names) => {
  const server = site();
  const { get } = await start(server, new FakeCaches());
  await get('models/a/manifest.json');
  for (const name of ['models/a/weights.bin', 'models/a/samples/1.jpg', 'models/b/weights.bin']) await get(name);
  Object.assign(server.files, { 'models/a/manifest.json': 'a 2', 'models/a/weights.bin': 'weights of a 2' });
  expect(await Promise.all(names.map((name) => get(name)))).toEqual(names.map((name) => server.files[name]));
  // All of the model was forgotten, and nothing of the other.
  server.isAway = true;
  expect(await get('models/a/samples/1.jpg')).toBe('TypeError');
  expect(await get('models/b/weights.bin')).toBe('weights of b 1');
  for (const name of names) expect(await get(name)).toBe(server.files[name]);
});

test('a host that lets the browser keep files for minutes does not mix versions', async () => {
  const server = site(true);
  const caches = new FakeCaches();
  const one = await start(server, caches);
  const names = Object.keys(server.files);
  for (const name of names) {
    await one.get(name, name === '' ? 'navigate' : undefined);
    await server.fetch(at(name)); // a page without a worker, such as a first one
  }
  for (const name of names) server.files[name] = server.files[name].replace('1', '2');
  expect(await one.get('', 'navigate')).toBe('page 2');
  for (const name of names.filter((each) => each.startsWith('models/')))
    expect(await one.get(name), name).toBe(server.files[name]);
  server.isAway = true;
  expect(await one.get('models/a/weights.bin')).toBe('weights of a 2');
  server.isAway = false;

  const two = await start(server, caches, 'two');
  server.isAway = true;
  expect(await two.get('', 'navigate')).toBe('page 2');
  for (const name of ['app.js', 'settings.json', 'ice.json']) expect(await two.get(name)).toBe(server.files[name]);
});

test('what was on its way when its model changed is not kept', async () => {
  const server = site();
  const { get } = await start(server, new FakeCaches());
  await get('models/a/manifest.json');
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  server.delay = (name) => (name.endsWith('a/weights.bin') ? arrived : undefined);
  const slow = get('models/a/weights.bin');
  await new Promise((resolve) => setTimeout(resolve, 10));
  Object.assign(server.files, { 'models/a/manifest.json': 'a 2', 'models/a/weights.bin': 'weights of a 2' });
  expect(await get('models/a/manifest.json')).toBe('a 2');
  arrive();
  expect(await slow).toBe('weights of a 1');
  expect(await get('models/a/weights.bin')).toBe('weights of a 2');
});

test('a server that has an error does not cost what is kept', async () => {
  const server = site();
  const { get } = await start(server, new FakeCaches());
  await get('models/a/manifest.json');
  await get('models/a/weights.bin');
  delete server.files['models/a/manifest.json'];
  expect(await get('models/a/manifest.json')).toBe(404);
  server.isAway = true;
  expect(await get('models/a/manifest.json')).toBe('a 1');
  expect(await get('models/a/weights.bin')).toBe('weights of a 1');
});

test('a full disk, and a browser without storage, get every file all the same', async () => {
  for (const fault of ['isFull', 'isBroken'] as const) {
    const server = site();
    const caches = new FakeCaches();
    const { get } = await start(server, caches);
    caches[fault] = true;
    for (let time = 0; time < 2; time++) {
      for (const [name, body] of Object.entries(server.files)) expect(await get(name), `${fault} ${name}`).toBe(body);
      expect(await get('', 'navigate')).toBe('page 1');
    }
  }
});

test('the answer does not wait until it is kept, and the worker lives until then', async () => {
  const server = site();
  const caches = new FakeCaches();
  const { dispatch } = await start(server, caches);
  let keep = () => {};
  const { open } = caches;
  caches.open = async (name) => ({
    ...(await open.call(caches, name)),
    put: () => new Promise<void>((resolve) => (keep = resolve)),
  });
  const { answered, lasting } = await dispatch('fetch', { request: new Request(at('models/a/samples/1.jpg')) });
  expect(await (await answered!).text()).toBe('sample 1');
  let isOver = false;
  const over = Promise.all(lasting).then(() => (isOver = true));
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect([lasting.length, isOver]).toEqual([1, false]);
  keep();
  await over;
});

test('the secret of an invite link is not kept', async () => {
  const caches = new FakeCaches();
  const { get } = await start(site(), caches);
  expect(await get('#code.secret', 'navigate')).toBe('page 1');
  for (const kept of caches.kept.values()) expect([...kept.keys()].join()).not.toContain('secret');
});

test('another version begins anew, and leaves what others keep on this host', async () => {
  const server = site();
  const caches = new FakeCaches();
  await caches.open('of another app');
  const { get } = await start(server, caches);
  await get('models/a/weights.bin');
  server.files['models/a/weights.bin'] = 'weights of a 2';
  const next = await start(server, caches, 'two');
  expect([...caches.kept.keys()]).toEqual(['of another app', `blindsight ${scope} two`]);
  expect(await next.get('models/a/weights.bin')).toBe('weights of a 2');
});

test('builds at several paths of one host leave each other’s', async () => {
  const caches = new FakeCaches();
  const hold = async (name: string, ...urls: string[]) => {
    const cache = await caches.open(name);
    for (const url of urls) await cache.put(new Request(url), new Response(''));
  };
  const others: [string, ...string[]][] = [
    ['blindsight https://example.org/ one', 'https://example.org/'],
    ['blindsight https://example.org/some/path/below/ one', `${scope}below/`],
    // Of before names had a scope.
    ['blindsight elsewhere', 'https://example.org/b/', 'https://example.org/b/app.js'],
    ['blindsight below', `${scope}below/`, `${scope}below/app.js`],
    ['blindsight above', 'https://example.org/', scope],
  ];
  for (const each of others) await hold(...each);
  await hold('blindsight before', scope, at('app.js'));
  await hold(`blindsight ${scope} zero`, scope);
  await start(site(), caches);
  expect([...caches.kept.keys()]).toEqual([...others.map(([name]) => name), `blindsight ${scope} one`]);
});

test('other requests are none of its business', async () => {
  const { dispatch } = await start(site(), new FakeCaches());
  for (const request of [new Request('https://elsewhere.org/'), new Request(at('app.js'), { method: 'POST' })])
    expect((await dispatch('fetch', { request })).answered).toBeUndefined();
});

test('a version is what is in all files, the models’ too, and what they are called', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-version-'));
  try {
    await mkdir(path.join(folder, 'models/a'), { recursive: true });
    const write = (name: string, text: string) => writeFile(path.join(folder, name), text);
    await write('index.html', 'page');
    await write('models/a/manifest.json', 'a 1');
    await write('models/a/weights.bin', 'weights 1');
    const before = await versionOf(folder);
    expect(before).toEqual({
      version: expect.stringMatching(/^[0-9a-f]{16}$/),
      names: ['index.html', 'models/a/manifest.json', 'models/a/weights.bin'],
    });
    await write('index.html.br', 'compressed');
    expect(await versionOf(folder)).toEqual(before);
    const versions = new Set([before.version]);
    const changes: [string, string][] = [
      ['models/a/weights.bin', 'weights 2'],
      ['models/a/manifest.json', 'a 2'],
      ['index.html', 'another page'],
      ['models/a/more.json', ''],
    ];
    for (const [name, text] of changes) {
      await write(name, text);
      versions.add((await versionOf(folder)).version);
    }
    expect(versions.size).toBe(1 + changes.length);
  } finally {
    await rm(folder, { recursive: true });
  }
});
