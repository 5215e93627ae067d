// The Python environment of model-artifacts/: .venv in the root, made again when its requirements change.
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { mustRun, root, say } from './commands.mjs';

const isWindows = process.platform === 'win32';
const requirements = 'model-artifacts/requirements.txt';

/** PyTorch first: then what depends on it does not choose another version. */
const torch = 'torch==2.13.0';

export const python = `${root}.venv/${isWindows ? 'Scripts/python.exe' : 'bin/python'}`;

export async function setUpPython() {
  const wanted = createHash('sha256')
    .update(torch)
    .update(await readFile(root + requirements))
    .digest('hex');
  const stampPath = `${root}.venv/requirements.sha256`;
  const stamp = await readFile(stampPath, 'utf8').catch(() => '');
  if (stamp === wanted) return;
  say('Installing the Python packages of model-artifacts/ …');
  await rm(`${root}.venv`, { recursive: true, force: true });
  await mustRun(isWindows ? 'python' : 'python3', ['-m', 'venv', '.venv'], { toStderr: true });
  const pip = ['-m', 'pip', 'install', '-qq', '--disable-pip-version-check'];
  await mustRun(python, [...pip, torch], { toStderr: true });
  await mustRun(python, [...pip, '-r', requirements], { toStderr: true });
  await writeFile(stampPath, wanted);
}
