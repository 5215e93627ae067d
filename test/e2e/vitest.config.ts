import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    globalSetup: ['./support/buildClient.ts'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    // Each journey runs two tabs that compute; more at once would only slow each other down.
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
