// Where browsers are.
import { access } from 'node:fs/promises';

export const exists = (path) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The program that an environment variable names, or the first that is installed; undefined when there is none.
 * @throws Error when the variable names no file.
 */
export async function chosenOrInstalled(variable, installed) {
  const chosen = process.env[variable];
  if (chosen) {
    if (await exists(chosen)) return chosen;
    throw new Error(`${variable}: there is no file ${chosen}`);
  }
  for (const path of installed) if (await exists(path)) return path;
  return undefined;
}
