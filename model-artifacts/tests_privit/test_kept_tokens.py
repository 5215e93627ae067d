"""Fewer tokens behind a block: what the network computes, what its training compares, and how a student gets there."""
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from privit.__main__ import main
from privit.baselines import baseline_switches
from privit.batches import AugmentOptions, LabelledImages
from privit.condense import condense
from privit.engine import RunLog, Trainer, TrainOptions
from privit.features import FeatureRegressors
from privit.hidden import hidden_loss, teaching_blocks
from privit.pretrained import resized
from privit.prices import Prices, keep_affordable
from privit.ranges import RangeMaxima
from privit.search import SearchOptions, search
from privit.switches import Switches
from vit.card import tokens_of
from vit.checkpoint import load_checkpoint, save_checkpoint
from vit.data import load_splits
from vit.kept_tokens import PATTERNS, drop_tokens, read_place, with_kept_tokens
from vit.model import VisionTransformer, ViTConfig, computed, count_on

CLASS = ViTConfig(img_size=8, patch_size=2, embed_dim=16, depth=4, num_heads=2, num_classes=4, prefix_tokens=1, pool='class')
FEWER = with_kept_tokens(CLASS, [(0, 'checkerboard'), (2, 'quarter')])


@pytest.fixture
def model() -> VisionTransformer:
    torch.manual_seed(4)
    model = VisionTransformer(FEWER)
    for p in model.parameters():
        p.data += 0.15 * torch.randn_like(p)
    return model.eval()


def test_patterns_are_places_of_the_grid():
    assert FEWER.kept_tokens == ((0, (0, 1, 3, 6, 8, 9, 11, 14, 16)), (2, (0, 1, 3, 9, 11)))
    assert [len(FEWER.tokens_behind(block)) for block in range(4)] == [9, 9, 5, 1]
    assert [len(FEWER.tokens_before(block)) for block in range(4)] == [17, 9, 9, 5]
    assert len(FEWER.tokens_behind(3, only_pooled=False)) == 5
    wide = with_kept_tokens(ViTConfig(img_size=4, img_width=12, patch_size=4, depth=2), [(0, 'checkerboard')])
    assert wide.kept_tokens == ((0, (0, 2)),)
    assert tokens_of(FEWER) == '17 tokens, behind block 1 9 of them go on, behind block 3 5 of them go on'
    assert all(0 < sum(stays(row, column) for row in range(7) for column in range(7)) < 49 for stays in PATTERNS.values())


