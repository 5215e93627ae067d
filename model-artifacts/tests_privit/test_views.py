"""Views and the CNN's fine-tuning, on made-up images; the real CNN's weights are an optional package, so a small stand-in has its shapes."""
import json

import numpy as np
import pytest
import torch
from torch import nn

from privit import augment
from privit.data import synthetic_splits
from privit.engine import RunLog
from privit.finetune import finetune_cnn
from privit.resnet import CifarResNet
from privit.teaching import TeachingCnn
from privit.views import enlarge, load_views, make_views, random_windows


class SmallCnn(TeachingCnn):
    """Stride-4 and stride-8 features of average colours."""

    token_channels = 112
    pooled_channels = 1280

    def __init__(self, classes: int) -> None:
        torch.manual_seed(0)
        net = nn.Module()
        net.tokens, net.pooled, net.fc = nn.Conv2d(3, 112, 1), nn.Conv2d(112, 1280, 1), nn.Linear(1280, classes)
        super().__init__(net)
        self._compiled = self.features  # compilation takes longer than the tests

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


def test_views_resume_and_are_normalised(tmp_path):
    images = synthetic_splits(count=40).train  # 80 images: two chunks for each view
    cnn = SmallCnn(4)
    make_views(images, cnn, tmp_path / 'whole', 2, 8, 2, 16, 0.5)
    whole = load_views(tmp_path / 'whole', len(images))
    assert whole.views == 2 and whole.tokens.shape == (160, 4, 112)
    make_views(images, cnn, tmp_path / 'parts', 2, 8, 2, 16, 0.5)
    progress = tmp_path / 'parts' / 'progress.json'
    progress.write_text(json.dumps(json.loads(progress.read_text()) | {'done': 64}))
    for name in ('images', 'tokens', 'pooled', 'logits'):
        array = np.load(tmp_path / 'parts' / f'{name}.npy', mmap_mode='r+')
        array[64:] = 0
        array.flush()
    make_views(images, cnn, tmp_path / 'parts', 2, 8, 2, 16, 0.5)
    parts = load_views(tmp_path / 'parts', len(images))
    for name in ('images', 'tokens', 'pooled', 'logits'):
        assert torch.equal(getattr(whole, name), getattr(parts, name)), name
    first = whole.tokens[:64].float().flatten(0, 1)
    assert first.mean(0).abs().max() < 0.02 and (first.std(0) < 1.05).all()


def test_fine_tuning_learns_and_resumes(tmp_path):
    splits = synthetic_splits()

    def train(folder, steps):
        cnn = SmallCnn(4)
        return cnn, finetune_cnn(cnn, splits.train, splits.validation, RunLog(folder), steps, 8, 16, 0.5, batch_size=32, learning_rate=3e-3)

    _, accuracy = train(tmp_path / 'run', 60)
    assert accuracy > 0.7  # chance is 0.25
    again, resumed = train(tmp_path / 'run', 60)  # finished: nothing is trained, the saved network is measured
    assert resumed == accuracy and not again.head.weight.requires_grad


def test_resnet56_reads_published_weights_and_teaches(tmp_path):
    """The names of akamaster/pytorch_resnet_cifar10, saved from several processes; 0.85 M parameters as in its table."""
    cnn = CifarResNet()
    cnn._compiled = cnn.features  # compilation takes longer than the test
    assert round(sum(p.numel() for p in cnn.parameters()) / 1e6, 2) == 0.85
    other = CifarResNet()
    torch.save({'state_dict': {f'module.{k}': v + 0.01 for k, v in cnn.net.state_dict().items()}}, tmp_path / 'resnet.th')
    other.load(tmp_path / 'resnet.th')
    torch.testing.assert_close(other.net.conv1.weight, cnn.net.conv1.weight + 0.01)
    images = synthetic_splits(size=32).train.images[:5].float()
    tokens, pooled, logits = cnn(images, 8)
    assert tokens.shape == (5, 64, cnn.token_channels) and pooled.shape == (5, cnn.pooled_channels)
    torch.testing.assert_close(tokens.mean(1), pooled)
    torch.testing.assert_close(logits, cnn.head(pooled))
