// Dependencies and kernels, installed and built when they are missing or out of date.
import { readFile } from 'node:fs/promises';
import { mustRun, root, run } from './commands.mjs';
import { making } from './making.mjs';

const leastNode = [20, 19];

/** The paths of all workspaces, from package.json. */
const workspaces = JSON.parse(await readFile(`${root}package.json`, 'utf8')).workspaces;

/**
 * Entries of a lockfile that the root and some workspaces need, by npm's rule: a package is looked for beside whom needs it, then
 * one folder up, and so on.
 */
function neededBy(packages, wanted) {
  const needed = new Set();
  const queue = ['', ...wanted];
  while (queue.length > 0) {
    const path = queue.pop();
    if (needed.has(path)) continue;
    needed.add(path);
    const { resolved, link, dependencies, devDependencies } = packages[path];
    if (link) queue.push(resolved);
    // Packages are published without what they were developed with.
    const own = path.includes('node_modules/') ? dependencies : { ...dependencies, ...devDependencies };
    for (const name of Object.keys(own ?? {})) {
      for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
        const candidate = `${folder && `${folder}/`}node_modules/${name}`;
        if (packages[candidate]) queue.push(candidate);
        if (packages[candidate] || folder === '') break;
        if (!folder.includes('node_modules/')) folder = '';
      }
    }
  }
  return needed;
}

/** What package-lock.json asks for in these workspaces is there, in the same versions. */
async function dependenciesAreCurrent(wanted) {
  const read = async (path) => JSON.parse(await readFile(root + path, 'utf8')).packages;
  try {
    const [locked, installed] = await Promise.all([read('package-lock.json'), read('node_modules/.package-lock.json')]);
    return [...neededBy(locked, wanted)].every(
      (path) => path === '' || locked[path].optional || installed[path]?.version === locked[path].version,
    );
  } catch {
    return false;
  }
}

async function installDependencies(wanted) {
  const hasModules = await readFile(`${root}node_modules/.package-lock.json`).then(
    () => true,
    () => false,
  );
  // `ci` would delete what is there; `install` adds what is missing. Errors are shown, whatever .npmrc says.
  const args = [hasModules ? 'install' : 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (wanted.length < workspaces.length)
    args.push('--include-workspace-root', ...wanted.map((path) => `--workspace=${path}`));
  // The plaintext comparison runs on the CPU; the CUDA files would be a download of hundreds of megabytes.
  const options = { env: { ONNXRUNTIME_NODE_INSTALL: 'skip' }, toStderr: true };
  const npm = process.env.npm_execpath;
  const code = npm?.endsWith('.js')
    ? await run(process.execPath, [npm, ...args], options)
    : await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
  if (code !== 0)
    throw new Error(`npm ${args[0]} failed (exit code ${code}). Is there a network, and can npm reach its registry?`);
}

/** @param wanted workspaces whose dependencies are needed; by default all. */
export async function setUp(wanted = workspaces) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    throw new Error(`Node ${leastNode.join('.')} or later is needed, this is ${process.versions.node}.`);
  }
  if (!(await dependenciesAreCurrent(wanted)))
    await making('Installing dependencies', 'node_modules/', () => installDependencies(wanted));
  await mustRun(process.execPath, [`${root}scripts/build-kernels.mjs`], { toStderr: true });
}

/** What serving the app needs: neither Node's WebRTC nor its image decoder, nor the tests' tools. */
export const appWorkspaces = ['client', 'signaling-server'];
