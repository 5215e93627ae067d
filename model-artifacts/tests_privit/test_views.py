"""Views and the CNN's fine-tuning, on made-up images; the real CNN's weights are an optional package, so a small stand-in has its shapes."""
import json

import numpy as np
import pytest
import torch
from torch import nn

from privit import augment
from privit.cnn import POOLED_CHANNELS, TOKEN_CHANNELS
from privit.data import synthetic_splits
from privit.engine import RunLog
from privit.finetune import finetune_cnn
from privit.views import enlarge, load_views, make_views, random_windows


class SmallCnn:
    """The interface of `ImageNetCnn`: stride-16 and stride-32 features of average colours."""

    def __init__(self, classes: int) -> None:
        torch.manual_seed(0)
        self.net = nn.Module()
        self.net.tokens, self.net.pooled = nn.Conv2d(3, TOKEN_CHANNELS, 1), nn.Conv2d(TOKEN_CHANNELS, POOLED_CHANNELS, 1)
        self.net._fc = nn.Linear(POOLED_CHANNELS, classes)

    def prepare(self, images):
        return (images - 127) / 128

    def features(self, x):
        tokens = self.net.tokens(nn.functional.avg_pool2d(x, 4)).relu()
        return tokens, self.net.pooled(nn.functional.avg_pool2d(tokens, 2))

    @torch.no_grad()
    def __call__(self, images, grid):
        tokens, features = self.features(self.prepare(images))
        pooled = features.mean(dim=(2, 3))
        return nn.functional.adaptive_avg_pool2d(tokens, grid).flatten(2).transpose(1, 2), pooled, self.net._fc(pooled)


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
    assert whole.views == 2 and whole.tokens.shape == (160, 4, TOKEN_CHANNELS)
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
    assert resumed == accuracy and not again.net._fc.weight.requires_grad
