"""Each limit of docs/artifact.md refuses with the tensor's name, what was observed, and the limit."""
import copy
import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from tiny_artifact import export_tiny

from exporter.calibrate import calibrate
from exporter.errors import ExportError
from exporter.export import write_artifact
from exporter.forward import forward
from exporter.images import Preprocessing
from exporter.limits import check_limits
from exporter.quantise import quantise
from exporter.scales import Precision, check_product, choose_scales
from exporter.simulate import Simulation
from exporter.spline_search import choose_spline
from exporter.splines import Tensor, choose_exp
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images


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
        ('blocks.0.attn.square_units', 3e5),
        ('blocks.1.attn.unit_squares', 3e6),
        ('blocks.0.norm1', 1e7),
        ('pool', 1e6),
    ],
)
def test_a_tensor_that_is_too_large_is_refused_by_name(checkpoint, ranges, name, high):
    with pytest.raises(ExportError, match=rf'{name}.*observed .*limit '):
        choose_scales(checkpoint.fold(), with_range(ranges, name, -high, high))


@pytest.mark.parametrize(('high', 'fits'), [(5.2e5, True), (5.3e5, False)])
def test_the_limit_of_squares_is_the_one_that_is_named(checkpoint, ranges, high, fits):
    wide = with_range(ranges, 'blocks.1.attn.unit_squares', 0, high)
    if fits:
        units = choose_scales(checkpoint.fold(), wide)['blocks'][1]['attn']['squareUnits']
        assert 2 * units['input']['fracBits'] + units['outMagnitudeBits'] <= 30 and units['input']['fracBits'] == 5
    else:
        with pytest.raises(ExportError, match=r'blocks.1.attn.unit_squares: observed 5.3e\+05, limit 5.243e\+05'):
            choose_scales(checkpoint.fold(), wide)


def test_scores_too_far_above_their_mean_are_refused(checkpoint, ranges):
    with pytest.raises(ExportError, match=r'blocks.0.attn.exp: observed softmax scores.* up to 39.*limit about 1'):
        choose_scales(checkpoint.fold(), with_range(ranges, 'blocks.0.attn.centred', -120, 144))


def test_a_mean_square_that_spans_too_much_is_refused(checkpoint, ranges):
    with pytest.raises(ExportError, match=r'blocks.1.norm2.mean_square: observed arguments in \[.*segments'):
        choose_scales(checkpoint.fold(), with_range(ranges, 'blocks.1.norm2.mean_square', 1e-5, 4000))


def test_the_stream_is_coarsened_before_a_model_is_refused(checkpoint, ranges):
    wide = with_range(ranges, 'blocks.1.norm2.mean_square', 20, 1500)
    assert choose_scales(checkpoint.fold(), ranges)['residual']['fracBits'] == Precision().residual
    fixed = choose_scales(checkpoint.fold(), wide)
    assert fixed['residual']['fracBits'] == Precision().residual > fixed['blocks'][1]['residual']['fracBits']


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


