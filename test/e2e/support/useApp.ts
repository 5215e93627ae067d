import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type App, startApp } from './app.ts';

/** The app for all journeys of a file: started before the first, ended after the last. No page may report an error in any. */
export function useApp(): App {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterEach(async () => {
    const errors = [...app.consoleErrors()];
    await app.reset();
    expect(errors).toEqual([]);
  });
  afterAll(() => app?.stop());
  // The file's top level has it before it runs.
  return new Proxy({} as App, { get: (_, name) => Reflect.get(app, name) });
}
