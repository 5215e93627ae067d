// npm run import -- FILE|DIR --images DIR|ZIP --out DIR …: anybody's ViT as an artifact (docs/bring-your-own.md). Sets up Python first.
import { root, run } from './lib/commands.mjs';
import { main } from './lib/main.mjs';
import { python, setUpPython } from './lib/python.mjs';

await main(async () => {
  await setUpPython();
  const path = [`${root}model-artifacts`, process.env.PYTHONPATH]
    .filter(Boolean)
    .join(process.platform === 'win32' ? ';' : ':');
  return run(python, ['-m', 'exporter', 'import', ...process.argv.slice(2)], { env: { PYTHONPATH: path } });
});
