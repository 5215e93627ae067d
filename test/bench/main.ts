// npm run bench -- --suite kernels|ot|rlwe|protocols|inference [--json]
import { loadavg } from 'node:os';
import { readOptions } from '../../scripts/lib/options.ts';
import { type BenchSuite, describeMachine } from './measure.ts';

const suites = ['kernels', 'ot', 'rlwe', 'protocols', 'inference'];
const usage = `npm run bench -- --suite ${suites.join('|')} [--json]`;

async function main(): Promise<void> {
  const { suite, json } = readOptions(usage, {
    suite: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (suite === undefined || !suites.includes(suite))
    throw new Error(`--suite: expected one of ${suites.join(', ')}, got ${suite ?? 'nothing'}\nusage: ${usage}`);
  const module = new URL(`./${suite}.ts`, import.meta.url);
  const { run } = (await import(module.href)) as { run: BenchSuite };

  const machine = { ...describeMachine(), loadBefore: loadavg()[0] };
  const results = await run();
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, results })}\n`);
    return;
  }
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.loadBefore}\n`);
  for (const { name, value, unit, min, max } of results) {
    const digits = (figure: number) => figure.toPrecision(4);
    process.stdout.write(
      `${name.padEnd(32)} ${digits(value).padStart(10)} ${unit.padEnd(8)} (${digits(min)} … ${digits(max)})\n`,
    );
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
