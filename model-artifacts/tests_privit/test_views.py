"""Views and the CNN's fine-tuning, on made-up images; the real CNN's weights are an optional package, so a small stand-in has its shapes."""
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from privit import augment
from privit.batches import AugmentOptions, TaughtViews
from privit.cli import main
from privit.commands.arguments import PRESETS
from privit.engine import RunLog
from privit.features import FeatureRegressors
from privit.finetune import finetune_cnn
from privit.live import TaughtLive
from privit.resnet import CifarResNet
from privit.teaching import TeachingCnn, TeachingEnsemble
from privit.views import Views, enlarge, load_views, make_views, mean_and_std, random_windows
from vit.checkpoint import describe, save_checkpoint
from vit.data import synthetic_splits
from vit.model import VisionTransformer


class SmallCnn(TeachingCnn):
    """Stride-4 and stride-8 features of average colours."""

    token_channels = 112
    pooled_channels = 1280
    compiles = False  # it takes longer than the tests

    def __init__(self, classes: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        net = nn.Module()
        net.tokens, net.pooled, net.fc = nn.Conv2d(3, 112, 1), nn.Conv2d(112, 1280, 1), nn.Linear(1280, classes)
        super().__init__(net)

    @property
    def head(self):
        return self.net.fc

    def prepare(self, images):
        return (images - 127) / 128

    def features(self, x):
        tokens = self.net.tokens(nn.functional.avg_pool2d(x, 4)).relu()
        return tokens, self.net.pooled(nn.functional.avg_pool2d(tokens, 2))


@pytest.mark.parametrize(('img_size', 'cnn_size'), [(4, 8), (8, 16)])
def test_both_networks_see_the_same_window(img_size, cnn_size):
    """Images of 8 pixels, stored larger than the ViT's (4) or not (8)."""
    images = synthetic_splits().train.images[:6]
    small, window = random_windows(images, img_size, cnn_size, 0.5, torch.Generator().manual_seed(1))
    assert small.shape == (6, 3, img_size, img_size) and small.dtype == torch.uint8
    assert window.shape == (6, 3, cnn_size, cnn_size)
    if img_size < 8:
        torch.testing.assert_close(augment.resize(window, img_size), small.float(), atol=0.51, rtol=0)
    else:
        assert torch.equal(enlarge(small, cnn_size), window)


def test_views_resume(tmp_path):
    images = synthetic_splits(count=40).train  # 80 images: two chunks for each view
    cnn = SmallCnn(4)
    make_views(images, cnn, tmp_path / 'whole', 2, 8, 2, 16, 0.5)
    whole = load_views(tmp_path / 'whole', images)
    assert whole.views == 2 and whole.tokens.shape == (160, 4, 112)
    make_views(images, cnn, tmp_path / 'parts', 2, 8, 2, 16, 0.5)
    progress = tmp_path / 'parts' / 'progress.json'
    progress.write_text(json.dumps(json.loads(progress.read_text()) | {'done': 64}))
    for name in ('images', 'tokens', 'pooled', 'logits'):
        array = np.load(tmp_path / 'parts' / f'{name}.npy', mmap_mode='r+')
        array[64:] = 0
        array.flush()
    make_views(images, cnn, tmp_path / 'parts', 2, 8, 2, 16, 0.5)
    parts = load_views(tmp_path / 'parts', images)
    for name in ('images', 'tokens', 'pooled', 'logits'):
        assert torch.equal(getattr(whole, name), getattr(parts, name)), name


def by_class(images):
    """As image sets are stored."""
    return images.subset(images.labels.argsort(stable=True))


@pytest.mark.parametrize('way', ['views', 'live', 'live, stored larger'])
def test_features_are_normalised_over_all_classes(way, tmp_path):
    images = by_class(synthetic_splits(count=2048).train)  # the first 1024 are of one class
    if way == 'views':
        make_views(images, SmallCnn(4), tmp_path, 1, 8, 2, 16, 0.5)
        views = load_views(tmp_path, images)
        tokens, pooled = views.tokens.float(), views.pooled.float()
    else:
        source = TaughtLive(images, SmallCnn(4), 16, 8 if way == 'live' else 4, 2, AugmentOptions(crop_padding=1))
        batches = [source.batch(step, 80, torch.Generator().manual_seed(step), 0) for step in range(51)]  # one epoch
        tokens, pooled = torch.cat([b.cnn_tokens for b in batches]), torch.cat([b.cnn_pooled for b in batches])
    means, deviations = mean_and_std(tokens.flatten(0, 1), 0)
    assert means.abs().max() < 0.5 and deviations.max() < 3  # measured on one class, they are near 3 and 8
    assert pooled.mean(0).abs().max() < 0.2


def test_views_of_other_images_are_refused(tmp_path):
    """Of fewer, of as many with the same labels, and of the same in another order, by those who read them and who make more."""
    images, cnn = by_class(synthetic_splits(count=20).train), SmallCnn(4)
    make_views(images, cnn, tmp_path, 1, 8, 2, 16, 0.5)
    progress = (tmp_path / 'progress.json').read_text()
    same_labels = replace(images, images=255 - images.images)
    for others in (images.subset(torch.arange(39)), same_labels, images.subset(torch.arange(40).flip(0))):
        with pytest.raises(ValueError, match=rf'expected views of these {len(others)} images, got those of 40 others'):
            load_views(tmp_path, others)
        with pytest.raises(ValueError, match='a new folder'):
            make_views(others, cnn, tmp_path, 2, 8, 2, 16, 0.5)
    assert (tmp_path / 'progress.json').read_text() == progress and load_views(tmp_path, images).views == 1
    (tmp_path / 'progress.json').write_text('{"done": 40}')  # as they were written before they said whose they are
    with pytest.raises(ValueError, match='got those of unknown others'):
        load_views(tmp_path, images)


def test_fine_tuning_learns_and_resumes(tmp_path):
    splits = synthetic_splits()

    class Interrupted(RunLog):
        def save(self, state):
            super().save(state)
            raise KeyboardInterrupt

    def train(log):
        cnn = SmallCnn(4)
        return cnn, finetune_cnn(cnn, splits.train, splits.validation, log, 104, 8, 16, 0.5, batch_size=32, learning_rate=3e-3)

    whole, accuracy = train(RunLog(tmp_path / 'whole'))
    assert accuracy > 0.7  # chance is 0.25
    with pytest.raises(KeyboardInterrupt):  # after 100 steps
        train(Interrupted(tmp_path / 'parts'))
    assert RunLog(tmp_path / 'parts').load()['step'] == 100
    parts, resumed = train(RunLog(tmp_path / 'parts'))
    assert resumed == accuracy and not parts.head.weight.requires_grad
    for a, b in zip(whole.net.state_dict().values(), parts.net.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(('blocks', 'millions'), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85)])
