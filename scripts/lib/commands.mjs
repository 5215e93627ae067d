// Running other programs. Only Node's built-ins: these files run before anything is installed.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Says what is being done on stderr: stdout belongs to results (`--json`). */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

let interruptedBy;

/** The exit code to end with when `run` has been interrupted; undefined when it has not. What would come next is then not to be started. */
export function interruption() {
  return interruptedBy && (interruptedBy === 'SIGINT' ? 130 : 143);
}

/**
 * Runs a program in the repository's root; resolves with its exit code, and on a signal passes that on and remembers it.
 * `toStderr`: what it prints on stdout goes to stderr.
 */
export function run(program, args, { env = {}, toStderr = false } = {}) {
  return new Promise((resolve, reject) => {
    if (interruptedBy) return reject(new Error('interrupted'));
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['inherit', toStderr ? process.stderr : 'inherit', 'inherit'],
    });
    // A terminal sends its signals to the whole group; a supervisor sends them to this process only.
    const passOn = (signal) => {
      interruptedBy = signal;
      child.kill(signal);
    };
    process.on('SIGINT', passOn);
    process.on('SIGTERM', passOn);
    const stopListening = () => process.off('SIGINT', passOn).off('SIGTERM', passOn);
    child.on('error', (error) => {
      stopListening();
      reject(error);
    });
    child.on('close', (code, signal) => {
      stopListening();
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

/** A TypeScript program, in one process: between two, a signal may end the outer one only. */
export function typescriptProgram(...args) {
  return [process.execPath, ['--import', 'tsx', ...args]];
}
