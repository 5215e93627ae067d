// The client's build, made again only when something that goes into it has changed.
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { mustRun, nodeProgram, root } from './commands.mjs';
import { making } from './making.mjs';

const inputs = [
  'client',
  'protocols',
  'signaling-server/events.ts',
  'signaling-server/locator.ts',
  'signaling-server/roomKey.ts',
  'package-lock.json',
];
const distDir = path.join(root, 'client', 'dist');
const output = path.join(distDir, 'index.html');

async function newestMs(input) {
  const { mtimeMs } = await stat(input);
  const entries = await readdir(input, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile() && !path.normalize(entry.parentPath).startsWith(distDir))
    .map((entry) => stat(`${entry.parentPath}/${entry.name}`));
  return Math.max(entries.length ? 0 : mtimeMs, ...(await Promise.all(files)).map((file) => file.mtimeMs));
}

export async function buildClient({ force = false } = {}) {
  const builtMs = await stat(output).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const changedMs = Math.max(...(await Promise.all(inputs.map((input) => newestMs(root + input)))));
  if (!force && builtMs > changedMs) return;
  const build = nodeProgram('vite/bin/vite.js', 'build', '--config', 'client/vite.config.ts', '--logLevel', 'error');
  await making('Building the client', 'client/dist/', () => mustRun(...build, { toStderr: true }));
}
