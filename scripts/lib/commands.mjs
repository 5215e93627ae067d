// Running other programs. Only Node's built-ins: these files run before anything is installed.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Says what is being done on stderr: stdout belongs to results (`--json`). */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Runs a program in the repository's root; resolves with its exit code, and on a signal passes that on.
 * `toStderr`: what it prints on stdout goes to stderr.
 */
export function run(program, args, { env = {}, toStderr = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['inherit', toStderr ? process.stderr : 'inherit', 'inherit'],
    });
    // A terminal sends its signals to the whole group; a supervisor sends them to this process only.
    const passOn = (signal) => child.kill(signal);
    process.on('SIGINT', passOn);
    process.on('SIGTERM', passOn);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', passOn);
      process.off('SIGTERM', passOn);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

/** As `run`, for steps without which nothing else makes sense. */
export async function mustRun(program, args, options) {
  const code = await run(program, args, options);
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')} failed (exit code ${code})`);
}

/** A package's command line program, run by this Node. */
export function nodeProgram(path, ...args) {
  return [process.execPath, [`${root}node_modules/${path}`, ...args]];
}
