// npm test: sets up, then runs every test. `npm test -- unit|browser|python …` runs some of them.
import { readdir, readFile } from 'node:fs/promises';
import { findChromium } from './lib/chromium.mjs';
import { buildClient } from './lib/client.mjs';
import { mustRun, nodeProgram, root, run, say } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { python, setUpPython } from './lib/python.mjs';
import { setUp } from './lib/setup.mjs';

const suites = { unit: testUnits, browser: testBrowser, python: testPython };

async function vitest(name, config) {
  const report = `${root}test-results/${name}.json`;
  const args = ['run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(...nodeProgram('vitest/vitest.mjs', ...args));
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(await readFile(report, 'utf8'));
  return { code, passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
}

function testUnits() {
  return vitest('unit', 'vitest.config.ts');
}

async function testBrowser() {
  const files = await readdir(`${root}test/e2e`).catch(() => []);
  if (!files.some((file) => file.endsWith('.test.ts'))) return { code: 0, passed: 0, failed: 0, skipped: 0 };
  await buildClient();
  if (!(await findChromium())) await mustRun(...nodeProgram('playwright-core/cli.js', 'install', 'chromium'));
  return vitest('browser', 'vitest.e2e.config.ts');
}

async function testPython() {
  await setUpPython();
  const report = `${root}test-results/python.xml`;
  // One thread per core is enough, and more than the cores slows small models down.
  const code = await run(python, ['-m', 'pytest', 'model-artifacts', '-q', `--junitxml=${report}`]);
  const xml = await readFile(report, 'utf8');
  const count = (name) => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  return { code, failed, skipped: count('skipped'), passed: count('tests') - failed - count('skipped') };
}

await main(async () => {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites);
  for (const name of names) {
    if (!(name in suites)) throw new Error(`expected ${Object.keys(suites).join(', ')}, got ${name}`);
  }
  await setUp();
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    say(`\n${name} tests`);
    // A suite that cannot even start counts as one failure, and does not keep the others from running.
    const result = await suites[name]().catch((error) => {
      say(error.message);
      return { code: 1, passed: 0, failed: 1, skipped: 0 };
    });
    if (result.code !== 0 && result.failed === 0) result.failed = 1;
    for (const key of Object.keys(total)) total[key] += result[key];
  }
  if (total.passed === 0 && total.failed === 0) throw new Error('no test ran');
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
});
