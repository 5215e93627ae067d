"""Each limit of docs/artifact.md refuses with the tensor's name, what was observed, and the limit."""
import copy
import dataclasses

import numpy as np
import pytest

from exporter.calibrate import calibrate
from exporter.errors import ExportError
from exporter.quantise import quantise
from exporter.scales import Precision, check_product, choose_scales
from exporter.simulate import Simulation
from exporter.splines import Tensor, choose_exp, choose_spline


def with_range(ranges, name, low, high):
    ranges = copy.deepcopy(ranges)
    ranges.low[name], ranges.high[name] = low, high
    if name in ranges.values:
        ranges.values[name].append(np.array([low, high], np.float32))
    return ranges


@pytest.mark.parametrize(
    ('name', 'high'),
    [
        ('blocks.0.attn.q', 3e4),
        ('blocks.1.attn.proj', 3e5),
        ('blocks.1.mlp.merged', 1e6),
        ('blocks.0.attn.square', 3e6),
        ('blocks.0.attn.scores', 2e4),
        ('blocks.0.attn.mix', 4e6),
        ('blocks.0.norm1', 1e7),
        ('pool', 1e6),
    ],
)
def test_a_tensor_that_is_too_large_is_refused_by_name(checkpoint, ranges, name, high):
    with pytest.raises(ExportError, match=rf'{name}.*observed .*limit '):
        choose_scales(checkpoint.fold(), with_range(ranges, name, -high, high))


def test_scores_too_far_above_their_mean_are_refused(checkpoint, ranges):
    with pytest.raises(ExportError, match=r'blocks.0.attn.exp: observed softmax scores.* up to .*limit about 1'):
        choose_scales(checkpoint.fold(), with_range(ranges, 'blocks.0.attn.centred', -30, 36))


def test_a_mean_square_that_spans_too_much_is_refused(checkpoint, ranges):
    with pytest.raises(ExportError, match=r'blocks.1.norm2.mean_square: observed arguments in \[.*segments'):
        choose_scales(checkpoint.fold(), with_range(ranges, 'blocks.1.norm2.mean_square', 1e-5, 4000))


def test_the_stream_is_coarsened_before_a_model_is_refused(checkpoint, ranges):
    wide = with_range(ranges, 'blocks.1.norm2.mean_square', 20, 1500)
    assert choose_scales(checkpoint.fold(), ranges)['residual']['fracBits'] == Precision().residual
    assert choose_scales(checkpoint.fold(), wide)['residual']['fracBits'] < Precision().residual


def test_logits_that_are_too_large_are_refused(checkpoint, ranges):
    with pytest.raises(ExportError, match=r'head \(output\): observed 1e\+05, limit'):
        choose_scales(checkpoint.fold(), with_range(ranges, 'logits', 0, 1e5))


def test_check_product_keeps_a_factor_of_two():
    assert check_product('x', 20, 512.0) == 10  # 2·512 = 2^10
    with pytest.raises(ExportError, match=r'x: observed 513 at 20 fraction bits, limit 512'):
        check_product('x', 20, 513.0)


def test_a_bias_that_is_too_large_is_refused(checkpoint, ranges):
    model = checkpoint.fold()
    fixed = choose_scales(model, ranges)
    head = dataclasses.replace(model.head, bias=model.head.bias + 1e4)
    with pytest.raises(ExportError, match='head.bias: observed .* limit 536870912'):
        quantise(dataclasses.replace(model, head=head), fixed)


@pytest.mark.parametrize(('table', 'entry'), [('score_bias', 2e4), ('static_mix', -3e5)])
def test_a_constant_that_is_too_large_is_refused(checkpoint, ranges, table, entry):
    model = checkpoint.fold()
    fixed = choose_scales(model, ranges)
    block = dataclasses.replace(model.blocks[1], **{table: np.full((49, 2), entry)})
    with pytest.raises(ExportError, match=rf'blocks.1.attn.{table}: observed .* limit 536870912'):
        quantise(dataclasses.replace(model, blocks=(model.blocks[0], block)), fixed)


