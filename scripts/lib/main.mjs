import { interruption, say } from './commands.mjs';

/** Runs a script's main function: its number is the exit code; an error's text is shown without a stack, unless an interruption explains it. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    if (!interruption()) say(error.message);
    process.exitCode = interruption() ?? 1;
  }
}
