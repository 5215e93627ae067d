"""Views: random crops of the training images made once, with what the CNN says of each, so that it need not run in every epoch.

A folder of arrays, `views` views of every training image: images uint8 (V * N, 3, img_size, img_size), tokens float16
(V * N, grid^2, token_channels), pooled float16 (V * N, pooled_channels), logits float16 (V * N, classes). View v of image i is entry v * N + i.
Features are stored with zero mean and unit variance per channel.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from . import augment
from .data import ImageSet
from .teaching import TeachingCnn


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


def make_views(
    images: ImageSet, cnn: TeachingCnn, folder: Path, views: int, img_size: int, grid: int, cnn_size: int, min_area: float
) -> None:
    """Fill `folder`; resumes at the first chunk that is missing. Sizes in pixels; min_area: smallest part of an image in a window."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    total = views * len(images)
    shapes = {
        'images': ((total, 3, img_size, img_size), np.uint8),
        'tokens': ((total, grid * grid, cnn.token_channels), np.float16),
        'pooled': ((total, cnn.pooled_channels), np.float16),
        'logits': ((total, len(images.info.labels)), np.float16),
    }
    mode = 'r+' if (folder / 'logits.npy').exists() else 'w+'
    arrays = {k: np.lib.format.open_memmap(folder / f'{k}.npy', mode=mode, shape=s, dtype=d) for k, (s, d) in shapes.items()}
    progress = folder / 'progress.json'
    state = json.loads(progress.read_text()) if progress.exists() else {'done': 0}
    chunk = 64
    for start in range(state['done'], total, chunk):
        entries = torch.arange(start, min(start + chunk, total))
        generator = Generator().manual_seed(7 + start)
        small, window = random_windows(images.images[entries % len(images)], img_size, cnn_size, min_area, generator)
        tokens, pooled, logits = cnn(window, grid)
        if 'token_mean' not in state:
            state.update(
                token_mean=tokens.mean((0, 1)).tolist(), token_std=tokens.std((0, 1)).clamp(min=1e-3).tolist(),
                pooled_mean=pooled.mean(0).tolist(), pooled_std=pooled.std(0).clamp(min=0.1).tolist(),
            )  # fmt: skip
        tokens = (tokens - torch.tensor(state['token_mean'])) / torch.tensor(state['token_std'])
        pooled = (pooled - torch.tensor(state['pooled_mean'])) / torch.tensor(state['pooled_std'])
        for key, value in (('images', small), ('tokens', tokens), ('pooled', pooled), ('logits', logits)):
            arrays[key][start : start + len(entries)] = value.numpy()
        state['done'] = start + len(entries)
        progress.write_text(json.dumps(state))


def load_views(folder: Path, count: int) -> Views:
    """The complete views of `count` images in `folder`; views still being made are left out."""
    arrays = {k: torch.from_numpy(np.load(Path(folder) / f'{k}.npy', mmap_mode='c')) for k in ('images', 'tokens', 'pooled', 'logits')}
    complete = json.loads((Path(folder) / 'progress.json').read_text())['done'] // count
    if not complete:
        raise ValueError(f'{folder}: expected at least one complete view of {count} images')
    return Views(count, complete, **arrays)
