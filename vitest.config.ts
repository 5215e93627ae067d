import { svelte, vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The client's stores and components; in Node they are compiled as for a server.
  plugins: [svelte({ configFile: false, preprocess: vitePreprocess() })],
  test: {
    include: ['test/unit/**/*.test.ts', 'test/transcripts/**/*.test.ts', 'test/vectors/**/*.test.ts'],
    testTimeout: 60_000,
    // What is polled for comes; on a busy machine it may take longer than the second that is the default.
    expect: { poll: { timeout: 30_000 } },
    // Two cores are the size these tests are planned for.
    maxWorkers: 2,
  },
});
