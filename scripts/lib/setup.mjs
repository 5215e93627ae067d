// Dependencies and kernels, installed and built when they are missing or out of date.
import { readFile } from 'node:fs/promises';
import { mustRun, root, run, say } from './commands.mjs';

const leastNode = [20, 19];

/** What package-lock.json asks for is there, in the same versions. */
async function dependenciesAreCurrent() {
  const read = async (path) => JSON.parse(await readFile(root + path, 'utf8')).packages;
  try {
    const [wanted, installed] = await Promise.all([read('package-lock.json'), read('node_modules/.package-lock.json')]);
    return Object.entries(wanted).every(
      ([path, { version, optional, link }]) => path === '' || optional || link || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}

async function installDependencies() {
  const hasModules = await readFile(`${root}node_modules/.package-lock.json`).then(
    () => true,
    () => false,
  );
  say('Installing dependencies …');
  // `ci` would delete what is there; `install` adds what is missing. Errors are shown, whatever .npmrc says.
  const args = [hasModules ? 'install' : 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // The plaintext comparison runs on the CPU; the CUDA files would be a download of hundreds of megabytes.
  const options = { env: { ONNXRUNTIME_NODE_INSTALL: 'skip' }, toStderr: true };
  const npm = process.env.npm_execpath;
  const code = npm?.endsWith('.js')
    ? await run(process.execPath, [npm, ...args], options)
    : await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
  if (code !== 0)
    throw new Error(`npm ${args[0]} failed (exit code ${code}). Is there a network, and can npm reach its registry?`);
}

export async function setUp() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    throw new Error(`Node ${leastNode.join('.')} or later is needed, this is ${process.versions.node}.`);
  }
  if (!(await dependenciesAreCurrent())) await installDependencies();
  await mustRun(process.execPath, [`${root}scripts/build-kernels.mjs`], { toStderr: true });
}