@pytest.mark.parametrize('pool', ['class', 'mean', 'norm-mean'])
@torch.no_grad()
def test_it_computes_what_a_network_does_whose_tokens_are_taken_out_between_its_blocks(pool):
    torch.manual_seed(5)
    config = replace(FEWER, pool=pool)
    model = VisionTransformer(config).eval()
    for p in model.parameters():
        p.data += 0.15 * torch.randn_like(p)
    images = torch.randn(3, 3, 8, 8)
    switches = tuple(torch.rand_like(s).round() for s in computed(config))
    x, there = model.embed(images), list(range(17))
    for i, block in enumerate(model.blocks):  # all queries, and only then fewer tokens
        x = block(x, switches[0][i][:, there], switches[1][i][there], '', None)
        kept = dict(config.kept_tokens).get(i, there)
        x, there = x[:, [there.index(token) for token in kept]], list(kept)
    torch.testing.assert_close(model.features(images, switches), x, atol=1e-5, rtol=1e-4)
    read = model.fc_norm(x[:, 0]) if pool == 'class' else model.fc_norm(x[:, 1:].mean(1)) if pool == 'mean' else model.fc_norm(x[:, 1:]).mean(1)
    torch.testing.assert_close(model(images, switches), model.head(read), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_dropped_tokens_are_read_by_their_last_block_and_no_later(model):
    images = torch.randn(2, 3, 8, 8)
    dropped = torch.randn_like(model.embed(images))
    dropped[:, list(FEWER.tokens_behind(0))] = 0
    plain = model.embed(images)

    def after(block: int, x: torch.Tensor) -> torch.Tensor:
        go_on = torch.tensor(FEWER.tokens_behind(0))
        x = list(model.blocks)[0](x, None, None, '', None, go_on=go_on)
        return x if block == 0 else list(model.blocks)[1](x, None, None, '', None)

    assert not torch.allclose(after(0, plain + dropped), after(0, plain))
    assert after(1, plain).shape == (2, 9, 16)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'kept_tokens': ((3, (0, 1)),)}, 'expected ascending blocks of 0..2'),
        ({'kept_tokens': ((1, (0, 1, 2)), (1, (0, 1)))}, 'expected ascending blocks of 0..2'),
        ({'kept_tokens': ((0, tuple(range(17))),)}, 'behind block 0 ascending ones of the 17 that enter it, and fewer'),
        ({'kept_tokens': ((0, (0, 17)),)}, 'ascending ones of the 17'),
        ({'kept_tokens': ((0, (0, 2, 1)),)}, 'ascending ones of the 17'),
        ({'kept_tokens': ((0, (0, 1, 2)), (1, (0, 3)))}, 'behind block 1 ascending ones of the 3 that enter it'),
        ({'kept_tokens': ((0, (1, 2)),)}, 'what the classifier reads'),
        ({'kept_tokens': ((0, (0,)),), 'pool': 'mean'}, 'at least one patch'),
        ({'kept_tokens': ((0, (0, 1)),), 'pool': 'mean', 'prefix_tokens': 0, 'positional': True}, 'expected without positional'),
    ],
)
def test_places_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(CLASS, **changes)


def test_patterns_that_do_not_exist_or_drop_nothing_are_refused():
    assert read_place('2:checkerboard') == (2, 'checkerboard')
    for text in ('2', 'checkerboard', '-1:quarter', '2:half', '2:checkerboard:quarter'):
        with pytest.raises(ValueError, match='expected BLOCK:PATTERN with one of checkerboard, quarter'):
            read_place(text)
    with pytest.raises(ValueError, match='expected ascending blocks'):
        with_kept_tokens(FEWER, [(1, 'quarter')])
    with pytest.raises(ValueError, match='and fewer'):
        with_kept_tokens(CLASS, [(0, 'checkerboard'), (1, 'checkerboard')])


def test_a_checkpoint_remembers_and_older_ones_keep_all(model, tmp_path):
    on = computed(FEWER)
    save_checkpoint(tmp_path / 'fewer.safetensors', model.state_dict(), tuple(torch.ones_like(s) for s in on), FEWER.to_dict())
    loaded, switches, _ = load_checkpoint(tmp_path / 'fewer.safetensors')
    assert loaded.config == FEWER and all(torch.equal(a, b) for a, b in zip(switches, on))
    before = {key: value for key, value in CLASS.to_dict().items() if key != 'kept_tokens'}
    save_checkpoint(tmp_path / 'before.safetensors', model.state_dict(), computed(CLASS), before)
    assert load_checkpoint(tmp_path / 'before.safetensors')[0].config == CLASS


def test_switches_are_those_of_tokens_that_go_on():
    assert (FEWER.num_softmax_rows, FEWER.num_gelu_tokens) == (2 * 24, 24) == count_on(computed(FEWER))
    assert computed(FEWER)[1][2].nonzero().flatten().tolist() == [0, 1, 3, 9, 11]
    switches = Switches(FEWER)
    switches.binarise_softmax(48), switches.binarise_gelu(24)
    assert all(torch.equal(a, b) for a, b in zip(switches.tensors(), computed(FEWER)))
    together = Switches(FEWER, 'head')
    together.softmax.data[2, 1, 9] = 0.5
    together.project()
    torch.testing.assert_close(together.softmax[2, 1, [0, 1, 2, 9]], torch.tensor([0.9, 0.9, 0, 0.9]))
    together.binarise_softmax(3 * 17)
    assert together.softmax.sum(-1).tolist() == [[9, 9], [9, 0], [0, 0], [0, 0]]
    for name in ('random', 'heads', 'teacher'):
        for kept, there in zip(baseline_switches(name, FEWER, 40, 20), computed(FEWER)):
            assert bool((kept <= there).all()) and kept.sum() > 0


