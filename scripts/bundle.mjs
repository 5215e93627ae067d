// node scripts/bundle.mjs: lists the models that git tracks, for signaling-server/bundledModels.ts.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { root } from './lib/commands.mjs';

const zoo = 'model-artifacts/zoo/';
const bundle = {};
for (const path of execFileSync('git', ['ls-files', '-z', zoo], { cwd: root, encoding: 'utf8' }).split('\0').sort()) {
  const [, model, name] = /^([^/]+)\/(.+)$/.exec(path.slice(zoo.length)) ?? [];
  if (!model) continue;
  bundle[model] ??= {};
  bundle[model][name] = createHash('sha256')
    .update(readFileSync(root + path))
    .digest('hex');
}
writeFileSync(`${root}${zoo}bundled.json`, `${JSON.stringify(bundle, null, 2)}\n`);
