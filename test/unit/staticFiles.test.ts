import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundledFiles } from '../../signaling-server/bundledModels.ts';
import { createSignalingServer, type SignalingServer } from '../../signaling-server/server.ts';

const repository = path.join(import.meta.dirname, '../..');
const zoo = path.join(repository, 'model-artifacts/zoo');
const page = '<!doctype html><title>Blindsight</title>'.padEnd(400, ' ');

let server: SignalingServer;
let folder: string;

const write = (name: string, content: string | Uint8Array) => writeFile(path.join(folder, name), content);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'blindsight-'));
  for (const name of ['dist/assets', 'dist/.git', 'models/tiny', 'models/told', 'models/private'])
    await mkdir(path.join(folder, name), { recursive: true });
  await write('secret.txt', 'secret');
  await write('dist/index.html', page);
  await write('dist/index.html.gz', gzipSync(page));
  await write('dist/.env', 'secret');
  await write('dist/.git/config', 'secret');
  await symlink(path.join(folder, 'secret.txt'), path.join(folder, 'dist/leak.txt'));
  await symlink(path.join(folder, 'dist/index.html'), path.join(folder, 'dist/inside.html'));
  await write('dist/assets/kernel.wasm', new Uint8Array([0, 97, 115, 109]));
  await write('models/tiny/manifest.json', '{"title":"Tiny","description":"For tests","architecture":{"tokens":16}}');
  await write('models/tiny/weights.bin', new Uint8Array(12));
  await write('models/told/manifest.json', '{"title":"Told","description":"With a card","architecture":{"tokens":16}}');
  await write('models/told/weights.bin', new Uint8Array(3));
  await write('models/told/card.md', '| validation top-1, float | 75.00 % |');
  await write('models/tiny/notes.txt', 'private');
  await write('models/private/manifest.json', '{"title":"Private","description":"Exported here"}');
  await write('models/private/weights.bin', new Uint8Array(5));
  await symlink(path.join(folder, 'models/private/weights.bin'), path.join(folder, 'models/told/linked.bin'));
  server = await createSignalingServer({
    port: 0,
    distDir: path.join(folder, 'dist'),
    modelsDir: path.join(folder, 'models'),
    modelFiles: new Set(
      ['tiny', 'told'].flatMap((name) => ['manifest.json', 'weights.bin', 'card.md'].map((file) => `${name}/${file}`)),
    ),
  });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

/** By `http`: `fetch` adds headers of its own to conditional requests. */
async function get(url: string, headers: Record<string, string> = {}, port = server.port) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpGet({ port, path: url, headers }, resolve).on('error', reject);
  });
  const body = Buffer.concat(await response.toArray());
  return { status: response.statusCode, headers: response.headers, body };
}

test('the app comes cross-origin isolated, and its policy names no host but its own', async () => {
  const { headers } = await get('/', { host: 'blindsight.example:8080' });
  expect(headers['cross-origin-opener-policy']).toBe('same-origin');
  expect(headers['cross-origin-embedder-policy']).toBe('require-corp');
  const policy = String(headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self' ws://blindsight.example:8080 wss://blindsight.example:8080 blob:;");
  expect(policy).not.toMatch(/wss?: /);
  expect(headers['cache-control']).toBe('no-cache');
});

test.each(['a b', "x; script-src 'unsafe-inline'", 'a,b', '*'])(
  'a host such as "%s" gets into no policy',
  async (host) => {
    const { headers } = await get('/', { host });
    expect(headers['content-security-policy']).toContain("connect-src 'self' blob:;");
  },
);

test('the other headers of security, at a page, a file and an error', async () => {
  for (const url of ['/', '/assets/kernel.wasm', '/nothing']) {
    const { headers } = await get(url);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['x-powered-by']).toBeUndefined();
  }
});

