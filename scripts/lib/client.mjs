// The client's build, made again only when something that goes into it has changed.
import { readdir, stat } from 'node:fs/promises';
import { mustRun, nodeProgram, root, say } from './commands.mjs';

const inputs = ['client', 'protocols', 'signaling-server/events.ts', 'package-lock.json'];
const output = `${root}client/dist/index.html`;

async function newestMs(path) {
  const { mtimeMs } = await stat(path);
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(`${root}client/dist`))
    .map((entry) => stat(`${entry.parentPath}/${entry.name}`));
  return Math.max(entries.length ? 0 : mtimeMs, ...(await Promise.all(files)).map((file) => file.mtimeMs));
}

export async function buildClient({ force = false } = {}) {
  const builtMs = await stat(output).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const changedMs = Math.max(...(await Promise.all(inputs.map((path) => newestMs(root + path)))));
  if (!force && builtMs > changedMs) return;
  say('Building the client …');
  await mustRun(
    ...nodeProgram('vite/bin/vite.js', 'build', '--config', 'client/vite.config.ts', '--logLevel', 'error'),
    { toStderr: true },
  );
}
