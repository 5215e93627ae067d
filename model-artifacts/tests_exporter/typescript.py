"""The other side of the exporter: protocols/ in Node, on a model's folder."""
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def has_node() -> bool:
    return (ROOT / 'node_modules/tsx').exists() and shutil.which('node') is not None


# No --input-type, which threads would be given too, and refuse: so no `import` by itself.
PLAN = """
(async () => {
const { readFileSync } = await import('node:fs');
const { evaluateReference, publicInput } = await import('./protocols/index.ts');
const { readModel } = await import('./scripts/lib/models.ts');
const { runOnnx } = await import('./scripts/lib/onnxRunner.ts');
const [folder] = process.argv.slice(1);
const { plan, weights, manifest, publicPart } = await readModel(folder);
const out = [];
for (const pixels of JSON.parse(readFileSync(`${folder}/pixels.json`, 'utf8'))) {
  const result = evaluateReference(plan, weights, await publicInput(Uint8Array.from(pixels), manifest, publicPart, runOnnx));
  out.push({ logits: [...result.named('logits')], violations: result.violations.length });
}
process.stdout.write(JSON.stringify(out));
})();
"""


def typescript(folder, images):
    """The logits of protocols/inference/reference.ts, in real numbers."""
    (folder / 'pixels.json').write_text(json.dumps([image.ravel().tolist() for image in images]))
    command = ['node', '--import', 'tsx', '-e', PLAN, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert all(result['violations'] == 0 for result in results)
    return np.array([result['logits'] for result in results])


def securely(folder, picture):
    """`npm run classify`: two processes, without a dealer. Its JSON."""
    command = ['node', 'scripts/run.mjs', 'scripts/classify.ts', '--model', str(folder), '--image', str(picture), '--json']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
