// npm run bench -- --suite kernels|ot|rlwe|protocols|inference [--json]
import { access } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type BenchSuite, describeMachine } from './measure.ts';

const suites = ['kernels', 'ot', 'rlwe', 'protocols', 'inference'];
const { values } = parseArgs({ options: { suite: { type: 'string' }, json: { type: 'boolean', default: false } } });

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
}

if (values.suite === undefined || !suites.includes(values.suite)) {
  fail(`--suite: expected one of ${suites.join(', ')}, got ${values.suite ?? 'nothing'}`);
}
const module = new URL(`./${values.suite}.ts`, import.meta.url);
await access(module).catch(() => fail(`suite ${values.suite} has no figures yet`));
const { run } = (await import(module.href)) as { run: BenchSuite };

const machine = { ...describeMachine(), loadBefore: loadavg()[0] };
const results = await run();
if (values.json) {
  process.stdout.write(`${JSON.stringify({ machine, results })}\n`);
} else {
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.loadBefore}\n`);
  for (const { name, value, unit, min, max } of results) {
    const digits = (figure: number) => figure.toPrecision(4);
    process.stdout.write(
      `${name.padEnd(32)} ${digits(value).padStart(10)} ${unit.padEnd(8)} (${digits(min)} … ${digits(max)})\n`,
    );
  }
}
