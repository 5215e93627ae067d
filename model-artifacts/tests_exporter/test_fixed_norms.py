"""Norms of constant scale (privit/norms.py): folded into the matrices behind them, exactly, and nothing of them in the manifest."""
import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from test_folding import reference
from test_restore import info_of
from tiny_artifact import assert_integers_are_those_of_the_plan, export_tiny
from typescript import has_node

from exporter.forward import forward
from exporter.restore import restore
from exporter.simulate import Simulation, read_weights
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images

CLASS = replace(CONFIG, positional=False, prefix_tokens=2, pool='class')
NETWORKS = {
    'two of blocks': replace(CONFIG, fixed_norms=('blocks.0.norm2', 'blocks.1.norm1')),
    'those of all blocks': replace(CONFIG, fixed_norms=tuple(CONFIG.norms[:-1])),
    'all': replace(CONFIG, fixed_norms=tuple(CONFIG.norms)),
    "a class token's last": replace(CLASS, fixed_norms=('blocks.1.norm2', 'fc_norm')),
    'the last of each patch': replace(CLASS, pool='norm-mean', fixed_norms=('fc_norm',)),
}


@pytest.fixture(scope='module', params=NETWORKS.values(), ids=NETWORKS)
def exported(request, tmp_path_factory):
    checkpoint = tiny_checkpoint(config=request.param)
    with torch.no_grad():
        for name in request.param.fixed_norms:
            checkpoint.model.get_submodule(name).weight.mul_(0.6)
    out = tmp_path_factory.mktemp('fixed')
    return checkpoint, out, export_tiny(checkpoint, out)


def test_folding_is_exact(exported):
    checkpoint, _, model = exported
    images = tiny_images(20, seed=3)
    np.testing.assert_allclose(forward(model, images), reference(checkpoint, images), rtol=1e-9, atol=1e-9)


def test_integers_follow_the_network(exported):
    _, out, model = exported
    images = tiny_images(100, seed=9)
    simulation = Simulation.load(out)
    logits, expected = simulation.run(images), forward(model, images)
    # Random weights without norms have long tails: an image that calibration has seen none like may leave its range.
    outside = simulation.violations.images
    assert len(outside) <= 1
    inside = [i for i in range(len(images)) if i not in outside]
    assert np.abs(logits - expected)[inside].max() < 0.03 * max(1, np.abs(expected).max())


@pytest.mark.skipif(not has_node(), reason='needs Node and its packages')
def test_integers_are_those_of_the_plan(exported):
    assert_integers_are_those_of_the_plan(exported[1], 3)


def test_an_mlp_that_is_linear_is_no_step(exported):
    checkpoint, out, _ = exported
    blocks = json.loads((out / 'manifest.json').read_text())['fixedPoint']['blocks']
    gelu = checkpoint.switches[1].numpy()
    linear = [f'blocks.{i}.norm2' in checkpoint.model.config.fixed_norms and not gelu[i].any() for i in range(len(blocks))]
    assert [('mlp' not in block) for block in blocks] == linear
    assert not any(name.startswith(f'blocks.{i}.mlp') for i, is_linear in enumerate(linear) if is_linear for name in read_weights(out))


def test_the_manifest_has_no_such_norm_and_restore_knows_them(exported):
    checkpoint, out, _ = exported
    fixed = json.loads((out / 'manifest.json').read_text())['fixedPoint']
    kept = {f'blocks.{i}.{norm}' for i, block in enumerate(fixed['blocks']) for norm in ('norm1', 'norm2') if norm in block}
    kept |= {'fc_norm'} if 'fcNorm' in fixed else set()
    assert kept == set(checkpoint.model.config.norms) - set(checkpoint.model.config.fixed_norms)
    assert restore(out, info_of(checkpoint.description)).model.config == checkpoint.model.config


def test_onnx_is_the_network(exported):
    checkpoint, out, _ = exported
    images = tiny_images(8, seed=4)
    session = onnxruntime.InferenceSession(out / 'model.onnx', providers=['CPUExecutionProvider'])
    logits = session.run(None, {'image': images.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    np.testing.assert_allclose(logits, reference(checkpoint, images), atol=0.02)
