import dataclasses
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_artifact import export_tiny

from exporter.forward import forward
from exporter.onnx_model import to_onnx
from exporter.runtime import run_onnx
from exporter.simulate import Simulation, read_weights
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images

ROOT = Path(__file__).resolve().parents[2]


def numbers(value, path=''):
    """(path, number) of every number in a manifest."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f'{path}.{key}')
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from numbers(item, f'{path}.{i}')
    elif isinstance(value, (int, float)):
        yield path, value


def assert_plan_fits(manifest):
    """The limits of docs/artifact.md that can be read off a manifest."""
    fixed = manifest['fixedPoint']
    log_tokens = manifest['architecture']['tokens'].bit_length() - 1
    log_dim = manifest['architecture']['dim'].bit_length() - 1

    def norm(spec, input_frac_bits):
        rsqrt = spec['rsqrt']
        assert 2 * input_frac_bits + log_dim + rsqrt['rangeBits'] <= 32
        before = input_frac_bits + rsqrt['out']['fracBits']
        assert before + spec['out']['magnitudeBits'] <= 30 and before > spec['out']['fracBits']

    def table(spec):
        before = spec['coefficientFracBits'] + spec['basisFracBits']
        assert before + spec['out']['magnitudeBits'] <= 30 and before > spec['out']['fracBits']
        assert float(spec['minimum'] * 65536).is_integer()

    stream = fixed['residual']['fracBits']
    norm(fixed['fcNorm'], fixed['pool']['fracBits'])
    for block in fixed['blocks']:
        norm(block['norm1'], stream)
        norm(block['norm2'], stream)
        attn, mlp = block['attn'], block['mlp']
        for spec in (block['norm1']['rsqrt'], block['norm2']['rsqrt'], attn['exp'], attn['reciprocal']):
            table(spec)
        for part in mlp['gelu']['parts']:
            assert part['fracBits'] + part['magnitudeBits'] <= 30 and part['fracBits'] > mlp['gelu']['out']['fracBits']
        scores = attn['q']['fracBits'] + attn['k']['fracBits']
        assert scores + attn['scores']['magnitudeBits'] <= 30 and scores > attn['scores']['fracBits']
        assert scores + log_tokens + attn['exp']['rangeBits'] <= 32
        mean = attn['exp']['out']['fracBits'] + log_tokens
        assert mean + attn['reciprocal']['rangeBits'] <= 32
        for before in (mean + attn['reciprocal']['out']['fracBits'], 2 * attn['scores']['fracBits'] + log_tokens):
            assert before + attn['probabilities']['magnitudeBits'] <= 30 and before > attn['probabilities']['fracBits']
        assert attn['probabilities']['fracBits'] + attn['v']['fracBits'] + attn['mix']['magnitudeBits'] <= 30
        if 'squareUnits' in attn:
            units = attn['squareUnits']
            before = block['norm1']['out']['fracBits'] + units['weightFracBits']
            assert before + units['input']['magnitudeBits'] <= 30 and before > units['input']['fracBits']
            assert 2 * units['input']['fracBits'] + units['outMagnitudeBits'] <= 30 and 2 * units['input']['fracBits'] > attn['mix']['fracBits']
        assert block['norm2']['out']['fracBits'] + mlp['fc1WeightFracBits'] + mlp['gelu']['rangeBits'] <= 32


EXTREMES = {
    'all exact': (1, 1),
    'nothing exact': (0, 0),
    'softmax only': (1, 0),
    'GELU only': (0, 1),
}


@pytest.mark.parametrize('case', EXTREMES)
def test_extremes_of_the_switches(checkpoint, tmp_path, case):
    softmax, gelu = EXTREMES[case]
    extreme = dataclasses.replace(checkpoint, switches=(torch.full((2, 2, 16), float(softmax)), torch.full((2, 16), float(gelu))))
    images = tiny_images(65, seed=5)
    model = export_tiny(extreme, tmp_path, images)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    assert_plan_fits(manifest)
    assert all(rows == (list(range(16)) if softmax else []) for layer in manifest['switches']['softmaxRows'] for rows in layer)
    weights = read_weights(tmp_path)
    assert ('blocks.0.mlp.merged.weight' in weights) == (gelu == 0)
    assert ('blocks.0.mlp.fc1.weight' in weights) == ('blocks.0.mlp.fc2.bias' in weights) == (gelu == 1)
    simulation = Simulation.load(tmp_path)
    assert np.abs(simulation.run(images) - forward(model, images)).max() < 0.02
    assert simulation.violations.by_tensor == {}


def test_a_model_without_tables_and_square_units_says_nothing_of_them(tmp_path):
    plain = tiny_checkpoint(config=dataclasses.replace(CONFIG, positional=False, square_units=0))
    images = tiny_images(65, seed=5)
    model = export_tiny(plain, tmp_path, images)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    assert list(manifest['architecture']) == ['imageSize', 'patchSize', 'dim', 'depth', 'heads', 'mlpDim', 'tokens', 'classes']
    weights = read_weights(tmp_path)
    assert not any('score_bias' in name or 'static_mix' in name for name in weights)
    assert weights['blocks.0.attn.qkv.weight'].shape == (48, 16) and weights['blocks.0.attn.proj.weight'].shape == (16, 16)
    assert np.abs(Simulation.load(tmp_path).run(images) - forward(model, images)).max() < 0.02
    np.testing.assert_allclose(run_onnx(tmp_path / 'model.onnx', images), forward(model, images), atol=0.01)


def test_manifest_names_its_files_and_fits(artifact):
    folder, _ = artifact
    manifest = json.loads((folder / 'manifest.json').read_text())
    for file, key in (('weights.bin', 'weightsSha256'), ('model.onnx', 'onnxSha256')):
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == manifest['files'][key]
    assert_plan_fits(manifest)
    assert all(np.isfinite(number) for _, number in numbers(manifest))
    assert manifest['architecture']['positionalScores'] is manifest['architecture']['staticMixing'] is True
    assert manifest['architecture']['squareUnits'] == 6


def test_integers_have_the_documented_types_and_limits(artifact):
    folder, _ = artifact
    index = json.loads((folder / 'weights.json').read_text())['tensors']
    for tensor in index:
        assert tensor['offset'] % 4 == 0
        assert tensor['dtype'] == ('int16' if tensor['name'].endswith('.weight') else 'int32')
    weights = read_weights(folder)
    assert weights['patch_embed.bias'].shape == (16, 16) and weights['blocks.0.attn.qkv.weight'].shape == (48 + 6, 16)
    assert weights['blocks.0.attn.qkv.bias'].shape == (48 + 6,) and weights['blocks.0.attn.proj.weight'].shape == (16, 16 + 6)
    attn = json.loads((folder / 'manifest.json').read_text())['fixedPoint']['blocks'][1]['attn']
    scales = {'score_bias': attn['q']['fracBits'] + attn['k']['fracBits'], 'static_mix': attn['probabilities']['fracBits']}
    for name, frac_bits in scales.items():
        table = getattr(artifact[1].blocks[1], name)
        assert weights[f'blocks.1.attn.{name}'].shape == table.shape == (49, 2)
        assert np.abs(weights[f'blocks.1.attn.{name}'] * 2.0**-frac_bits - table).max() <= 2.0 ** -(frac_bits + 1)
    for name, values in weights.items():
        if name.endswith('.weight'):
            assert 2 ** 6 < np.abs(values).max() <= 2047, name


def test_onnx_equals_the_trained_network(checkpoint, images):
    d = checkpoint.description
    mean, std = (torch.tensor(d[key]).view(1, 3, 1, 1) for key in ('mean', 'std'))
    with torch.no_grad():
        pixels = torch.from_numpy(images.transpose(0, 3, 1, 2)).float()
        expected = checkpoint.model((pixels - mean) / std, checkpoint.switches).numpy()
    full = run_onnx(to_onnx(checkpoint, half=False), images)
    np.testing.assert_allclose(full, expected, atol=1e-4)
    np.testing.assert_allclose(run_onnx(to_onnx(checkpoint, half=False), images[:1]), expected[:1], atol=1e-4)
    assert full.argmax(1).tolist() == expected.argmax(1).tolist()


def test_half_precision_initialisers_change_little(checkpoint, images, monkeypatch):
    monkeypatch.setattr('exporter.onnx_model.HALF_FROM', 64)
    full, half = to_onnx(checkpoint, half=False), to_onnx(checkpoint)
    assert len(half) < 0.9 * len(full)
    assert any(node.op_type == 'Cast' for node in onnx.load_from_string(half).graph.node)
    assert 0 < np.abs(run_onnx(half, images) - run_onnx(full, images)).max() < 0.02


def test_the_manifest_makes_a_plan(artifact):
    """protocols/inference/manifest.ts is the contract; without its packages there is nothing to ask."""
    if not (ROOT / 'node_modules/tsx').exists() or shutil.which('node') is None:
        pytest.skip('node packages are not installed')
    folder, _ = artifact
    script = "import { readFileSync } from 'node:fs'; import { compilePlan, parseManifest } from './protocols/index.ts';"
    script += f"process.stdout.write(compilePlan(parseManifest(readFileSync({json.dumps(str(folder / 'manifest.json'))}, 'utf8'))).manifest.name);"
    run = subprocess.run(['node', '--import', 'tsx', '--input-type=module', '-e', script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout == 'tiny', run.stderr
