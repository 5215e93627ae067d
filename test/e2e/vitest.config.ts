import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    globalSetup: ['./support/buildClient.ts'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    // A busy machine may keep a browser from drawing for longer than any step may take. What only timed out is tried
    // once more, and `npm test` names it at its end; what is wrong is not tried again. A poll that ran out of time counts as wrong: its
    // error is the last comparison's.
    retry: { count: 1, condition: /timeout|timed out/i },
    // As long as a page's own waits (support/app.ts).
    expect: { poll: { timeout: 20_000 } },
    // Each journey runs two tabs that compute; more at once would only slow each other down.
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