def test_resnets_read_published_weights_and_teach(tmp_path, blocks, millions):
    """The names of akamaster/pytorch_resnet_cifar10, saved from several processes, and the millions of parameters of its table."""
    cnn = CifarResNet(blocks)
    cnn._compiled = cnn.features  # compilation takes longer than the test
    assert round(sum(p.numel() for p in cnn.parameters()) / 1e6, 2) == millions
    other = CifarResNet(blocks)
    torch.save({'state_dict': {f'module.{k}': v + 0.01 for k, v in cnn.net.state_dict().items()}}, tmp_path / 'resnet.th')
    other.load(tmp_path / 'resnet.th')
    torch.testing.assert_close(other.net.conv1.weight, cnn.net.conv1.weight + 0.01)
    images = synthetic_splits(size=32).train.images[:5].float()
    tokens, pooled, logits = cnn(images, 8)
    assert tokens.shape == (5, 64, cnn.token_channels) and pooled.shape == (5, cnn.pooled_channels)
    torch.testing.assert_close(tokens.mean(1), pooled)
    torch.testing.assert_close(logits, cnn.head(pooled))


@pytest.mark.parametrize(('img_size', 'cnn_size'), [(4, 8), (8, 16)])
def test_a_live_cnn_judges_the_very_images_of_the_batch(img_size, cnn_size):
    """Images of 8 pixels, stored larger than the ViT's (4) or not (8)."""
    images, cnn = synthetic_splits().train, SmallCnn(4)
    seen = []
    cnn.prepare = lambda x: seen.append(x) or (x - 127) / 128
    options = AugmentOptions(crop_padding=1, cutmix_probability=0.5, mixup_probability=0.3)
    source = TaughtLive(images, cnn, cnn_size, img_size, 2, options)
    batch, again = (source.batch(3, 16, torch.Generator().manual_seed(5), 0) for _ in range(2))
    assert torch.equal(batch.images, again.images) and torch.equal(batch.teacher_logits, again.teacher_logits)
    shown = batch.images * torch.tensor(images.info.std).view(1, 3, 1, 1) + torch.tensor(images.info.mean).view(1, 3, 1, 1)
    if img_size < 8:
        torch.testing.assert_close(shown, augment.resize(seen[-1], img_size))
    else:
        torch.testing.assert_close(enlarge(shown, cnn_size), seen[-1], atol=1e-3, rtol=0)
    tokens, pooled, logits = cnn(seen[-1], 2)
    torch.testing.assert_close(batch.teacher_logits, logits)
    torch.testing.assert_close(batch.cnn_tokens * source.token_std + source.token_mean, tokens, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(batch.cnn_pooled * source.pooled_std + source.pooled_mean, pooled, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(batch.targets.sum(1), torch.ones(16))
    assert (batch.targets.amax(1) < 0.9).any()  # some are mixed


def test_a_live_cnn_and_an_exact_network_teach_the_mean_of_what_they_say():
    images, cnn = synthetic_splits().train, SmallCnn(4)
    torch.manual_seed(2)
    exact = VisionTransformer(PRESETS['synthetic'])
    torch.nn.init.normal_(exact.head.weight)
    alone, both = (TaughtLive(images, cnn, 16, 8, 2, AugmentOptions(cutmix_probability=0.5), e) for e in (None, exact))
    first, second = (source.batch(3, 16, torch.Generator().manual_seed(5), 0) for source in (alone, both))
    assert torch.equal(first.images, second.images)
    said = exact(first.images)
    assert said.std() > 0.1
    torch.testing.assert_close(second.teacher_logits, (first.teacher_logits + said) / 2, atol=0.05, rtol=0.05)  # bfloat16
    assert not second.teacher_logits.requires_grad


def test_each_cnn_of_an_ensemble_teaches_its_part_of_a_batch():
    cnns = [SmallCnn(4, seed) for seed in range(3)]
    images = synthetic_splits().train.images[:8].float()
    tokens, pooled, logits = TeachingEnsemble(cnns)(images, 2)
    assert tokens.shape == (8, 4, 3 * 112) and pooled.shape == (8, 3 * 1280)
    for k, part in enumerate((slice(0, 3), slice(3, 6), slice(6, 8))):
        own_tokens, own_pooled, own_logits = cnns[k](images[part], 2)
        torch.testing.assert_close(logits[part], own_logits)
        torch.testing.assert_close(tokens[part, :, 112 * k : 112 * (k + 1)], own_tokens)
        torch.testing.assert_close(pooled[part, 1280 * k : 1280 * (k + 1)], own_pooled)
    known = (~tokens.isnan()).sum(dim=(1, 2))
    assert known.tolist() == [4 * 112] * 8 and (~pooled.isnan()).sum(dim=1).tolist() == [1280] * 8
    few = TeachingEnsemble(cnns)(images[:2], 2)  # fewer than CNNs
    assert few[2].shape == (2, 4) and few[0][:, :, 224:].isnan().all()


def test_an_ensemble_teaches_live_what_its_cnns_have_said():
    images = synthetic_splits().train
    ensemble = TeachingEnsemble([SmallCnn(4, seed) for seed in range(2)])
    source = TaughtLive(images, ensemble, 16, 8, 2, AugmentOptions(cutmix_probability=0.5))
    batch = source.batch(3, 16, torch.Generator().manual_seed(5), 0)
    whole = torch.cat([source.batch(step, 32, torch.Generator().manual_seed(step), 0).cnn_tokens for step in range(12)]).flatten(0, 1)
    assert whole.nanmean(0).abs().max() < 0.5 and 0.5 < whole.square().nanmean(0).sqrt().median() < 1.5
    regressors = FeatureRegressors(16, ensemble.token_channels, ensemble.pooled_channels)
    features = torch.randn(16, 4, 16, requires_grad=True)
    loss = regressors.loss(features, batch.cnn_tokens, batch.cnn_pooled)
    loss.backward()
    assert features.grad.isfinite().all() and all(p.grad.isfinite().all() for p in regressors.parameters())
    x = regressors.norm(features)
    expected = [(regressors.tokens(x) - batch.cnn_tokens), (regressors.pooled(x.mean(1)) - batch.cnn_pooled)]
    torch.testing.assert_close(loss, sum(difference.square().nanmean() for difference in expected))


def test_cnns_that_see_different_sizes_do_not_teach_together(tmp_path, monkeypatch):
    monkeypatch.setattr('privit.commands.teachers.teacher_at', lambda path, arguments, info: (SmallCnn(4), int(path.stem)))
    with pytest.raises(ValueError, match=r'--cnn: expected networks that see images of one size, got \(16, 32\)'):
        main([
            'search', '--dataset', 'synthetic', '--live', '--cnn', '16', '32', '--teacher', str(restorable(tmp_path)),
            '--run-dir', str(tmp_path / 'run'),
        ])  # fmt: skip


def restorable(folder):
    """A checkpoint of an untrained network."""
    config = PRESETS['synthetic']
    on = torch.ones(config.depth, config.num_heads, config.num_tokens), torch.ones(config.depth, config.num_tokens)
    description = describe(config, synthetic_splits().train.info, 'untrained', 0.25)
    save_checkpoint(folder / 'teacher.safetensors', VisionTransformer(config).state_dict(), on, description)
    return folder / 'teacher.safetensors'


def test_views_refuse_mixup():
    images = synthetic_splits().train
    nothing = torch.zeros(len(images), 1)
    with pytest.raises(ValueError, match='expected no mixup'):
        TaughtViews(images, Views(len(images), 1, nothing, nothing, nothing, nothing), 4, AugmentOptions(mixup_probability=0.1))
