"""What comes out is a checkpoint that anybody reads, says what it said, and stays in narrower ranges; an interrupted run goes on as if it had not been."""
import copy
import json
from dataclasses import replace

import pytest
import torch

from privit.augment import resize
from privit.cli import main
from privit.commands.pretrained import resized_facts, write_timm
from privit.narrow import NarrowOptions, Photographs, agreement, narrow, score_limits
from privit.pretrained import resized
from privit.ranges import SCORE_LIMIT, RangePenalty
from vit.data import synthetic_splits
from vit.imports import Fact, Facts, ImportProblem, import_checkpoint
from vit.kept_tokens import with_kept_tokens
from vit.model import VisionTransformer, ViTConfig

CONFIG = ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4, pool='class', prefix_tokens=1)
SPLITS = synthetic_splits()
MEAN = torch.full((3,), 127.5)
OPTIONS = NarrowOptions(steps=100, batch_size=8, learning_rate=2e-2, last_weight=1e-2, ema_decay=0.5, save_every=20)


def shown(part: str) -> Photographs:
    return Photographs([getattr(SPLITS, part)] * 2, MEAN, MEAN, CONFIG.img_size, 0.5)


def wide() -> VisionTransformer:
    """One channel of the residual stream, and one hidden unit, far outside."""
    torch.manual_seed(4)
    model = VisionTransformer(CONFIG).eval()
    with torch.no_grad():
        model.blocks[0].mlp.fc1.bias[3] = 9.0
        model.blocks[0].mlp.fc2.weight[5, 3] = 4.0
    return model


def excess(model: VisionTransformer, images: torch.Tensor | None = None) -> float:
    penalty = RangePenalty()
    with torch.no_grad():
        model(shown('validation').centres(16) if images is None else images, None, penalty)
    return float(penalty.total)


def test_ranges_become_narrow_and_answers_stay(tmp_path):
    model = wide()
    lines = []
    narrowed = narrow(copy.deepcopy(model), model, shown('train'), shown('validation'), OPTIONS, tmp_path, lines.append)
    assert excess(narrowed) < 0.5 * excess(model)
    assert agreement(narrowed, model, shown('validation').centres(32)) > 0.9
    assert '"agreement"' in lines[-1]


def test_what_no_photograph_looks_like_is_held_to_the_same_ranges(tmp_path):
    without, with_odd = (
        narrow(wide(), wide(), shown('train'), shown('validation'), replace(OPTIONS, ood_images=count), tmp_path / str(count), print) for count in (0, 4)
    )
    odd = shown('validation').ood(CONFIG.img_size)
    assert excess(with_odd, odd) < 0.8 * excess(without, odd)


def test_an_interrupted_run_goes_on(tmp_path):
    whole = narrow(wide(), wide(), shown('train'), shown('validation'), OPTIONS, tmp_path / 'whole', print)

    class Stop(Exception):
        pass

    def stop(line: str) -> None:
        if '"step": 40' in line:
            raise Stop

    try:
        narrow(wide(), wide(), shown('train'), shown('validation'), OPTIONS, tmp_path / 'parts', stop)
    except Stop:
        pass
    parts = narrow(wide(), wide(), shown('train'), shown('validation'), OPTIONS, tmp_path / 'parts', print)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value)


def test_what_the_log_tells_is_the_mean_of_the_steps_since_its_last_line(tmp_path):
    """Of a run that was longer the second time too."""
    torch.manual_seed(8)
    before, still = VisionTransformer(CONFIG), replace(OPTIONS, steps=60, learning_rate=0.0)
    lines: dict[str, list[str]] = {'whole': [], 'parts': []}
    narrow(wide(), before, shown('train'), shown('validation'), still, tmp_path / 'whole', lines['whole'].append)
    for steps in (30, 60):
        narrow(wide(), before, shown('train'), shown('validation'), replace(still, steps=steps), tmp_path / 'parts', lines['parts'].append)
    whole, parts = ([line for line in map(json.loads, lines[run]) if 'mse' in line] for run in ('whole', 'parts'))
    assert [line['step'] for line in parts] == [20, 30, 40, 60]
    assert parts[-1] == pytest.approx(whole[-1] | {'weight': parts[-1]['weight']})
    assert (parts[1]['mse'] + parts[2]['mse']) / 2 == pytest.approx(whole[1]['mse'], abs=2e-4)


def checkpoint_of(config: ViTConfig, folder, **said) -> str:
    facts = {'mean': (0.5,) * 3, 'std': (0.25,) * 3, 'interpolation': 'bicubic', 'shorter_side': 10} | said
    write_timm(folder, VisionTransformer(config).state_dict(), config, Facts({name: Fact(value, 'here') for name, value in facts.items()}), None)
    return str(folder)