def test_ranges_hold_the_constants_where_they_are_added(checkpoint, images, ranges):
    model = checkpoint.fold()
    bare = dataclasses.replace(model, blocks=tuple(dataclasses.replace(b, score_bias=None, static_mix=None) for b in model.blocks))
    mixed = dataclasses.replace(bare, blocks=tuple(dataclasses.replace(b, static_mix=np.full((49, 2), -5.0)) for b in bare.blocks))
    biased = dataclasses.replace(bare, blocks=tuple(dataclasses.replace(b, score_bias=np.full((49, 2), 5.0)) for b in bare.blocks))
    without, mixed, biased = (calibrate(m, images) for m in (bare, mixed, biased))
    attn = 'blocks.0.attn'
    # Scores, what is made of them, and the mix move; the square before mixing, which is what is truncated, does not see the mixing.
    assert biased.high[f'{attn}.scores'] == pytest.approx(without.high[f'{attn}.scores'] + 5, abs=1e-4)
    assert biased.high[f'{attn}.square'] > without.high[f'{attn}.square'] + 1
    assert biased.high[f'{attn}.centred'] == pytest.approx(without.high[f'{attn}.centred'], abs=1e-4)
    assert mixed.high[f'{attn}.square'] == without.high[f'{attn}.square']
    assert mixed.low[f'{attn}.probabilities'] < -4
    assert mixed.magnitude(f'{attn}.mix') > 2 * without.magnitude(f'{attn}.mix')
    assert ranges.high[f'{attn}.scores'] != without.high[f'{attn}.scores']


def test_values_that_are_not_finite_are_refused(checkpoint, images):
    model = checkpoint.fold()
    weight = model.head.weight.copy()
    weight[0, 0] = np.nan
    broken = dataclasses.replace(model, head=dataclasses.replace(model.head, weight=weight))
    with pytest.raises(ExportError, match=r'logits: observed values in \[nan, nan\], limit finite'):
        calibrate(broken, images)


def test_exp_and_splines_keep_to_32_bits():
    with pytest.raises(ExportError, match='scores minus their row'):
        choose_exp('x', -10, 16, 0.03, 0.004, 24, Tensor(9, 24))
    with pytest.raises(ExportError, match='4 range bits'):
        choose_spline('x', np.sin, -40, 40, lambda x: 0.01 + 0 * x, 28, Tensor(9, 1))


def test_simulation_notes_what_leaves_its_range(artifact, images):
    folder, _ = artifact
    simulation = Simulation.load(folder)
    simulation.run(images)
    assert simulation.violations.by_tensor == {}
    simulation.fixed['blocks'][0]['attn']['q']['magnitudeBits'] = -3
    simulation.run(images)
    numbers, worst, low, high = simulation.violations.by_tensor['blocks.0.attn.q']
    assert numbers == frozenset(range(len(images), 2 * len(images))) and abs(worst) >= high == -low
    with pytest.raises(ExportError, match='blocks.0.attn.q: observed'):
        simulation.violations.raise_first()


def test_an_image_out_of_range_counts_once_whatever_the_tensors_and_batches():
    simulation = Simulation({'fixedPoint': {}, 'architecture': {'tokens': 4}}, {})
    for tensors in [{'a': [0, 2], 'b': [2, 3]}, {'a': [1], 'c': []}]:
        for tensor, rows in tensors.items():
            x = np.zeros((4, 3, 2))
            x[rows, 1] = -9
            for _ in range(2):  # some tensors are checked twice under one name
                simulation.check(tensor, x, 8.0)
        simulation.seen += 4
    assert {tensor: sorted(v[0]) for tensor, v in simulation.violations.by_tensor.items()} == {'a': [0, 2, 5], 'b': [2, 3]}
    assert sorted(simulation.violations.images) == [0, 2, 3, 5]  # four images, though no tensor has more than three
