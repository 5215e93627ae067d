import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts', 'test/transcripts/**/*.test.ts', 'test/vectors/**/*.test.ts'],
    // A guard against hangs, not a measure of speed: the machines that run this are shared.
    testTimeout: 240_000,
    // Two cores are the size these tests are planned for.
    maxWorkers: 2,
  },
});
