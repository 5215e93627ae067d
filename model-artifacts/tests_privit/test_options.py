"""What the command line refuses, because it would teach nonsense, measure nonsense or do nothing; and what its help says."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from privit.__main__ import is_ours
from privit.cli import main
from privit.commands.arguments import PRESETS
from privit.evaluate import best_cross_entropy
from privit.search import SearchOptions
from vit.checkpoint import describe, load_checkpoint, save_checkpoint
from vit.data import synthetic_splits
from vit.model import VisionTransformer

SEARCH = [
    'search', '--dataset', 'synthetic', '--batch-size', '8', '--search-steps', '0', '--finetune-steps', '6', '--checkpoint-every', '2',
    '--softmax-budget', '4', '--gelu-budget', '2',
]  # fmt: skip


def checkpoint(path, kept=1.0, labels=None):
    """An untrained network's, with all switches `kept`."""
    config = PRESETS['synthetic']
    switches = torch.full((config.depth, config.num_heads, config.num_tokens), kept), torch.full((config.depth, config.num_tokens), kept)
    description = describe(config, synthetic_splits().train.info, 'untrained', 0.25)
    torch.manual_seed(len(path.name))
    save_checkpoint(path, VisionTransformer(config).state_dict(), switches, description | {'labels': labels or description['labels']})
    return str(path)


@pytest.fixture
def files(tmp_path):
    return {
        'exact': checkpoint(tmp_path / 'exact.safetensors'),
        'off': checkpoint(tmp_path / 'taylorized.safetensors', 0.0),
        'other': checkpoint(tmp_path / 'other.safetensors', labels=list('abcd')),
        'other off': checkpoint(tmp_path / 'other-off.safetensors', 0.0, list('abcd')),
        'run': str(tmp_path / 'run'),
    }


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('--teacher off --keep-switches', r'--teacher .*taylorized.* can neither distil'),
        ('--teacher off --baseline random', r'--teacher .*taylorized.* can neither distil'),
        ('--teacher off --keep-switches --distill-weight 0 --reconstruct-images 8', r'--teacher .*--reconstruct-images refits to'),
        ('--teacher exact --kd-teacher off', r'--kd-teacher .*taylorized.* can neither distil'),
        ('--teacher exact --kd-teacher other', 'other.safetensors: its labels are not those of synthetic'),
        ('--teacher other', r'--teacher .*other.safetensors: its labels are not those of .*cannot teach'),
        ('--teacher exact --granularity head --keep-switches', '--granularity: expected without'),
        ('--teacher exact --granularity head --baseline random', '--granularity: expected without'),
        ('--teacher exact --feature-weight 0.5', '--feature-weight: expected with --views or --live'),
        ('--teacher exact --token-window 1', 'token_window and window_steps: expected both or neither, got 1 and 0'),
        ('--teacher exact --window-steps 5', 'expected both or neither, got 0 and 5'),
        ('--teacher exact --checkpoint-every 0', 'checkpoint_every: expected at least 1, got 0'),
        ('--teacher exact --round-steps 0', 'round_steps: expected at least 1, got 0'),
        ('--teacher exact --evaluate-every 0', 'evaluate_every: expected at least 1, got 0'),
        ('--teacher exact --keep-last -1', 'keep_last: expected at least 0, got -1'),
    ],
)
def test_search_refuses_what_would_teach_nonsense_or_do_nothing(files, options, message):
    with pytest.raises(ValueError, match=message):
        main([*SEARCH, '--run-dir', files['run'], *(files.get(o, o) for o in options.split())])


@pytest.mark.parametrize('options', ['--keep-switches --distill-weight 0', '--keep-switches --kd-teacher exact'])
def test_a_network_with_switches_off_may_start_what_something_else_teaches(files, options):
    for start in ('off', 'other off'):
        folder = f'{files["run"]}-{start}'
        main([*SEARCH, '--teacher', files[start], '--run-dir', folder, *(files.get(o, o) for o in options.split())])
        assert not load_checkpoint(f'{folder}/checkpoint.safetensors')[1][0].any()


def test_evaluate_and_average_refuse_another_image_set(files, tmp_path):
    with pytest.raises(ValueError, match='other.safetensors: its labels are not those of synthetic'):
        main(['evaluate', '--dataset', 'synthetic', '--checkpoint', files['other']])
    for both, message in (
        (('other', 'other'), 'other.safetensors: its labels are not those of synthetic'),
        (('other', 'exact'), 'other.safetensors: expected the same labels as .*exact.safetensors'),
    ):
        with pytest.raises(ValueError, match=message):
            main(['average', '--dataset', 'synthetic', *(files[f] for f in both), '--out', str(tmp_path / 'none.safetensors')])


def test_average_weighs_checkpoints(files, tmp_path, capsys):
    more = checkpoint(tmp_path / 'another-one.safetensors')
    out = tmp_path / 'mean.safetensors'
    main(['average', '--dataset', 'synthetic', more, files['exact'], '--weights', '2', '1', '--out', str(out)])
    (first, _, _), (second, _, _), (mean, _, description) = map(load_checkpoint, (more, files['exact'], out))
    for key, value in mean.state_dict().items():
        torch.testing.assert_close(value, (2 * first.state_dict()[key] + second.state_dict()[key]) / 3)
    assert not torch.equal(first.head.weight, second.head.weight)
    assert description['recipe'] == 'untrained; mean (2:1) of 2 checkpoints'
    for weights in (['1'], ['1', '0']):
        with pytest.raises(ValueError, match='weights: expected 2 positive numbers'):
            main(['average', '--dataset', 'synthetic', more, files['exact'], '--weights', *weights, '--out', str(out)])


