// npx tsx test/bench/chromium.ts SUITE: runs a suite of test/bench in a Worker of headless Chromium instead of in Node.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { launchChromium } from '../support/chromium.ts';
import type { BenchResult } from './measure.ts';

const suite = process.argv[2] ?? 'ot';
const entry = '\0bench';
const output = await build({
  configFile: false,
  logLevel: 'error',
  root: fileURLToPath(new URL('../..', import.meta.url)),
  plugins: [
    {
      name: 'bench',
      // measure.ts describes a machine by node:os, which a browser does not have and the suites do not use.
      resolveId: (id) => (id === 'bench' ? entry : id === 'node:os' ? '\0os' : undefined),
      load(id) {
        if (id === '\0os') return 'export const cpus = () => [];';
        const module = fileURLToPath(new URL(`./${suite}.ts`, import.meta.url));
        if (id === entry)
          return `import { run } from ${JSON.stringify(module)}; run().then((results) => postMessage({ results }), (error) => postMessage({ error: String(error) }));`;
        return undefined;
      },
    },
  ],
  build: {
    write: false,
    target: 'es2022',
    minify: false,
    rollupOptions: { input: 'bench', output: { format: 'es', codeSplitting: false } },
  },
});
const [{ output: files }] = (Array.isArray(output) ? output : [output]) as unknown as [{ output: { code: string }[] }];
const script = files[0].code;

const server = createServer((request, response) => {
  const isScript = request.url === '/bench.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(isScript ? script : '<!doctype html><title>bench</title>');
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as { port: number };
const browser = await launchChromium([
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]);
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const { results, error } = await page.evaluate(
    () =>
      new Promise<{ results?: BenchResult[]; error?: string }>((resolve) => {
        const worker = new Worker('/bench.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message });
      }),
  );
  if (error !== undefined) throw new Error(error);
  process.stdout.write(`Chromium ${browser.version()}\n`);
  for (const { name, value, unit, min, max } of results!) {
    const digits = (figure: number) => figure.toPrecision(4);
    process.stdout.write(
      `${name.padEnd(32)} ${digits(value).padStart(10)} ${unit.padEnd(8)} (${digits(min)} … ${digits(max)})\n`,
    );
  }
} finally {
  await browser.close();
  server.close();
}
