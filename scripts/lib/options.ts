import { type ParseArgsConfig, parseArgs } from 'node:util';

/**
 * A command's options, by `util.parseArgs`. `--help` prints `usage` and ends the process.
 * @throws Error with `usage` in it, for options and arguments that the command does not have.
 */
export function readOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: T,
  args = process.argv.slice(2),
) {
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
