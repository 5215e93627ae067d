/** An owner without a screen serves clients without one. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { readArtifact } from '../../scripts/lib/models.ts';
import { createSignalingServer } from '../../signaling-server/server.ts';
import { readTurnSecret, turnServers } from '../../signaling-server/turn.ts';
import { startHeadless, tinyFolder } from '../support/headless.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startHeadless>[0]) {
  const headless = await startHeadless(options);
  closers.push(() => headless.stop());
  return headless;
}

test('three clients at once, each by its own link; the log has times, and no link, code or address', async () => {
  const { owner, invites, classify, lines } = await start({ rooms: 3 });
  const results = await Promise.all(invites.map((invite, i) => classify(invite, 40 * i)));
  for (const { logits, report } of results) {
    expect(logits.length).toBeGreaterThan(1);
    expect(report.correlations).toBe('two-party');
  }
  expect(owner.answers).toEqual([1, 1, 1]);
  expect(owner.figures).toMatchObject({ rooms: 3, pairings: 3, answers: 3, failed: 0 });
  const log = lines.map((line) => JSON.parse(line));
  expect(log.filter(({ msg }) => msg === 'answered')).toHaveLength(3);
  for (const line of log) expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT/);
  const text = lines.join('\n');
  for (const { code } of invites) expect(text).not.toContain(code);
  expect(text).not.toMatch(/\d+\.\d+\.\d+\.\d+|[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"/);
});

test('one link, several clients: who finds the room full waits for its turn', async () => {
  const { owner, invites, classify } = await start({ rooms: 1 });
  await Promise.all([1, 2, 3].map((value) => classify(invites[0], value, 60_000)));
  expect(owner.answers).toEqual([3]);
});

test('a room closes at its limit, and the others go on', async () => {
  let done = 0;
  const { owner, invites, classify } = await start({ rooms: 2, limit: 1, onDone: () => done++ });
  await classify(invites[0]);
  await expect
    .poll(() => classify(invites[0]).then(String, (error) => error.message), { timeout: 20_000 })
    .toContain('no-such-room');
  expect(done).toBe(0);
  await classify(invites[1]);
  expect(owner.answers).toEqual([1, 1]);
  await expect.poll(() => done).toBe(1);
});

describe('threads that fail', () => {
  const threadModule = new URL('../support/failingOwnerWorker.ts', import.meta.url);

  test('one that cannot read the model: no room opens, and the owner says why', async () => {
    const files = { ...(await readArtifact(tinyFolder)), weights: new ArrayBuffer(8) };
    await expect(start({ rooms: 1, threads: 1, files })).rejects.toThrow('weights.bin is not the file');
  });

  test('one that dies with a client: it is counted, and the client, who connects again, is served by another', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'owner-'));
    closers.push(() => rm(folder, { recursive: true }));
    process.env.FAILED_BEFORE = path.join(folder, 'failed');
    const { owner, invites, classify, lines } = await start({ rooms: 1, threads: 1, threadModule });
    await classify(invites[0]);
    expect(owner.answers).toEqual([1]);
    expect(owner.figures).toMatchObject({ pairings: 1, failed: 1 });
    expect(lines.join('\n')).toContain('out of memory');
  }, 120_000);

  test('again and again: whoever runs the owner is told', async () => {
    delete process.env.FAILED_BEFORE;
    const broken: string[] = [];
    const { invites, classify } = await start({
      rooms: 1,
      threads: 1,
      threadModule,
      onBroken: ({ message }) => broken.push(message),
    });
    // A client tries again by itself, though not for ever.
    for (let i = 0; i < 4 && broken.length === 0; i++)
      await expect(classify(invites[0], 128, 30_000)).rejects.toThrow();
    expect(broken).toEqual(['out of memory']);
  }, 240_000);
});

test('credentials for TURN end, as coturn checks them', () => {
  const [stun, turn] = turnServers({ urls: ['stun:s.example', 'turn:t.example'], secret: 'north' }, 1_800_000_000_000);
  expect(stun).toEqual({ urls: 'stun:s.example' });
  // printf 1800003600 | openssl dgst -sha1 -hmac north -binary | base64
  expect(turn).toEqual({
    urls: 'turn:t.example',
    username: '1800003600',
    credential: '7GgSS8ToCsTpl0nrgpkl0lNqRY0=',
  });
});

test('TURN servers that no browser takes, and a secret that is none, are told to who starts the server', async () => {
  expect(turnServers({ urls: ['TURNS:T.example:443'], secret: 'north' })[0].credential).toBeDefined();
  for (const url of ['turn.example.org', 'https://turn.example.org', ' turn:t.example', 'turn:a,turn:b c', '']) {
    expect(() => turnServers({ urls: [url] }), url).toThrow('expected addresses such as turn:turn.example.org');
    const files = { distDir: '/nowhere', modelsDir: '/nowhere', modelFiles: new Set<string>() };
    await expect(createSignalingServer({ ...files, port: 0, turn: { urls: [url] } }), url).rejects.toThrow('turn:');
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-turn-'));
  closers.push(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'secret'), ' \n');
  await expect(readTurnSecret(path.join(folder, 'secret'))).rejects.toThrow('nothing is in it');
});

describe('as commands', () => {
  const root = path.join(import.meta.dirname, '../..');
  const program = (script: string, ...args: string[]) => ['--import', 'tsx', script, ...args];

  test('an owner with its own server, its links in a file, and a client by a link; SIGTERM ends it', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'blindsight-links-'));
    closers.push(() => rm(folder, { recursive: true }));
    const links = path.join(folder, 'links.txt');
    const owner = spawn(
      process.execPath,
      program('scripts/owner.ts', '--model', tinyFolder, '--port', '0', '--rooms', '2', '--links', links),
      { cwd: root },
    );
    closers.push(() => owner.kill('SIGKILL'));
    let log = '';
    let stdout = '';
    owner.stderr.on('data', (data) => (log += data));
    owner.stdout.on('data', (data) => (stdout += data));
    const ended = new Promise<number | null>((resolve) => owner.once('exit', resolve));
    const read = () => readFile(links, 'utf8').catch(() => '');
    await expect.poll(async () => (await read()).trim().split('\n').length, { timeout: 30_000 }).toBe(2);
    expect((await stat(links)).mode & 0o777).toBe(0o600);
    const [link] = (await read()).split('\n');
    const sample = path.join(root, 'model-artifacts/zoo/cifar10/samples/cat-1.jpg');
    const client = await promisify(execFile)(
      process.execPath,
      program('scripts/classify.ts', '--image', sample, '--connect', link, '--json'),
      { cwd: root },
    );
    expect(JSON.parse(client.stdout)).toMatchObject({ correlations: 'two-party', label: expect.any(String) });
    owner.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(stdout).toBe('');
    expect(log).toContain('"msg":"stopped"');
    expect(log).not.toContain(link.split('#')[1]);
  }, 120_000);

  test('an owner’s limit in the middle of a folder: what was answered before is given, with the reason', async () => {
    const { invites, server } = await start({ rooms: 1, limit: 1 });
    const { formatInvite } = await import('../../client/src/pairing/invite.ts');
    const link = formatInvite(server, invites[0]);
    const folder = path.join(root, 'model-artifacts/zoo/cifar10/samples');
    const client = promisify(execFile)(
      process.execPath,
      program('scripts/classify.ts', '--image', folder, '--connect', link, '--json'),
      { cwd: root },
    );
    const { stdout, code } = await client.catch((error) => error);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ images: [{ label: expect.any(String) }], error: expect.any(String) });
  }, 120_000);

  test('the demo ends with the signal that its supervisor sends to npm’s child', async () => {
    const demo = spawn(process.execPath, program('signaling-server/main.ts'), {
      cwd: root,
      env: { ...process.env, PORT: '0', LOG_LEVEL: 'info' },
    });
    closers.push(() => demo.kill('SIGKILL'));
    let stdout = '';
    demo.stdout.on('data', (data) => (stdout += data));
    const ended = new Promise<number | null>((resolve) => demo.once('exit', resolve));
    await expect.poll(() => stdout, { timeout: 30_000 }).toContain('http://localhost:');
    demo.kill('SIGTERM');
    expect(await ended).toBe(0);
  }, 120_000);

  test.each(['x', '-1', '65536', '1.5'])('PORT=%s is refused in words', async (port) => {
    const demo = promisify(execFile)(process.execPath, program('signaling-server/main.ts'), {
      cwd: root,
      env: { ...process.env, PORT: port },
    });
    await expect(demo).rejects.toMatchObject({ stderr: expect.stringContaining('PORT must be a number') });
  });
});
