import { defineConfig } from 'vitest/config';

// Two real browser pages and a server: one test file at a time, with the time that a classification takes on two cores.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    maxWorkers: 1,
  },
});
