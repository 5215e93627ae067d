"""Networks that drop tokens behind some blocks: exported exactly, as integers, as ONNX, and back."""
import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from test_folding import reference
from test_restore import info_of
from tiny_artifact import export_tiny
from typescript import has_node, typescript

from exporter.costs import choices
from exporter.forward import forward
from exporter.public_part import publish
from exporter.refresh import refresh
from exporter.restore import restore
from exporter.simulate import Simulation
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images
from vit.kept_tokens import with_kept_tokens
from vit.model import computed

PLAIN = replace(CONFIG, positional=False, depth=3)
CLASS = replace(PLAIN, prefix_tokens=2, pool='class')
CONFIGS = {
    'class': with_kept_tokens(CLASS, [(0, 'checkerboard'), (1, 'quarter')]),
    'mean': with_kept_tokens(PLAIN, [(0, 'checkerboard'), (2, 'quarter')]),
    'registers that do not go on': replace(CLASS, pool='norm-mean', kept_tokens=((1, (0, 2, 3, 5, 8, 9, 17)),)),
}


@pytest.fixture(scope='module', params=[*CONFIGS])
def exported(request, tmp_path_factory):
    checkpoint = tiny_checkpoint(config=CONFIGS[request.param])
    checkpoint = replace(checkpoint, switches=tuple(s * there for s, there in zip(checkpoint.switches, computed(checkpoint.model.config))))
    out = tmp_path_factory.mktemp('kept')
    return checkpoint, out, export_tiny(checkpoint, out)


def test_folding_is_exact(exported):
    checkpoint, _, model = exported
    images = tiny_images(20, seed=3)
    np.testing.assert_allclose(forward(model, images), reference(checkpoint, images), rtol=1e-9, atol=1e-9)


def inside(simulation, images):
    """Logits, and which images stayed within their ranges: nearly all."""
    logits = simulation.run(images)
    outside = simulation.violations.images
    assert len(outside) <= 2
    return logits, [i for i in range(len(images)) if i not in outside]


def test_integers_follow_the_network(exported):
    _, out, model = exported
    images = tiny_images(100, seed=9)
    logits, chosen = inside(Simulation.load(out), images)
    expected = forward(model, images)
    assert np.abs(logits - expected)[chosen].max() < 0.03 * max(1, np.abs(expected).max())


@pytest.mark.skipif(not has_node(), reason='needs Node and its packages')
def test_integers_are_those_of_the_plan(exported):
    _, out, _ = exported
    images = tiny_images(30, seed=9)
    logits, chosen = inside(Simulation.load(out), images)
    np.testing.assert_array_equal(typescript(out, images[chosen[:3]]), logits[chosen[:3]])


def test_the_manifest_names_places_of_the_image_and_restore_knows_them(exported):
    checkpoint, out, _ = exported
    config = checkpoint.model.config
    manifest = json.loads((out / 'manifest.json').read_text())
    assert [(kept['block'], tuple(kept['tokens'])) for kept in manifest['architecture']['keptTokens']] == list(config.kept_tokens)
    softmax, gelu = checkpoint.switches
    assert manifest['switches']['geluTokens'] == [layer.nonzero().flatten().tolist() for layer in gelu]
    assert manifest['switches']['softmaxRows'] == [[head.nonzero().flatten().tolist() for head in layer] for layer in softmax]
    again = restore(out, info_of(checkpoint.description))
    assert again.model.config == config and all(torch.equal(a, b) for a, b in zip(again.switches, checkpoint.switches))
    assert 'tokens go on' in manifest['description'] and len(choices(manifest)) == 3
    refreshed = json.loads(json.dumps(manifest))
    refresh(refreshed)
    assert refreshed == manifest


def test_onnx_is_the_network(exported):
    checkpoint, out, _ = exported
    images = tiny_images(8, seed=4)
    session = onnxruntime.InferenceSession(out / 'model.onnx', providers=['CPUExecutionProvider'])
    logits = session.run(None, {'image': images.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    np.testing.assert_allclose(logits, reference(checkpoint, images), atol=0.02)


def test_what_is_behind_a_public_block_is_what_goes_on(exported):
    checkpoint, out, _ = exported
    images = tiny_images(20, seed=9)
    whole, chosen = inside(Simulation.load(out), images)
    publish(out, checkpoint, 2)
    assert np.abs(Simulation.load(out).run(images) - whole)[chosen].max() < 0.1 * np.abs(whole).max()
    if has_node():
        np.testing.assert_allclose(typescript(out, images[chosen[:2]]), Simulation.load(out).run(images[chosen[:2]]), atol=0.01)
