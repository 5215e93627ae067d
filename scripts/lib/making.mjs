// Says what is being made in a folder, and when it is there, how long that took and how large it is. Only Node's built-ins.
import { readdir, stat } from 'node:fs/promises';
import { root, say } from './commands.mjs';

/** Of all files, links not followed. */
async function bytesOf(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const sizes = await Promise.all(
    entries.map((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return bytesOf(path);
      return entry.isFile() ? stat(path).then(({ size }) => size) : 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** @param folder in the repository's root, with a slash at its end */
export async function making(what, folder, make) {
  say(`${what} …`);
  const startedMs = performance.now();
  await make();
  const seconds = (performance.now() - startedMs) / 1000;
  say(`  ${seconds.toFixed(0)} s, ${folder} has ${((await bytesOf(root + folder)) / 1e6).toFixed(0)} MB`);
}