def test_nothing_is_bought_that_is_not_computed():
    each = Prices('ms', 0.0, torch.ones(4, 2), torch.zeros(4), torch.ones(4), torch.zeros(4))
    zeros = tuple(torch.zeros_like(s) for s in computed(FEWER))
    assert all(torch.equal(a, b) for a, b in zip(keep_affordable(each, zeros, zeros, computed(FEWER), 1e9), computed(FEWER)))


@torch.no_grad()
def test_maxima_are_told_apart_by_the_rows_of_the_tokens_that_go_on(model):
    softmax, gelu = computed(FEWER)
    softmax[2, :, 3] = 0  # the third of its five rows
    maxima = RangeMaxima(FEWER, (softmax, gelu))
    scores = torch.zeros(1, 2, 5, 9)
    scores[0, 0, 2, 0] = 6
    maxima('blocks.2.attn.scores', scores)
    assert maxima.maxima['blocks.2.attn.scores (square rows)'] == 6 and maxima.maxima['blocks.2.attn.scores (softmax rows, minus row mean)'] == 0
    model(torch.randn(2, 3, 8, 8), (softmax, gelu), maxima)
    assert maxima.maxima['blocks.3.attn.scores (softmax rows, minus row mean)'] > 0


def test_streams_are_compared_where_tokens_go_on():
    torch.manual_seed(0)
    theirs = [torch.randn(4, 17, 16) for _ in range(4)]
    ours = [theirs[i][:, list(FEWER.tokens_behind(i))] for i in range(4)]
    pooled = torch.randn(4, 16)
    theirs[0][:, 2] += 1  # dropped
    assert float(hidden_loss(ours, theirs, pooled, pooled, FEWER, False)) == 0
    theirs[0][:, 3] += 1
    assert float(hidden_loss(ours, theirs, pooled, pooled, FEWER, False)) > 0.01
    with pytest.raises(ValueError, match='all of whose tokens go on'):
        teaching_blocks(CLASS, FEWER, '')


@torch.no_grad()
def test_a_start_is_fitted_for_the_tokens_that_go_on():
    torch.manual_seed(4)
    teacher = VisionTransformer(CLASS)
    for p in teacher.parameters():
        p.data += 0.15 * torch.randn_like(p)
    teacher.eval()
    generator = torch.Generator().manual_seed(1)
    images, others = torch.randn(400, 3, 8, 8, generator=generator), torch.randn(100, 3, 8, 8, generator=generator)
    places = [(0, 'checkerboard'), (1, 'quarter')]
    fitted = condense(teacher, [0, 1, 3], 24, images, range(3), places)
    assert fitted.config.kept_tokens == ((0, FEWER.kept_tokens[0][1]), (1, FEWER.kept_tokens[1][1]))
    whole = condense(teacher, [0, 1, 3], 24, images, range(3))
    softmax, gelu = computed(whole.config)
    cut, switches = drop_tokens(whole, (softmax, torch.zeros_like(gelu)), places)

    def off_by(student: VisionTransformer) -> float:
        read = student.pooled(student.features(others, switches)), teacher.pooled(teacher.features(others))
        return float(hidden_loss([], [], *read, CLASS, False))

    assert off_by(fitted) < 0.9 * off_by(cut) and off_by(fitted) < 0.9
    assert torch.equal(cut.blocks[1].attn.proj.weight, whole.blocks[1].attn.proj.weight)


