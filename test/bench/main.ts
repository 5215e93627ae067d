// npm run bench -- --suite kernels|ot|rlwe|protocols|inference|plan [--json]
// Of the suite `plan`: [--model NAME|PATH] [--softmax ROWS] [--gelu TOKENS], how many are exact in place of the model's own.
import { loadavg } from 'node:os';
import { readOptions } from '../../scripts/lib/options.ts';
import { type BenchSuite, describeMachine } from './measure.ts';

const suites = ['kernels', 'ot', 'rlwe', 'protocols', 'inference', 'plan'];
const usage = `npm run bench -- --suite ${suites.join('|')} [--json]
       npm run bench -- --suite plan [--model NAME|PATH] [--softmax ROWS] [--gelu TOKENS] [--json]`;

async function main(): Promise<void> {
  const { suite, json, model, ...counts } = readOptions(usage, {
    suite: { type: 'string' },
    model: { type: 'string' },
    softmax: { type: 'string' },
    gelu: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (suite === undefined || !suites.includes(suite))
    throw new Error(`--suite: expected one of ${suites.join(', ')}, got ${suite ?? 'nothing'}\nusage: ${usage}`);
  const module = new URL(`./${suite}.ts`, import.meta.url);
  const { run } = (await import(module.href)) as { run: BenchSuite };

  const machine = { ...describeMachine(), loadBefore: loadavg()[0] };
  const [softmax, gelu] = (['softmax', 'gelu'] as const).map((name) => {
    const count = counts[name] === undefined ? undefined : Number(counts[name]);
    if (count !== undefined && !(Number.isInteger(count) && count >= 0))
      throw new Error(`--${name}: expected a number of rows or tokens, got ${counts[name]}`);
    return count;
  });
  const results = await run({ model, softmax, gelu });
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, results })}\n`);
    return;
  }
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.loadBefore}\n`);
  for (const { name, value, unit, min, max } of results) {
    const digits = (figure: number) => (suite === 'plan' ? figure.toFixed() : figure.toPrecision(4));
    const range = suite === 'plan' ? '' : `(${digits(min)} … ${digits(max)})`;
    process.stdout.write(`${name.padEnd(32)} ${digits(value).padStart(10)} ${unit.padEnd(8)} ${range}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