def test_what_a_checkpoint_says_of_all_its_tokens_is_learned(tmp_path, monkeypatch):
    """Where its own configuration drops some; a teacher that is named is taken as it is."""
    fewer = with_kept_tokens(CONFIG, [(0, 'checkerboard')])
    path, seen = checkpoint_of(fewer, tmp_path / 'fewer', keep_after=('0:checkerboard',)), []
    monkeypatch.setattr('privit.commands.pretrained.narrow', lambda model, before, *rest: seen.append((model.config, before.config)) or model)
    for more in ([], ['--teacher', path], ['--keep-after', '0:quarter']):
        main(['narrow', path, '--photographs', 'synthetic', '--run-dir', str(tmp_path / 'run'), *more])
    assert seen == [(fewer, CONFIG), (fewer, fewer), (with_kept_tokens(CONFIG, [(0, 'quarter')]), CONFIG)]


def test_a_network_for_images_that_are_not_square_is_refused_in_a_sentence(tmp_path):
    square, oblong = (checkpoint_of(replace(CONFIG, img_width=width), tmp_path / str(width)) for width in (None, 16))
    for files in ([oblong], [square, '--teacher', oblong], [oblong, '--size', '12']):
        with pytest.raises(ValueError, match='16: expected a network for square images, got one for 8 x 16'):
            main(['narrow', *files, '--photographs', 'synthetic', '--run-dir', str(tmp_path / 'run')])
    for size in ('0', '-4'):
        with pytest.raises(ValueError, match=f'img_size: expected 4 or more, one patch, got {size}'):
            main(['narrow', square, '--photographs', 'synthetic', '--run-dir', str(tmp_path / 'run'), '--size', size])


@pytest.mark.parametrize('option', ['--run-dir', '--out'])
def test_nothing_is_written_among_the_photographs(option, tmp_path):
    folders = {'--run-dir': tmp_path / 'run', '--out': tmp_path / 'out'} | {option: tmp_path / 'set/run'}
    (tmp_path / 'set').mkdir()
    arguments = [str(word) for pair in folders.items() for word in pair]
    with pytest.raises(ValueError, match=f'{option} .*set/run: lies in .*set, whose pictures are read'):
        main(['narrow', 'none', '--photographs', 'synthetic', str(tmp_path / 'set'), *arguments])


def test_limits_are_of_each_layer():
    torch.manual_seed(4)
    model = VisionTransformer(CONFIG).eval()
    with torch.no_grad():
        model.blocks[1].attn.qkv.weight[: 2 * CONFIG.embed_dim] *= 40
    limits = score_limits(model, shown('validation').centres(16))
    assert limits == {'blocks.0.attn.scores': SCORE_LIMIT, 'blocks.1.attn.scores': 2 * SCORE_LIMIT}


def test_of_a_layer_with_its_own_limit_only_the_scores_from_their_mean_count():
    scores = torch.full((1, 1, 2, 4), 100.0)
    penalty = RangePenalty(score_limits={'blocks.0.attn.scores': SCORE_LIMIT}, square_rows=False)
    penalty('blocks.0.attn.scores', scores)
    assert float(penalty.total) == 0


def test_fewer_tokens_are_learned_and_written_down(tmp_path):
    torch.manual_seed(4)
    before = VisionTransformer(CONFIG).eval()
    with torch.no_grad():
        before.head.weight.mul_(10)
        before.pos_embed.normal_()
        for block in before.blocks:  # so that it matters what the others say
            block.attn.qkv.weight.mul_(10)
            block.attn.proj.weight.mul_(20)
    fewer = VisionTransformer(with_kept_tokens(before.config, [(0, 'checkerboard')])).eval()
    fewer.load_state_dict(before.state_dict())
    images = shown('validation').centres(32)


    def apart(model: VisionTransformer) -> float:
        with torch.no_grad():
            return float((model(images) - before(images)).square().mean())

    untrained = apart(fewer)
    narrowed = narrow(fewer, before, shown('train'), shown('validation'), replace(OPTIONS, learning_rate=5e-3), tmp_path, lambda line: None)
    assert apart(narrowed) < 0.5 * untrained
    facts = {'mean': (0.5,) * 3, 'std': (0.25,) * 3, 'interpolation': 'bicubic', 'shorter_side': 10, 'keep_after': ('0:checkerboard',)}
    write_timm(tmp_path, narrowed.state_dict(), narrowed.config, Facts({name: Fact(value, 'here') for name, value in facts.items()}), None)
    again = import_checkpoint(tmp_path)
    assert again.model.config.kept_tokens == narrowed.config.kept_tokens
    with pytest.raises(ImportProblem, match='keep_after: expected BLOCK:PATTERN'):
        import_checkpoint(tmp_path, {'keep_after': ['0:stripes']})


