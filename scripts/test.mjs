// npm test: sets up, then runs every test. `npm test -- unit|browser|python|FILE …` runs some of them.
import { readFile, rm, stat } from 'node:fs/promises';
import { findChromium } from './lib/chromium.mjs';
import { interruption, nodeProgram, root, run, say } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { python, setUpPython } from './lib/python.mjs';
import { setUp } from './lib/setup.mjs';

const isFile = (path) =>
  stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );

const suites = { unit: testUnits, browser: testBrowser, python: testPython };

/** The suite of a test file: its place in the tree says which. */
function suiteOf(file) {
  if (file.endsWith('.py')) return 'python';
  return file.startsWith('test/e2e/') ? 'browser' : 'unit';
}

async function vitest(name, config, files, env) {
  const report = `${root}test-results/${name}.json`;
  // A suite that breaks off must not be counted by the report of the run before.
  await rm(report, { force: true });
  const args = [
    'run',
    '--config',
    config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...files,
  ];
  const code = await run(...nodeProgram('vitest/vitest.mjs', ...args), { env });
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(await readFile(report, 'utf8'));
  return { code, passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
}

function testUnits(files) {
  return vitest('unit', 'vitest.config.ts', files);
}

/** Two pages and a server; the client is built first (test/e2e/support/buildClient.ts). */
async function testBrowser(files) {
  if (!(await findChromium())) await run(...nodeProgram('playwright-core/cli.js', 'install', 'chromium'));
  const path = await findChromium();
  if (!path)
    throw new Error('No Chromium, and none could be installed: install Chromium or Chrome, or set CHROMIUM_PATH.');
  return vitest('browser', 'test/e2e/vitest.config.ts', files, { CHROMIUM_PATH: path });
}

async function testPython(files) {
  await setUpPython();
  const report = `${root}test-results/python.xml`;
  await rm(report, { force: true });
  const code = await run(python, [
    '-m',
    'pytest',
    ...(files.length ? files : ['model-artifacts']),
    '-q',
    `--junitxml=${report}`,
  ]);
  const xml = await readFile(report, 'utf8');
  const count = (name) => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  return { code, failed, skipped: count('skipped'), passed: count('tests') - failed - count('skipped') };
}

await main(async () => {
  const asked = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites);
  // Of each suite, the files asked for; none means all of them.
  const chosen = new Map();
  for (const name of asked) {
    if (name in suites) chosen.set(name, []);
    else if (await isFile(root + name)) chosen.set(suiteOf(name), [...(chosen.get(suiteOf(name)) ?? []), name]);
    else throw new Error(`expected ${Object.keys(suites).join(', ')} or a test file, got ${name}`);
  }
  await setUp();
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, files] of chosen) {
    say(`\n${name} tests`);
    // A suite that cannot even start counts as one failure, and does not keep the others from running.
    const result = await suites[name](files).catch((error) => {
      if (!interruption()) say(error.message);
      return { code: 1, passed: 0, failed: 1, skipped: 0 };
    });
    if (interruption()) return interruption();
    if (result.code !== 0 && result.failed === 0) result.failed = 1;
    for (const key of Object.keys(total)) total[key] += result[key];
  }
  if (total.passed === 0 && total.failed === 0) throw new Error('no test ran');
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
});
