"""Views: random crops of the training images made once, with what the CNN says of each, so that it need not run in every epoch.

A folder of arrays, `views` views of every training image: images uint8 (V * N, 3, img_size, img_size), tokens float16
(V * N, grid^2, token_channels), pooled float16 (V * N, pooled_channels), logits float16 (V * N, classes). View v of image i is entry v * N + i.
Features are stored with zero mean and unit variance per channel. progress.json says how many entries are done, of which images (`count` and
`ImageSet.digest`), and the means and standard deviations.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit.data import ImageSet

from . import augment
from .teaching import TeachingCnn, TeachingEnsemble


@dataclass(frozen=True)
class Views:
    """Memory-mapped arrays as described above; `count` images with `views` views each."""

    count: int
    views: int
    images: Tensor
    tokens: Tensor
    pooled: Tensor
    logits: Tensor


def random_windows(images: Tensor, img_size: int, cnn_size: int, min_area: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Random windows of uint8 images (B, 3, H, H), as the ViT sees them, uint8 (B, 3, img_size, img_size), and as the CNN does, float
    (B, 3, cnn_size, cnn_size), 0..255. Where the images are larger than the ViT's, the CNN's are finer; else they are the ViT's enlarged,
    and windows are shifted by whole pixels and not resized, which would blur them: an untuned ResNet-56 knows 81 % of resized
    ones and 86 % of others (500 validation images).
    """
    stored_larger = images.shape[-1] > img_size
    if stored_larger:
        window = augment.random_resized_crop_flip(images, cnn_size, min_area, generator)
    else:
        window = augment.random_crop_flip(images, img_size // 8, generator)
    window = augment.jitter(window, 0.2, generator)
    small = augment.resize(window, img_size).round().clamp(0, 255)
    return small.to(torch.uint8), window if stored_larger else enlarge(small, cnn_size)


def enlarge(images: Tensor, size: int) -> Tensor:
    """(B, 3, H, H) -> float (B, 3, size, size), 0..255, bicubic."""
    return F.interpolate(images.float(), size=(size, size), mode='bicubic', align_corners=False).clamp(0, 255)


SAMPLE = 1024
"""Images over which means and standard deviations are taken."""


def random_sample(count: int) -> Tensor:
    """Indices of SAMPLE of `count` images (all, if there are fewer), from everywhere: they are stored class by class."""
    return torch.randperm(count, generator=Generator().manual_seed(7))[:SAMPLE]


def mean_and_std(values: Tensor, smallest: float) -> tuple[Tensor, Tensor]:
    """Of every column of (rows, columns), without what is NaN; standard deviations of at least `smallest`."""
    mean = values.nanmean(0)
    return mean, (values - mean).square().nanmean(0).sqrt().clamp(min=smallest)


def read_progress(folder: Path, images: ImageSet) -> dict:
    """progress.json. Raises ValueError when the views in `folder` are not those of `images`, or do not say whose they are."""
    state = json.loads((folder / 'progress.json').read_text())
    if (state.get('count'), state.get('digest')) != (len(images), images.digest()):
        raise ValueError(
            f'{folder}: expected views of these {len(images)} images, got those of {state.get("count", "unknown")} others: '
            'make them with the same --dataset and --validation-images, in a new folder'
        )
    return state


def make_views(
    images: ImageSet, cnn: TeachingCnn | TeachingEnsemble, folder: Path, views: int, img_size: int, grid: int, cnn_size: int, min_area: float
) -> None:
    """Fill `folder`; resumes at the first chunk that is missing. Sizes in pixels; min_area: smallest part of an image in a window.
    Raises ValueError when there are views of other images in it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    progress = folder / 'progress.json'
    state: dict = read_progress(folder, images) if progress.exists() else {'done': 0, 'count': len(images), 'digest': images.digest()}
    total = views * len(images)
    shapes = {
        'images': ((total, 3, img_size, img_size), np.uint8),
        'tokens': ((total, grid * grid, cnn.token_channels), np.float16),
        'pooled': ((total, cnn.pooled_channels), np.float16),
        'logits': ((total, len(images.info.labels)), np.float16),
    }
    mode = 'r+' if progress.exists() else 'w+'
    arrays = {k: np.lib.format.open_memmap(folder / f'{k}.npy', mode=mode, shape=s, dtype=d) for k, (s, d) in shapes.items()}
    chunk = 64
    if 'token_mean' not in state:
        generator = Generator().manual_seed(7)
        parts = random_sample(len(images)).split(chunk)
        windows = (random_windows(images.images[part], img_size, cnn_size, min_area, generator)[1] for part in parts)
        tokens, pooled, _ = map(torch.cat, zip(*(cnn(window, grid) for window in windows)))
        for name, values, smallest in (('token', tokens.flatten(0, 1), 1e-3), ('pooled', pooled, 0.1)):
            mean, std = mean_and_std(values, smallest)
            state |= {f'{name}_mean': mean.tolist(), f'{name}_std': std.tolist()}
    for start in range(state['done'], total, chunk):
        entries = torch.arange(start, min(start + chunk, total))
        generator = Generator().manual_seed(7 + start)
        small, window = random_windows(images.images[entries % len(images)], img_size, cnn_size, min_area, generator)
        tokens, pooled, logits = cnn(window, grid)
        tokens = (tokens - torch.tensor(state['token_mean'])) / torch.tensor(state['token_std'])
        pooled = (pooled - torch.tensor(state['pooled_mean'])) / torch.tensor(state['pooled_std'])
        for key, value in (('images', small), ('tokens', tokens), ('pooled', pooled), ('logits', logits)):
            arrays[key][start : start + len(entries)] = value.numpy()
        state['done'] = start + len(entries)
        progress.write_text(json.dumps(state))


def load_views(folder: Path, images: ImageSet) -> Views:
    """The complete views of `images` in `folder`; views still being made are left out. Raises ValueError when they are of other images."""
    complete = read_progress(Path(folder), images)['done'] // len(images)
    arrays = {k: torch.from_numpy(np.load(Path(folder) / f'{k}.npy', mmap_mode='c')) for k in ('images', 'tokens', 'pooled', 'logits')}
    if not complete:
        raise ValueError(f'{folder}: expected at least one complete view of {len(images)} images')
    return Views(len(images), complete, **arrays)
