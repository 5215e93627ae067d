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
  const reporters = ['--reporter=default', `--reporter=${root}scripts/lib/testReport.mjs`];
  const args = ['run', '--config', config, ...reporters, ...files];
  const code = await run(...nodeProgram('vitest/vitest.mjs', ...args), { env: { ...env, TEST_REPORT: report } });
  return { code, ...JSON.parse(await readFile(report, 'utf8')) };
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
  const failed = [
    ...xml.matchAll(/<testcase classname="([^"]*)" name="([^"]*)"[^>]*><(?:failure|error) message="([^"]*)"/g),
  ].map(([, file, name, message]) => ({ name: `${file} > ${name}`, message: message.split('&#10;')[0] }));
  const passed = count('tests') - count('failures') - count('errors') - count('skipped');
  return { code, passed, failed, skipped: count('skipped'), flaky: [] };
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
  const total = { passed: 0, skipped: 0, failed: [], flaky: [] };
  for (const [name, files] of chosen) {
    say(`\n${name} tests`);
    // A suite that cannot even start counts as one failure, and does not keep the others from running.
    const result = await suites[name](files).catch((error) => {
      if (!interruption()) say(error.message);
      return {
        code: 1,
        passed: 0,
        skipped: 0,
        failed: [{ name: `the ${name} tests`, message: error.message }],
        flaky: [],
      };
    });
    if (interruption()) return interruption();
    if (result.code !== 0 && result.failed.length === 0)
      result.failed.push({ name: `the ${name} tests`, message: `ended with code ${result.code}` });
    total.passed += result.passed;
    total.skipped += result.skipped;
    total.failed.push(...result.failed);
    total.flaky.push(...result.flaky);
  }
  const { passed, skipped, failed, flaky } = total;
  if (passed === 0 && failed.length === 0) throw new Error('no test ran');
  // At the very end, so that who sees only the end of a long output knows what to look at.
  for (const { name, message } of flaky) say(`passed at the second try: ${name}: ${message}`);
  for (const { name, message } of failed) say(`failed: ${name}: ${message}`);
  process.stdout.write(`\n${passed} passed, ${failed.length} failed, ${skipped} skipped\n`);
  return failed.length === 0 ? 0 : 1;
});
