import { type ParseArgsConfig, parseArgs } from 'node:util';

/** @throws Error naming the option, the range and what was there. */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
  throw new Error(`--${name}: expected a whole number ${range}, got ${text}`);
}

/** Whoever reads the output may stop, as `head` does: then there is nothing left to do. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  throw error;
}

/**
 * A command's options, by `util.parseArgs`. `--help` prints `usage` and ends the process; so does a closed pipe behind it.
 * @throws Error with `usage` in it, for options and arguments that the command does not have.
 */
export function readOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: T,
  args = process.argv.slice(2),
) {
  process.stdout.off('error', endWithReader).on('error', endWithReader);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`usage: ${usage}\n`);
    process.exit(0);
  }
  try {
    return parseArgs({ options, args }).values;
  } catch (error) {
    throw new Error(`${(error as Error).message}\nusage: ${usage}`);
  }
}
