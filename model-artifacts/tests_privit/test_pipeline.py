"""The whole pipeline on made-up images: teacher, search, baseline, frontier; resumed runs; saved checkpoints."""
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from privit.batches import AugmentOptions, LabelledImages, TaughtViews
from privit.cli import main
from privit.engine import RunLog, TrainOptions
from privit.evaluate import accuracy
from privit.features import FeatureRegressors
from privit.search import SearchOptions, search
from privit.teacher import TeacherOptions, initial_model, train_teacher
from privit.views import Views
from vit.checkpoint import describe, load_checkpoint, save_checkpoint
from vit.data import stratified_holdout, synthetic_splits
from vit.model import VisionTransformer, count_on

AUGMENT = AugmentOptions(crop_padding=1, cutmix_probability=0.5)
TRAIN = TrainOptions(batch_size=32, learning_rate=2e-3, checkpoint_every=1)
SEARCH = SearchOptions(
    softmax_budget=5, gelu_budget=2, search_steps=12, finetune_steps=10, round_steps=3, lambda_softmax=0.01, lambda_gelu=0.01,
    switch_learning_rate=0.1, evaluate_every=5,
)  # fmt: skip


def run(tmp_path, teacher, stop_after=None, train=TRAIN):
    splits = synthetic_splits()
    source = LabelledImages(splits.train, 8, AUGMENT)
    return search(teacher, source, splits.validation, train, SEARCH, RunLog(tmp_path), stop_after=stop_after)


@pytest.mark.parametrize(('stops', 'optimizer'), [([1], 'adamw'), ([7], 'muon'), ([12, 13], 'adamw'), ([17, 21], 'muon')])
def test_resume_follows_the_same_trajectory(tmp_path, tiny_model, stops, optimizer):
    """Stopped in stage 2, between stages, and in stage 4, then resumed: every weight and switch is bit-identical."""
    teacher = initial_model(replace(tiny_model.config, positional=optimizer == 'muon'), tiny_model, same_labels=True)
    train = replace(TRAIN, optimizer=optimizer)
    whole = run(tmp_path / 'whole', teacher, train=train)
    for stop in stops:
        assert run(tmp_path / 'parts', teacher, stop, train) is None
    parts = run(tmp_path / 'parts', teacher, train=train)
    for (name, a), b in zip(whole.model.state_dict().items(), parts.model.state_dict().values()):
        assert torch.equal(a, b), name
    assert all(torch.equal(a, b) for a, b in zip(whole.switches, parts.switches))


def test_teacher_resumes_on_the_same_trajectory(tmp_path, tiny_config):
    splits = synthetic_splits()
    source = LabelledImages(splits.train, 8, AUGMENT)

    def train(folder, stop_after=None):
        torch.manual_seed(0)
        model = VisionTransformer(tiny_config)
        options = TrainOptions(batch_size=32, checkpoint_every=1, token_window=1, window_steps=6)
        return train_teacher(model, source, splits.validation, options, TeacherOptions(steps=8), RunLog(folder), stop_after=stop_after)

    whole, _ = train(tmp_path / 'whole')
    assert train(tmp_path / 'parts', 5) is None
    parts, _ = train(tmp_path / 'parts')
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), parts.state_dict().values()))


def test_search_meets_budgets_exactly_and_the_checkpoint_is_what_was_measured(tmp_path, tiny_model):
    splits = synthetic_splits()
    result = run(tmp_path, tiny_model)
    assert count_on(result.switches) == (5, 2)
    path = tmp_path / 'checkpoint.safetensors'
    description = describe(tiny_model.config, splits.train.info, 'test', result.validation_accuracy)
    save_checkpoint(path, result.model.state_dict(), result.switches, description)
    model, switches, loaded = load_checkpoint(path)
    images = torch.randn(3, 3, 8, 8)
    assert torch.equal(model(images, switches), result.model(images, result.switches))
    assert accuracy(model, switches, splits.validation) == result.validation_accuracy
    assert loaded['labels'] == splits.train.info.labels


def test_a_checkpoint_needs_binary_switches(tmp_path, tiny_model):
    half = (torch.full((2, 2, 4), 0.5), torch.ones(2, 4))
    with pytest.raises(ValueError, match='binarised'):
        save_checkpoint(tmp_path / 'x.safetensors', tiny_model.state_dict(), half, {})