def test_a_run_keeps_its_last_averages_as_checkpoints(files, tmp_path, capsys):
    """The end of a run, averaged with its start, by commands alone."""
    run = tmp_path / 'run'
    main([*SEARCH, '--teacher', files['off'], '--kd-teacher', files['exact'], '--keep-switches', '--keep-last', '2', '--run-dir', str(run)])
    kept = sorted(run.glob('ema-*'))
    assert [file.name for file in kept] == ['ema-4.safetensors', 'ema-6.safetensors']
    (last, switches, description), (saved, same_switches, final) = load_checkpoint(kept[-1]), load_checkpoint(run / 'checkpoint.safetensors')
    assert all(torch.equal(a, b) for a, b in zip(last.state_dict().values(), saved.state_dict().values()))
    assert all(torch.equal(a, b) for a, b in zip(switches, same_switches))
    assert final.pop('validation_accuracy') >= 0 and description == final
    mean = str(tmp_path / 'mean.safetensors')
    main(['average', '--dataset', 'synthetic', *map(str, kept), '--out', mean])
    main(['average', '--dataset', 'synthetic', files['off'], mean, '--weights', '1', '2', '--out', mean])
    capsys.readouterr()
    main(['evaluate', '--dataset', 'synthetic', '--checkpoint', mean])
    report = json.loads(capsys.readouterr().out)
    assert 0 < report['crossEntropy'] < 3 and 0.12 < report['temperature'] < 8.1


def test_a_teacher_keeps_its_last_averages_too(tmp_path):
    run = tmp_path / 'teacher'
    command = ['teacher', '--dataset', 'synthetic', '--run-dir', str(run), '--steps', '12', '--warmup-steps', '1', '--batch-size', '8']
    main([*command, '--checkpoint-every', '5', '--keep-last', '2'])
    assert sorted(file.name for file in run.glob('ema-*')) == ['ema-10.safetensors', 'ema-12.safetensors']  # by number, not by name
    assert load_checkpoint(run / 'ema-12.safetensors')[2]['name'] == 'synthetic-teacher'


def test_fresh_networks_follow_the_seed(tmp_path):
    command = ['teacher', '--dataset', 'synthetic', '--steps', '1', '--warmup-steps', '1', '--batch-size', '8']
    heads = []
    for run, seed in enumerate((3, 3, 4)):
        torch.manual_seed(run)
        main([*command, '--run-dir', str(tmp_path / str(run)), '--seed', str(seed)])
        heads.append(load_checkpoint(tmp_path / str(run) / 'checkpoint.safetensors')[0].head.weight)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_the_best_temperature_is_found():
    probabilities = torch.tensor([[0.7, 0.2, 0.1]])
    labels = torch.tensor([0] * 7 + [1] * 2 + [2])
    logits = probabilities.log().expand(10, 3)
    entropy = float(-(probabilities * probabilities.log()).sum())
    for sharpened in (0.4, 1.0, 2.5):
        loss, temperature = best_cross_entropy(logits * sharpened, labels)
        assert loss == pytest.approx(entropy, abs=1e-4) and temperature == pytest.approx(sharpened, rel=0.01)


@pytest.mark.parametrize('options', ['--optimizer sgd', '--granularity row', '--keep-switches --baseline random'])
def test_unknown_and_contradicting_choices_end_with_usage(files, options, capsys):
    with pytest.raises(SystemExit):
        main([*SEARCH, '--teacher', files['exact'], '--run-dir', files['run'], *options.split()])
    assert 'invalid choice' in (error := capsys.readouterr().err) or 'not allowed with' in error


@pytest.mark.parametrize('command', ['teacher', 'search'])
def test_help_says_what_every_option_does(command, capsys):
    with pytest.raises(SystemExit):
        main([command, '--help'])
    text = ' '.join(capsys.readouterr().out.split())
    assert "{adamw,muon} muon: orthogonalised momentum for the blocks' matrices, AdamW for everything else; default adamw" in text
    assert command == 'teacher' or f'GELU tokens that stay exact; default {SearchOptions.gelu_budget}' in text


@pytest.mark.parametrize(
    ('file', 'words'), [('none.safetensors', 'none.safetensors'), ('train', 'expected'), ('words.txt', 'expected a folder or a zip')], ids=['missing', 'empty', 'no zip']
)
def test_from_the_shell_a_refusal_is_a_sentence(tmp_path, file, words):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'words.txt').write_text('a')
    command = ['measure', str(tmp_path), '--dataset', str(tmp_path / file), '--data', str(tmp_path)]
    run = subprocess.run([sys.executable, '-m', 'privit', *command], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.startswith('privit: ') and words in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_faults_of_libraries_keep_their_traceback():
    def raised(act) -> ValueError:
        with pytest.raises(ValueError) as caught:
            act()
        return caught.value

    assert is_ours(raised(refuse))
    assert not is_ours(raised(lambda: json.loads('{')))


def refuse() -> None:
    raise ValueError('ours')
