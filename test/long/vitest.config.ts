import { defineConfig } from 'vitest/config';

/** The long run: load, endurance and many random cases. Each test prints its figures. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    testTimeout: 3_600_000,
    maxWorkers: 2,
    disableConsoleIntercept: true,
    reporters: ['verbose'],
  },
});
