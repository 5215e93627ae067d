// Mutants of pairing, channel and parsers: how many of them the unit tests of their file notice. MUTANTS of each file, 6 by default.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';

interface Outcome {
  readonly name: string;
  readonly line: number;
  readonly was: string;
  readonly is: string;
  readonly isKilled: boolean;
}

/** What stands between two tabs and whoever is in the middle: no line of it may be without a test. */
const withoutSurvivors = 'client/src/pairing/authenticate.ts';

it('mutants of pairing, channel and parsers are noticed', async () => {
  const program = path.join(import.meta.dirname, 'support/mutants.ts');
  const run = spawn(process.execPath, ['--import', 'tsx', program, process.env.MUTANTS ?? '6'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(run, 'exit');
  const outcomes: Outcome[] = [];
  const tell = (name: string) => {
    const own = outcomes.filter((outcome) => outcome.name === name);
    console.log(`${name}: ${own.filter(({ isKilled }) => isKilled).length} of ${own.length} noticed`);
  };
  for await (const line of createInterface(run.stdout)) {
    if (!line.startsWith('{"name"')) continue;
    const outcome: Outcome = JSON.parse(line);
    const before = outcomes.at(-1)?.name;
    if (before !== undefined && before !== outcome.name) tell(before);
    outcomes.push(outcome);
    const { name, was, is } = outcome;
    if (!outcome.isKilled) console.log(`not noticed: ${name}:${outcome.line} ${was} → ${is}`);
  }
  expect(await ended).toEqual([0, null]);
  expect(outcomes.length).toBeGreaterThan(0);
  tell(outcomes.at(-1)!.name);
  const survivors = outcomes.filter(({ isKilled }) => !isKilled);
  const rate = 1 - survivors.length / outcomes.length;
  console.log(`${outcomes.length} mutants, ${(100 * rate).toFixed(0)} % noticed`);
  expect(survivors.filter(({ name }) => name === withoutSurvivors)).toEqual([]);
});
