// A vitest reporter: what `npm test` counts, and names at the end, of one suite, as JSON in the file TEST_REPORT names.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The name of a test with its file, and what it failed with, one line each. */
function entry(test) {
  const { errors = [] } = test.result();
  const name = `${path.relative(process.cwd(), test.module.moduleId)} > ${test.fullName}`;
  return { name, message: (errors[0]?.message ?? '').split('\n')[0] };
}

export default class TestReport {
  async onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state) => tests.filter((test) => test.result().state === state);
    const modulesFailed = modules
      .filter((module) => module.errors().length > 0)
      .map((module) => ({ name: path.relative(process.cwd(), module.moduleId), message: module.errors()[0].message }));
    const report = {
      passed: inState('passed').length,
      skipped: inState('skipped').length,
      failed: [
        ...inState('failed').map(entry),
        ...modulesFailed,
        ...unhandledErrors.map((error) => ({ name: 'outside every test', message: error.message })),
      ],
      // Passed, but not at the first try: a fault of the test or of the code, only rarer.
      flaky: tests.filter((test) => test.diagnostic()?.flaky).map(entry),
    };
    const file = process.env.TEST_REPORT;
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(report));
  }
}
