/**
 * The owner's container, without a container engine: the steps of examples/headless-owner/Containerfile in a root of their own (Linux, as root). Its
 * programs are this machine's, less what node:20-slim has not: compilers, Python, git. So this shows that the steps need nothing else of the
 * checkout and of the machine, and that the entry point serves, as a user without rights, and ends by SIGTERM; not that an engine takes the file.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const repository = path.join(import.meta.dirname, '../..');
const file = path.join(repository, 'examples/headless-owner/Containerfile');
const hasNamespaces = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;

/** Of the image's base there is no more than these. */
const missing = ['python3', 'make', 'gcc', 'g++', 'cc', 'c++', 'git', 'curl', 'wget'];
/** Users of node:20-slim. */
const users = { root: 0, node: 1000 };

interface Step {
  readonly instruction: string;
  readonly argument: string;
}

/** Instructions, without comments; a line that ends in a backslash goes on. */
const stepsOf = (text: string): Step[] =>
  text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim())
    .map((line) => {
      const [, instruction, argument] = /^([A-Z]+)\s+(.*)$/.exec(line.trim())!;
      return { instruction, argument };
    });

/** What .dockerignore leaves of a `COPY . .`. */
async function copy(to: string): Promise<void> {
  const patterns = (await readFile(path.join(repository, '.dockerignore'), 'utf8')).split('\n');
  const excluded = patterns
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => `--exclude=${line.startsWith('**/') ? line.slice(3) : `./${line}`}`);
  const script = 'tar --create --directory "$0" "$@" . | tar --extract --no-same-owner --directory "$TO"';
  const done = spawnSync('sh', ['-c', script, repository, ...excluded], { env: { ...process.env, TO: to } });
  expect(done.stderr.toString()).toBe('');
}

describe.runIf(hasNamespaces)('the owner’s container file, step by step', () => {
  let root: string;
  const environment: Record<string, string> = { PATH: '/usr/bin:/bin' };
  let [folder, user, entry] = ['/', 'root' as keyof typeof users, [] as string[]];

  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'blindsight-container-'));
    await chmod(root, 0o755);
    for (const name of ['usr', 'etc/ssl', 'proc', 'dev', 'tmp', 'root/.npm', 'home/node', 'links'])
      await mkdir(path.join(root, name), { recursive: true });
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, path.join(root, name));
    await chmod(path.join(root, 'tmp'), 0o1777);
    for (const name of ['home/node', 'links']) await chown(path.join(root, name), users.node, users.node);
    await writeFile(path.join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n');
    await writeFile(path.join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
    await writeFile(path.join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
    await writeFile(path.join(root, 'etc/resolv.conf'), await readFile('/etc/resolv.conf'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }), 120_000);

  /** In a namespace of its own, whose mounts end with it. */
  function inside(command: readonly string[]) {
    const bind = (what: string, flags = '') => `mount --bind ${flags} ${what} "$ROOT${what}"`;
    const script = [
      'set -e',
      bind('/usr'),
      bind('/etc/ssl'),
      'mount --rbind /dev "$ROOT/dev"',
      'mount -t proc proc "$ROOT/proc"',
      // What npm has fetched before; the rest comes from its registry.
      'CACHE=$(npm config get cache); [ ! -d "$CACHE" ] || mount --bind "$CACHE" "$ROOT/root/.npm"',
      `for program in ${missing.join(' ')}; do`,
      '  for found in "$ROOT/usr/bin/$program" "$ROOT/usr/local/bin/$program"; do',
      '    [ ! -e "$found" ] || mount --bind /dev/null "$(readlink -f "$found")"; done; done',
      'exec chroot --userspec="$WHO" "$ROOT" /usr/bin/env -i "$@"',
    ].join('\n');
    const given = Object.entries({ ...environment, HOME: user === 'root' ? '/root' : `/home/${user}` });
    const settings = given.map(([name, value]) => `${name}=${value}`);
    const whole = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...settings];
    return spawn('unshare', [...whole, '/bin/sh', '-c', `cd ${folder} && exec "$@"`, 'sh', ...command], {
      env: { ...process.env, ROOT: root, WHO: `${users[user]}:${users[user]}` },
    });
  }

  /** Resolves with the exit's code and all that was said. */
  function ended(child: ReturnType<typeof spawn>): Promise<{ code: number | null; said: string }> {
    let said = '';
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (said += data));
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
  }

  it('its steps succeed', async () => {
    for (const { instruction, argument } of stepsOf(await readFile(file, 'utf8'))) {
      if (instruction === 'FROM') expect(argument).toBe(`node:${process.versions.node.split('.')[0]}-slim`);
      else if (instruction === 'WORKDIR') await mkdir(path.join(root, (folder = argument)), { recursive: true });
      else if (instruction === 'USER') user = argument as keyof typeof users;
      else if (instruction === 'ENTRYPOINT') entry = JSON.parse(argument);
      else if (instruction === 'ENV') environment[argument.split('=')[0]] = argument.split('=').slice(1).join('=');
      else if (instruction === 'COPY') {
        expect(argument).toBe('. .');
        await copy(path.join(root, folder));
      } else if (instruction === 'RUN') {
        const { code, said } = await ended(inside(['/bin/sh', '-c', argument]));
        expect(code, said).toBe(0);
      } else expect.fail(`an instruction that is not tested: ${instruction}`);
    }
    expect(entry.length).toBeGreaterThan(0);
  });

  it('the owner serves, writes its link for its user alone, and ends by SIGTERM', async () => {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const args = ['--model', 'cifar10', '--rooms', '1', '--port', `${port}`, '--links', '/links/links.txt'];
    const owner = inside([...entry, ...args]);
    const end = ended(owner);
    const links = path.join(root, 'links/links.txt');
    await expect.poll(() => readFile(links, 'utf8').catch(() => ''), { timeout: 120_000 }).toMatch(/#[\w-]{22}\./);
    const page = await (await fetch(`http://localhost:${port}/`)).text();
    expect(page).toContain('<title>');
    expect((await fetch(`http://localhost:${port}/models/cifar10/manifest.json`)).status).toBe(200);
    const startMs = performance.now();
    // To the program itself, as an engine sends it, and not to those that brought it here.
    const { stdout } = spawnSync('pgrep', ['--full', '--', `^node .*--port ${port} `]);
    expect(stdout.toString()).toMatch(/^\d+\n$/);
    process.kill(Number(stdout.toString()), 'SIGTERM');
    const { code, said } = await end;
    const stopMs = performance.now() - startMs;
    console.log(`ended ${Math.round(stopMs)} ms after SIGTERM`);
    expect(code, said).toBe(0);
    expect(stopMs).toBeLessThan(10_000);
    expect(said).toContain('stopped');
  });
});

it.skipIf(hasNamespaces)('needs Linux, and root', () => {});