def test_training_goes_on_from_it(model, tmp_path):
    splits = load_splits('synthetic', Path('.'))
    torch.manual_seed(4)
    teacher = VisionTransformer(CLASS).eval().requires_grad_(False)
    options = TrainOptions(batch_size=16, learning_rate=3e-3, label_weight=0, distill_weight=0, hidden_weight=1)
    source = LabelledImages(splits.train, 8, AugmentOptions())
    trainer = Trainer(model, source, options, teacher, Switches(FEWER))
    losses = [trainer.train_step() for _ in range(30)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    with pytest.raises(ValueError, match='token_window: expected without kept_tokens'):
        Trainer(model, source, TrainOptions(token_window=2, window_steps=5))
    with pytest.raises(ValueError, match='reconstruct_images: expected 0'):
        search(model, source, splits.validation, options, SearchOptions(reconstruct_images=5), RunLog(tmp_path))
    with pytest.raises(ValueError, match='of whose tokens the network keeps some'):
        resized(model, 4)


def test_tokens_that_go_on_regress_what_the_teacher_sees_at_their_places(model):
    """A loss of 0 where exactly those places are right."""
    splits = load_splits('synthetic', Path('.'))
    regressors = FeatureRegressors(16, 3, 5)
    trainer = Trainer(model, LabelledImages(splits.train, 8, AugmentOptions()), TrainOptions(label_weight=0, distill_weight=0), regressors=regressors)
    features = torch.randn(2, 5, 16)
    with torch.no_grad():
        tokens = torch.full((2, 16, 3), 9.0)
        tokens[:, [0, 2, 8, 10]] = regressors.tokens(regressors.norm(features[:, 1:]))
        batch = trainer.source.batch(0, 2, torch.Generator(), 0)
        batch = replace(batch, cnn_tokens=tokens, cnn_pooled=regressors.pooled(regressors.norm(features[:, 0])))
        assert float(trainer._loss(batch, features, torch.zeros(2, 4), None)) < 1e-10


def test_the_commands_drop_tokens_and_training_goes_on(tmp_path, capsys):
    common = ['--dataset', 'synthetic']
    train = [*common, '--batch-size', '16', '--crop-padding', '0', '--learning-rate', '3e-3', '--range-weight', '1e-4']
    teacher, student, fewer = (str(tmp_path / name) for name in ('teacher/checkpoint.safetensors', 'student.safetensors', 'fewer.safetensors'))
    main(['teacher', *train, '--run-dir', str(tmp_path / 'teacher'), '--steps', '20', '--warmup-steps', '2'])
    condensed = ['condense', *common, '--teacher', teacher, '--blocks', '0', '1', '--square-units', '6', '--images', '100']
    main([*condensed, '--out', student])
    main([*condensed, '--keep-after', '0:checkerboard', '--out', str(tmp_path / 'fitted.safetensors')])
    capsys.readouterr()
    main(['drop-tokens', *common, student, '--after', '0:checkerboard', '--out', fewer])
    assert json.loads(capsys.readouterr().out)['tokensBehind'] == [2, 2]
    for start in ('fitted', 'fewer'):
        config, switches, description = (lambda m, s, d: (m.config, s, d))(*load_checkpoint(tmp_path / f'{start}.safetensors'))
        assert config.kept_tokens == ((0, (0, 3)),) and count_on(switches) == (2 * 4, 0)
        assert description['recipe'].endswith('; behind block 0 a checkerboard of its tokens')
    steps = ['--search-steps', '4', '--finetune-steps', '4', '--keep-switches', '--hidden-weight', '1', '--hidden-blocks', '0,1']
    main(['search', *train, *steps, '--teacher', fewer, '--kd-teacher', teacher, '--run-dir', str(tmp_path / 'run')])
    trained, switches, description = load_checkpoint(tmp_path / 'run' / 'checkpoint.safetensors')
    assert trained.config.kept_tokens == ((0, (0, 3)),) and count_on(switches) == (8, 0) and 'then 8 steps more' in description['recipe']
    main(['evaluate', *common, '--checkpoint', str(tmp_path / 'run' / 'checkpoint.safetensors')])
    with pytest.raises(SystemExit):
        main(['drop-tokens', *common, student, '--after', '0:half', '--out', fewer])
    assert 'expected BLOCK:PATTERN with one of checkerboard, quarter, such as 2:checkerboard' in capsys.readouterr().err