def test_exp_is_refused_above_the_limit_that_it_names():
    def fits(high):
        return choose_exp('x', -8, high, 0.06, 0.008, 22, Tensor(9, math.ceil(high / math.log(2))))

    assert fits(13.8).out.magnitude_bits == 20
    with pytest.raises(ExportError, match=r'up to 13.9 .*limit about 13.9'):
        fits(13.9)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'num_classes': 1}, 'classes: observed 1, limit 2 to 4096'),
        ({'num_classes': 5}, 'labels: observed 4, limit 5, one for each class'),
        ({'depth': 49}, 'depth: observed 49, limit 1 to 48'),
    ],
)
def test_what_no_manifest_can_describe_is_refused_before_anything_is_computed(change, message, tmp_path):
    checkpoint = tiny_checkpoint(config=dataclasses.replace(CONFIG, **{'positional': False, **change}))
    size = checkpoint.model.config.img_size
    with pytest.raises(ExportError, match=message):
        write_artifact(checkpoint, np.zeros((1, size, size, 3), np.uint8), np.zeros((size, size, 3), np.uint8), '', Preprocessing(size, size), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_name_that_is_no_folder_is_refused():
    checkpoint = tiny_checkpoint()
    checkpoint.description['name'] = 'Mine!'
    with pytest.raises(ExportError, match='name: observed Mine!'):
        check_limits(checkpoint, Preprocessing(8, 8))
    checkpoint.description['name'] = 'mine'
    check_limits(checkpoint, Preprocessing(8, 8))


@pytest.mark.parametrize(('word', 'name', 'limit'), [('dataset', 'title', 120), ('recipe', 'description', 2000)])
def test_words_that_no_manifest_holds_are_refused(images, tmp_path, word, name, limit):
    checkpoint = tiny_checkpoint()
    checkpoint.description[word] = 'x' * limit
    with pytest.raises(ExportError, match=rf'{name}: observed \d+ characters .* limit {limit}'):
        export_tiny(checkpoint, tmp_path, images)
    assert not [*tmp_path.iterdir()]


def test_a_model_that_is_refused_late_leaves_the_folder_as_it_was(checkpoint, images, tmp_path, monkeypatch):
    (tmp_path / 'card.md').write_text('of the model before')
    monkeypatch.setattr(Simulation, 'run', lambda self, batch: self.violations.note('pool', [0], 9.0, -8.0, 8.0))
    with pytest.raises(ExportError, match='pool'):
        export_tiny(checkpoint, tmp_path, images)
    assert [path.name for path in tmp_path.iterdir()] == ['card.md']


def test_large_squares_beside_exact_rows_are_refused_before_softmax_is_coarse(checkpoint, ranges):
    model = checkpoint.fold()
    assert any(b.softmax_rows.any() and not b.softmax_rows.all() for b in model.blocks)
    fixed = choose_scales(model, with_range(ranges, 'blocks.0.attn.square', 0, 20))
    assert fixed['blocks'][0]['attn']['reciprocal']['out']['fracBits'] >= 8
    with pytest.raises(ExportError, match=r'blocks.0.attn.square: observed 4e\+04 \(score²/tokens\), limit'):
        choose_scales(model, with_range(ranges, 'blocks.0.attn.square', 0, 4e4))


@pytest.mark.parametrize('factor', [1e-4, 0.0])
def test_what_adds_next_to_nothing_exports_to_a_plan(checkpoint, images, tmp_path, factor):
    small = dataclasses.replace(checkpoint, model=copy.deepcopy(checkpoint.model))
    with torch.no_grad():
        for name, parameter in small.model.named_parameters():
            if name.startswith('blocks.1.attn.proj'):
                parameter.mul_(factor)
    model = export_tiny(small, tmp_path, images)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    assert manifest['fixedPoint']['blocks'][1]['attn']['projMagnitudeBits'] >= -manifest['fixedPoint']['residual']['fracBits']
    assert np.abs(Simulation.load(tmp_path).run(images) - forward(model, images)).max() < 0.02


def test_a_matrix_that_no_token_uses_is_not_checked(checkpoint, ranges):
    model = checkpoint.fold()
    block = dataclasses.replace(model.blocks[1], merged=dataclasses.replace(model.blocks[1].merged, weight=model.blocks[1].merged.weight * 1e-3))
    unused = copy.deepcopy(ranges)
    del unused.low['blocks.1.mlp.merged'], unused.high['blocks.1.mlp.merged']
    choose_scales(dataclasses.replace(model, blocks=(model.blocks[0], block)), unused)


def test_four_tokens_will_do(tmp_path):
    few = tiny_checkpoint(config=dataclasses.replace(CONFIG, img_size=8, patch_size=4))
    images = tiny_images(65, seed=5)
    model = export_tiny(few, tmp_path, images)
    assert np.abs(Simulation.load(tmp_path).run(images) - forward(model, images)).max() < 0.03


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
    simulation = Simulation({'fixedPoint': {}, 'architecture': {'tokens': 4, 'depth': 1}}, {})
    for tensors in [{'a': [0, 2], 'b': [2, 3]}, {'a': [1], 'c': []}]:
        for tensor, rows in tensors.items():
            x = np.zeros((4, 3, 2))
            x[rows, 1] = -9
            for _ in range(2):  # some tensors are checked twice under one name
                simulation.check(tensor, x, 8.0)
        simulation.seen += 4
    assert {tensor: sorted(v[0]) for tensor, v in simulation.violations.by_tensor.items()} == {'a': [0, 2, 5], 'b': [2, 3]}
    assert sorted(simulation.violations.images) == [0, 2, 3, 5]  # four images, though no tensor has more than three