def test_the_command_line_from_teacher_to_frontier(tmp_path, capsys):
    common = ['--dataset', 'synthetic', '--batch-size', '32', '--crop-padding', '0', '--learning-rate', '3e-3', '--range-weight', '1e-4']
    steps = ['--search-steps', '20', '--finetune-steps', '20', '--softmax-budget', '4', '--gelu-budget', '1']
    teacher = str(tmp_path / 'teacher' / 'checkpoint.safetensors')
    main(['teacher', *common, '--run-dir', str(tmp_path / 'teacher'), '--steps', '40', '--warmup-steps', '5', '--positional'])
    main(['search', *common, *steps, '--teacher', teacher, '--run-dir', str(tmp_path / 'search'), '--switch-learning-rate', '0.1'])
    main(['search', *common, *steps, '--teacher', teacher, '--run-dir', str(tmp_path / 'random'), '--baseline', 'random'])
    heads = ['--granularity', 'head', '--switch-learning-rate', '0.1']
    main(['search', *common, *steps, '--teacher', teacher, '--run-dir', str(tmp_path / 'heads'), *heads])
    again = ['--teacher', str(tmp_path / 'search' / 'checkpoint.safetensors'), '--run-dir', str(tmp_path / 'again'), '--keep-switches', '--kd-teacher', teacher]
    main(['search', *common, *steps, *again])
    kept = [load_checkpoint(tmp_path / run / 'checkpoint.safetensors')[1] for run in ('search', 'again')]
    assert all(torch.equal(a, b) for a, b in zip(*kept))
    pruned = str(tmp_path / 'pruned.safetensors')
    main(['prune', '--dataset', 'synthetic', str(tmp_path / 'search' / 'checkpoint.safetensors'), '--images', '20', '--limit', '1e9', '--out', pruned])
    squares = ['--teacher', pruned, '--run-dir', str(tmp_path / 'squares'), '--keep-switches', '--kd-teacher', teacher, '--square-units', '3']
    main(['search', *common, *steps, *squares])
    model, switches, description = load_checkpoint(tmp_path / 'squares' / 'checkpoint.safetensors')
    assert (description['square_units'], count_on(switches)) == (3, (0, 1)) and '4 softmax rows of heads' in description['recipe']
    assert all(block.squares.fc2.weight.abs().max() > 0 for block in model.blocks)
    ends = [str(tmp_path / 'squares' / name) for name in ('checkpoint.safetensors', 'start.safetensors')]
    main(['average', '--dataset', 'synthetic', *ends, '--weights', '3', '1', '--out', str(tmp_path / 'mean.safetensors')])
    trained, began, mean = (load_checkpoint(Path(file))[0].blocks[1].squares.fc1.weight for file in (*ends, tmp_path / 'mean.safetensors'))
    torch.testing.assert_close(mean, 0.75 * trained + 0.25 * began)
    assert not torch.equal(trained, began)
    with pytest.raises(ValueError, match='--square-units: expected 3'):
        main(['search', *common, *steps, *squares[:1], str(tmp_path / 'squares' / 'checkpoint.safetensors'), *squares[2:-1], '4'])
    recipes = [load_checkpoint(tmp_path / run / 'checkpoint.safetensors')[2]['recipe'] for run in ('search', 'again')]
    assert recipes[0].startswith('PriViT (search): 20 + 20 steps') and recipes[1] == f'{recipes[0]}; then 40 steps more'
    both = [str(tmp_path / run / 'checkpoint.safetensors') for run in ('search', 'again')]
    main(['average', '--dataset', 'synthetic', *both, '--out', str(tmp_path / 'mean.safetensors')])
    mean, first, second = (load_checkpoint(Path(file))[0].head.weight for file in (tmp_path / 'mean.safetensors', *both))
    torch.testing.assert_close(mean, (first + second) / 2)
    assert not torch.equal(first, second)
    with pytest.raises(ValueError, match='the same architecture and switches'):
        main(['average', '--dataset', 'synthetic', both[0], teacher, '--out', str(tmp_path / 'none.safetensors')])
    capsys.readouterr()
    main(['evaluate', '--dataset', 'synthetic', '--checkpoint', str(tmp_path / 'search' / 'checkpoint.safetensors')])
    report = json.loads(capsys.readouterr().out)
    assert (report['softmaxRows'], report['geluTokens']) == (4, 1)
    assert report['top1'] > 0.9  # four classes: chance is 0.25
    main(['frontier', '--runs', *(str(tmp_path / r) for r in ('teacher', 'search', 'heads', 'random')), '--out', str(tmp_path / 'frontier.png')])
    table = capsys.readouterr().out
    assert '| search | 4 | 1 |' in table and '| random | 4 | 1 |' in table and '| search of whole heads | 4 | 0 |' in table and '| exact | 16 | 8 |' in table
    (tmp_path / 'evaluation.json').write_text(json.dumps(report))
    checkpoint, card = tmp_path / 'search' / 'checkpoint.safetensors', tmp_path / 'card.md'
    main(['card', '--checkpoint', str(checkpoint), '--evaluations', str(tmp_path / 'evaluation.json'), '--out', str(card)])
    assert '4 of 16 (25.0 %)' in card.read_text() and f'{100 * report["top1"]:.2f} % of' in card.read_text()
    for picture in (tmp_path / 'frontier.png', tmp_path / 'search' / 'switch-maps.png'):
        assert picture.read_bytes().startswith(b'\x89PNG')


