"""Softmax that is divided behind the values: chosen where it is cheaper and fits, and then the same network."""
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_restore import info_of
from tiny_artifact import assert_integers_are_those_of_the_plan, export_tiny
from typescript import has_node

from exporter.calibrate import calibrate
from exporter.costs import choices
from exporter.folding import ceil_log2
from exporter.forward import forward
from exporter.restore import restore
from exporter.scales import DEFAULT_PRECISION, PRODUCT_BITS, choose_scales
from exporter.simulate import Simulation
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images
from vit.model import computed

PLAIN = replace(CONFIG, positional=False)
"""16 keys of a row, 8 columns of a head."""
CONFIGS = {
    'tables': (PLAIN, 1),
    'by squaring, beside a class token': (replace(PLAIN, prefix_tokens=1, pool='class', square_units=0), 5),
    'fewer tokens go on': (replace(PLAIN, depth=3, kept_tokens=((0, (0, 1, 2, 4, 7, 8, 9, 11, 13)),)), 2),
}


def all_softmax(config, factor=1.0):
    """With every row exact; factor: of the first block's scores."""
    checkpoint = tiny_checkpoint(config=config)
    with torch.no_grad():
        qkv = checkpoint.model.blocks[0].attn.qkv
        qkv.weight[: config.embed_dim] *= factor
        qkv.bias[: config.embed_dim] *= factor
    switches = torch.ones_like(checkpoint.switches[0]), checkpoint.switches[1]
    return replace(checkpoint, switches=tuple(s * there for s, there in zip(switches, computed(config))))


@pytest.fixture(scope='module', params=[*CONFIGS])
def exported(request, tmp_path_factory):
    checkpoint = all_softmax(*CONFIGS[request.param])
    out = tmp_path_factory.mktemp('unnormalised')
    return checkpoint, out, export_tiny(checkpoint, out)


def attention(out):
    return [block['attn'] for block in json.loads((out / 'manifest.json').read_text())['fixedPoint']['blocks']]


def test_blocks_of_more_keys_than_columns_have_it_and_fit(exported):
    checkpoint, out, model = exported
    specs = attention(out)
    assert sum('unnormalisedMix' in attn for attn in specs) >= len(specs) - 1
    for attn, block in zip(specs, model.blocks):
        if 'unnormalisedMix' not in attn:
            continue
        steps = [(attn['exp']['out'], attn['reciprocal']), *((s['square'], s['reciprocal']) for s in attn.get('squarings', []))]
        held, reciprocal = steps[-1]
        sums, mix, L = attn['unnormalisedMix'], attn['mix'], ceil_log2(block.tokens)
        before = held['fracBits'] + attn['v']['fracBits'] + L
        assert before + sums['magnitudeBits'] <= PRODUCT_BITS and before > sums['fracBits'] >= mix['fracBits']
        assert sums['fracBits'] + reciprocal['out']['fracBits'] + mix['magnitudeBits'] <= PRODUCT_BITS
        # The weights themselves, divided one by one, would fit too: another choice of switches needs no other scales.
        assert held['fracBits'] + L + reciprocal['out']['fracBits'] + attn['probabilities']['magnitudeBits'] <= PRODUCT_BITS
        assert held['fracBits'] + L >= DEFAULT_PRECISION.probabilities - 3


def test_integers_follow_the_network(exported):
    _, out, model = exported
    images = tiny_images(100, seed=9)
    simulation, noisy = Simulation.load(out), Simulation.load(out, np.random.default_rng(1))
    logits, expected = simulation.run(images), forward(model, images)
    inside = [i for i in range(len(images)) if i not in simulation.violations.images]
    assert len(inside) > 95
    limit = 0.03 * max(1, np.abs(expected).max())
    assert np.abs(logits - expected)[inside].max() < limit
    error = np.abs(noisy.run(images) - logits)[inside]
    assert 0 < error.max() < 1.5 * limit


@pytest.mark.skipif(not has_node(), reason='needs Node and its packages')
def test_integers_are_those_of_the_plan(exported):
    assert_integers_are_those_of_the_plan(exported[1], 5)


def test_it_is_said_and_restored(exported):
    checkpoint, out, _ = exported
    lines = choices(json.loads((out / 'manifest.json').read_text()))
    assert ['divided behind the values' in line for line in lines] == ['unnormalisedMix' in attn for attn in attention(out)]
    again = restore(out, info_of(checkpoint.description))
    assert again.model.config == checkpoint.model.config and all(torch.equal(a, b) for a, b in zip(again.switches, checkpoint.switches))
    golden = {tensor['name'] for tensor in json.loads((out / 'golden.json').read_text())['tensors']}
    assert [f'blocks.{i}.attn.probabilities' in golden for i in range(len(lines))] == ['unnormalisedMix' not in attn for attn in attention(out)]


@pytest.fixture(scope='module')
def model():
    return all_softmax(PLAIN).fold()


def has_it(model, ranges):
    return ['unnormalisedMix' in block['attn'] for block in choose_scales(model, ranges)['blocks']]


def test_sums_that_leave_too_few_bits_are_not_made(model):
    ranges = calibrate(model, tiny_images(48, seed=3))
    name = 'blocks.0.attn.softmax0.unnormalised_mix'
    assert has_it(model, ranges) == [True, True]
    found = []
    for bits in range(8, 15):
        ranges.high[name] = 2.0 ** (bits - 1)
        attn = choose_scales(model, ranges)['blocks'][0]['attn']
        late = 'unnormalisedMix' in attn
        assert not late or attn['unnormalisedMix']['magnitudeBits'] == bits
        found.append((attn['exp']['out']['fracBits'] + 4, attn['v']['fracBits']) if late else None)
    # Both as they are, then one bit of the weights fewer, then one of the values, then weights again.
    assert found == [(12, 8), (12, 8), (12, 8), (11, 8), (11, 7), (10, 7), (9, 7)]
    ranges.high[name] = 2.0**14
    assert has_it(model, ranges) == [False, True]
    ranges.high[name] = np.inf
    assert has_it(model, ranges) == [False, True]


def test_rows_of_another_kind_and_wide_heads_keep_their_weights(model):
    images = tiny_images(48, seed=3)
    rows = model.blocks[1].softmax_rows.copy()
    rows[0, 3] = False
    some = replace(model, blocks=(model.blocks[0], replace(model.blocks[1], softmax_rows=rows)))
    assert has_it(some, calibrate(some, images)) == [True, False]
    mixed = replace(model, blocks=tuple(replace(block, static_mix=np.zeros((49, 2))) for block in model.blocks))
    assert has_it(mixed, calibrate(mixed, images)) == [False, False]
    # Four keys of a row, eight columns of a head.
    few = all_softmax(replace(PLAIN, patch_size=4)).fold()
    assert has_it(few, calibrate(few, images)) == [False, False]