describe('what HTTP asks', () => {
  test('hashed assets are immutable, and have their type', async () => {
    const { headers } = await get('/assets/kernel.wasm');
    expect(headers['content-type']).toBe('application/wasm');
    expect(headers['cache-control']).toContain('immutable');
  });

  test('unchanged files are not sent again: by a tag, a strong form of it, a list, a star', async () => {
    const { etag } = (await get('/')).headers;
    const strong = etag!.replace(/^W\//, '');
    for (const tag of [etag!, strong, `"other", ${etag}`, `W/"a", ${strong}, W/"b"`, '*'])
      expect((await get('/', { 'if-none-match': tag })).status, tag).toBe(304);
    expect((await get('/', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  test('compressed when it is asked for, from what the build has put there', async () => {
    const zipped = await get('/', { 'accept-encoding': 'br, gzip' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(zipped.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(gunzipSync(zipped.body).toString()).toBe(page);
    const plain = await get('/');
    expect(plain.headers.vary).toBe('Accept-Encoding');
    expect(plain.body.toString()).toBe(page);
    expect(plain.headers.etag).not.toBe(zipped.headers.etag);
  });

  test.each(['gzip;q=0', 'identity', 'br', 'gzip;q=0, *;q=0.5'])('"%s" asks for no gzip', async (accepted) => {
    const { headers, body } = await get('/', { 'accept-encoding': accepted });
    expect(headers['content-encoding']).toBeUndefined();
    expect(body.toString()).toBe(page);
  });

  test('ranges', async () => {
    const part = await get('/models/tiny/weights.bin', { range: 'bytes=4-7' });
    expect(part.status).toBe(206);
    expect(part.headers['content-range']).toBe('bytes 4-7/12');
    expect(part.body).toHaveLength(4);
    expect((await get('/models/tiny/weights.bin', { range: 'bytes=-3' })).body).toHaveLength(3);
    expect((await get('/models/tiny/weights.bin', { range: 'bytes=99-' })).status).toBe(416);
  });

  test('a malformed address', async () => {
    expect((await get('/%E0%A4%A')).status).toBe(400);
  });
});

test.each([
  '/..%2fsecret.txt',
  '/%2e%2e/secret.txt',
  '/..%5csecret.txt',
  '/models/..%2f..%2fsecret.txt',
  '/models/%2e%2e/secret.txt',
  '/.git/config',
  '/.env',
  '/%2eenv',
  '/index.html%00.txt',
  '/leak.txt',
  '/assets',
  '/nothing',
])('%s is not found', async (url) => {
  const { status, body } = await get(url);
  expect(status).toBe(404);
  expect(body.toString()).not.toContain('secret');
});

test('a link that stays inside is followed', async () => {
  expect((await get('/inside.html')).body.toString()).toBe(page);
});

describe('models', () => {
  test('are listed, with the accuracy that their card gives, or none', async () => {
    expect(JSON.parse((await get('/models/index.json')).body.toString())).toEqual([
      {
        name: 'tiny',
        title: 'Tiny',
        description: 'For tests',
        weightsBytes: 12,
        tokens: 16,
        accuracy: null,
        isMeasured: false,
      },
      {
        name: 'told',
        title: 'Told',
        description: 'With a card',
        weightsBytes: 3,
        tokens: 16,
        accuracy: { top1: 0.75, testImages: null },
        isMeasured: false,
      },
    ]);
    expect((await get('/models/tiny/weights.bin')).headers['content-length']).toBe('12');
  });

  test.each(['tiny/notes.txt', 'private/manifest.json', 'private/weights.bin', 'told/linked.bin', 'tiny', ''])(
    'what is not for everybody is not served: %s',
    async (name) => {
      expect((await get(`/models/${name}`)).status).toBe(404);
    },
  );

  test('the bundle is what git tracks, and every file is as it says', async () => {
    const tracked = execFileSync('git', ['ls-files', zoo], { cwd: zoo, encoding: 'utf8' }).trim().split('\n');
    const said: string[] = [];
    const files = await bundledFiles(zoo, (text) => said.push(text));
    expect(said).toEqual([]);
    expect([...files].sort()).toEqual(tracked.filter((file) => file.includes('/')).sort());
  });

  test('a model that somebody has exported into the folder, or over a bundled one, is no bundled one', async () => {
    const models = await mkdtemp(path.join(tmpdir(), 'blindsight-zoo-'));
    const digest = (text: string) => createHash('sha256').update(text).digest('hex');
    for (const name of ['shipped', 'changed', 'private']) {
      await mkdir(path.join(models, name));
      await writeFile(path.join(models, name, 'weights.bin'), name);
    }
    await writeFile(path.join(models, 'shipped/notes.txt'), 'mine');
    const bundle = { shipped: { 'weights.bin': digest('shipped') }, changed: { 'weights.bin': digest('original') } };
    await writeFile(path.join(models, 'bundled.json'), JSON.stringify(bundle));
    const said: string[] = [];
    expect(await bundledFiles(models, (text) => said.push(text))).toEqual(new Set(['shipped/weights.bin']));
    expect(said).toEqual([expect.stringContaining('changed/weights.bin')]);
    await writeFile(path.join(models, 'bundled.json'), '{"..": {"secret.txt": "00"}}');
    await expect(bundledFiles(models)).rejects.toThrow();
    await rm(models, { recursive: true });
  });

  test('every path under the demo’s server: nothing of a model that the repository does not ship', async () => {
    const models = await mkdtemp(path.join(tmpdir(), 'blindsight-zoo-'));
    await cp(zoo, models, { recursive: true });
    const own = ['own/manifest.json', 'own/weights.bin', 'own/weights.json', 'cifar10/mine.bin', 'loose.bin'];
    await mkdir(path.join(models, 'own'));
    for (const name of own) await writeFile(path.join(models, name), 'private');
    const modelFiles = await bundledFiles(models);
    const demo = await createSignalingServer({ port: 0, distDir: models, modelsDir: models, modelFiles });
    try {
      for (const name of own) expect((await get(`/models/${name}`, {}, demo.port)).status, name).toBe(404);
      const index = (await get('/models/index.json', {}, demo.port)).body.toString();
      expect(index).not.toContain('own');
      for (const name of modelFiles) {
        const { status, body } = await get(`/models/${name}`, {}, demo.port);
        expect(status, name).toBe(200);
        expect(body.equals(await readFile(path.join(zoo, name))), name).toBe(true);
      }
    } finally {
      await demo.stop();
      await rm(models, { recursive: true });
    }
  });
});

test('who asks for a large file and reads nothing of it is sent away', async () => {
  const size = 64 * 2 ** 20; // more than the sockets' own buffers take
  await write('dist/large.bin', new Uint8Array(size));
  const files = { distDir: path.join(folder, 'dist'), modelsDir: folder, modelFiles: new Set<string>() };
  const own = await createSignalingServer({ ...files, port: 0, idleMs: 300 });
  const reader = connect(own.port, 'localhost');
  const gone = new Promise((resolve) => reader.once('close', resolve));
  reader.on('error', () => {}); // it may be a reset
  let received = 0;
  try {
    reader.write('GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((resolve) => reader.once('readable', resolve)); // the first of it is there, and stays there
    await new Promise((resolve) => setTimeout(resolve, 1500));
    reader.on('data', (data) => (received += data.length));
    await gone;
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(size);
  } finally {
    reader.destroy();
    await own.stop();
  }
});