def test_cut_mixed_views_keep_targets_with_their_pixels(tiny_config):
    """Each token of a mixed batch carries the CNN feature of the image whose pixels it shows."""
    images = synthetic_splits(count=8).train
    n = len(images)
    identity = torch.arange(n).float()
    pixels = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 3, 8, 8).contiguous()
    views = Views(n, 1, pixels, identity[:, None, None].expand(n, 4, 112), identity[:, None].expand(n, 1280), identity[:, None].expand(n, 4))
    source = TaughtViews(images, views, 4, AugmentOptions(cutmix_probability=1.0, jitter=0.0))
    mixed = 0
    for step in range(6):
        batch = source.batch(step, 8, torch.Generator().manual_seed(step), 0)
        shown = batch.images * images.info.std[0] + images.info.mean[0]
        per_token = shown.unfold(2, 4, 4).unfold(3, 4, 4).mean((1, 4, 5)).flatten(1)  # (B, 4)
        torch.testing.assert_close(per_token, batch.cnn_tokens[..., 0], atol=1e-3, rtol=0)
        torch.testing.assert_close(per_token.mean(1), batch.cnn_pooled[:, 0], atol=1e-3, rtol=0)
        mixed += int((per_token.std(1) > 0).any())
    assert mixed > 0
    assert FeatureRegressors(16, batch.cnn_tokens.shape[-1], batch.cnn_pooled.shape[-1]).loss(torch.randn(8, 4, 16), batch.cnn_tokens, batch.cnn_pooled).isfinite()


def test_holdout_is_balanced_disjoint_and_stable():
    labels = torch.arange(100) % 5
    held, kept = stratified_holdout(labels, 20)
    assert labels[held].bincount().tolist() == [4] * 5
    assert sorted([*held.tolist(), *kept.tolist()]) == list(range(100))
    assert torch.equal(held, stratified_holdout(labels, 20)[0])


def test_the_command_line_from_an_exact_network_to_a_condensed_student(tmp_path, capsys):
    common = ['--dataset', 'synthetic', '--batch-size', '32', '--crop-padding', '0', '--learning-rate', '3e-3', '--range-weight', '1e-4']
    first, second = (tmp_path / name / 'checkpoint.safetensors' for name in ('first', 'second'))
    main(['teacher', *common, '--run-dir', str(first.parent), '--steps', '40', '--warmup-steps', '5'])
    main(['teacher', *common, '--run-dir', str(second.parent), '--steps', '10', '--warmup-steps', '2', '--start', str(first)])
    teacher, _, description = load_checkpoint(second)
    size = teacher.config.img_size
    assert description['recipe'] == f'exact network: 40 steps of 32 images; then 10 steps of 32 images at {size} px'
    start, run_dir = tmp_path / 'start.safetensors', tmp_path / 'student'
    kept = ['--blocks', '1', '--square-units', '8', '--images', '64', '--exact-norms', '0']
    capsys.readouterr()
    main(['condense', '--dataset', 'synthetic', '--teacher', str(second), *kept, '--out', str(start)])
    said = json.loads(capsys.readouterr().out)
    assert said['hiddenBlocks'] == '1'
    learn = ['--keep-switches', '--teacher', str(start), '--kd-teacher', str(second), '--hidden-weight', '1', '--hidden-blocks', said['hiddenBlocks']]
    main(['search', *common, '--run-dir', str(run_dir), *learn, '--search-steps', '0', '--finetune-steps', '20'])
    student, switches, description = load_checkpoint(run_dir / 'checkpoint.safetensors')
    assert (student.config.depth, count_on(switches)) == (1, (student.config.num_softmax_rows, 0))
    assert student.config.fixed_norms == ('blocks.0.norm2',)
    assert description['recipe'].endswith('condensed to its blocks 1 in closed form on 64 images; then 20 steps more')
    with pytest.raises(ValueError, match=f'img_size {size + 1} is not a multiple of patch_size'):
        main(['teacher', *common, '--run-dir', str(tmp_path / 'third'), '--steps', '1', '--start', str(first), '--size', str(size + 1)])