def test_what_is_written_is_imported_as_the_same_network(tmp_path):
    for prefix_tokens in (1, 3):
        torch.manual_seed(5)
        model = VisionTransformer(replace(CONFIG, prefix_tokens=prefix_tokens)).eval()
        facts = Facts({name: Fact(value, 'here') for name, value in (('mean', (0.5,) * 3), ('std', (0.25,) * 3), ('interpolation', 'bicubic'), ('shorter_side', 10))})
        write_timm(tmp_path, model.state_dict(), model.config, facts, ['a', 'b', 'c', 'd'])
        again = import_checkpoint(tmp_path)
        images = shown('validation').centres(4)
        with torch.no_grad():
            torch.testing.assert_close(again.model(images), model(images))
        assert again.labels == ['a', 'b', 'c', 'd']
        assert (again.facts.value('interpolation'), again.facts.value('shorter_side'), again.facts.value('std')) == ('bicubic', 10, (0.25,) * 3)


@pytest.mark.parametrize('fit', ['crop', 'squash'])
@pytest.mark.parametrize('activation', ['gelu', 'gelu-tanh', 'quick-gelu', 'relu'])
@pytest.mark.parametrize(('pool', 'prefix_tokens'), [('class', 1), ('class', 5), ('mean', 0), ('mean', 1), ('norm-mean', 0), ('norm-mean', 1), ('norm-mean', 3)])
def test_every_part_of_a_network_is_written_and_read_again(pool, prefix_tokens, activation, fit, tmp_path):
    torch.manual_seed(6)
    for epsilon in (1e-6, 1e-12, 0.1):
        model = VisionTransformer(replace(CONFIG, pool=pool, prefix_tokens=prefix_tokens, activation=activation, norm_eps=epsilon)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        said = {'mean': (0.5,) * 3, 'std': (0.25,) * 3, 'interpolation': 'bicubic', 'shorter_side': 9, 'fit': fit}
        write_timm(tmp_path, model.state_dict(), model.config, Facts({name: Fact(value, 'here') for name, value in said.items()}), None)
        again = import_checkpoint(tmp_path)
        assert again.model.config == model.config
        assert (again.facts.value('fit'), again.facts.value('shorter_side')) == (fit, 9 if fit == 'crop' else 8)
        images = torch.randn(2, 3, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(again.model(images), model(images))


@pytest.mark.parametrize('unsaid', [{'square_units': 4}, {'fixed_norms': ('fc_norm',)}, {'kept_tokens': ((0, (0, 1)),)}])
def test_what_timm_has_no_name_for_is_not_written(unsaid, tmp_path):
    model = VisionTransformer(replace(CONFIG, **unsaid))
    facts = Facts({name: Fact((0.5,) * 3, 'here') for name in ('mean', 'std')})
    with pytest.raises(ValueError, match=f'{next(iter(unsaid))}: expected none'):
        write_timm(tmp_path / 'out', model.state_dict(), model.config, facts, None)
    assert not (tmp_path / 'out').exists()


def test_smaller_images_are_learned(tmp_path):
    """The teacher sees 8 pixels a side, the student 4: one patch in place of four."""
    torch.manual_seed(7)
    before = VisionTransformer(CONFIG).eval()
    with torch.no_grad():
        before.pos_embed.normal_()
        before.head.weight.mul_(20)
    facts = Facts({name: Fact(value, 'here') for name, value in (('mean', (0.5,) * 3), ('std', (0.5,) * 3), ('interpolation', 'bicubic'), ('shorter_side', 10))})
    small = resized(before, 4).eval()
    images = shown('validation').centres(32)

    def apart(model: VisionTransformer) -> float:
        with torch.no_grad():
            return float((model(resize(images, 4)) - before(images)).square().mean())

    untrained = apart(small)
    narrowed = narrow(small, before, shown('train'), shown('validation'), replace(OPTIONS, learning_rate=5e-3), tmp_path, lambda line: None)
    assert apart(narrowed) < 0.7 * untrained
    facts = resized_facts(facts, before.config, narrowed.config)
    write_timm(tmp_path, narrowed.state_dict(), narrowed.config, facts, None)
    again = import_checkpoint(tmp_path)
    assert (again.model.config.img_size, again.facts.value('shorter_side')) == (4, 5)
