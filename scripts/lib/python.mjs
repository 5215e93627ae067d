// The Python environment of model-artifacts/: .venv in the root, made again when its requirements change.
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { mustRun, root, run } from './commands.mjs';
import { making } from './making.mjs';

const isWindows = process.platform === 'win32';
const requirements = 'model-artifacts/requirements.txt';

/** PyTorch first: then what depends on it does not choose another version. */
const torch = 'torch==2.13.0';

export const venvProgram = (name) => `${root}.venv/${isWindows ? `Scripts/${name}.exe` : `bin/${name}`}`;
export const python = venvProgram('python');

/** @returns the name of the machine's own Python. @throws Error when there is none, or an older one than 3.10. */
async function systemPython() {
  const name = isWindows ? 'python' : 'python3';
  const isNewEnough = ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))'];
  const problem = await run(name, isNewEnough).then(
    (code) => code !== 0 && 'is older or does not start',
    () => 'was not found',
  );
  if (problem) throw new Error(`Python 3.10 or later (with venv) is needed; ${name} ${problem}.`);
  return name;
}

export async function setUpPython() {
  const wanted = createHash('sha256')
    .update(torch)
    .update(await readFile(root + requirements))
    .digest('hex');
  const stampPath = `${root}.venv/requirements.sha256`;
  const stamp = await readFile(stampPath, 'utf8').catch(() => '');
  if (stamp === wanted) return;
  const system = await systemPython();
  await making('Installing the Python packages of model-artifacts/', '.venv/', async () => {
    await rm(`${root}.venv`, { recursive: true, force: true });
    await mustRun(system, ['-m', 'venv', '.venv'], { toStderr: true });
    const pip = ['-m', 'pip', 'install', '-qq', '--disable-pip-version-check'];
    await mustRun(python, [...pip, torch], { toStderr: true });
    await mustRun(python, [...pip, '-r', requirements], { toStderr: true });
  });
  await writeFile(stampPath, wanted);
}
