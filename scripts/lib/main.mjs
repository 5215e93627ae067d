import { say } from './commands.mjs';

/** Runs a script's main function: its number is the exit code; an error's text is shown without a stack. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
