import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts', 'test/transcripts/**/*.test.ts', 'test/vectors/**/*.test.ts'],
    testTimeout: 60_000,
    // Two cores are the size these tests are planned for.
    maxWorkers: 2,
  },
});
