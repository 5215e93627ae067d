"""A CNN that teaches live: it is shown every training image as the student sees it, blended with another, instead of views made beforehand.

So the student learns what the CNN says between and around the training images, most of which both of them know by heart ("function
matching", Beyer et al., CVPR 2022, arXiv 2106.05237).
"""
from __future__ import annotations

import torch
from torch import Generator, Tensor

from vit.data import ImageSet
from vit.model import VisionTransformer

from . import augment
from .batches import AugmentOptions, Batch, batch_indices
from .distill import smooth_one_hot
from .distributed import autocast_dtype
from .teaching import TeachingCnn, TeachingEnsemble
from .views import enlarge, mean_and_std, random_sample


class TaughtLive:
    """Freshly augmented and blended images, with what the CNN says of exactly these."""

    def __init__(
        self,
        images: ImageSet,
        cnn: TeachingCnn | TeachingEnsemble,
        cnn_size: int,
        img_size: int,
        grid: int,
        options: AugmentOptions,
        exact: VisionTransformer | None = None,
    ) -> None:
        """Sizes in pixels; grid: the ViT's tokens a side; exact: a second teacher, the mean of whose logits and the CNN's is distilled.
        Features are given zero mean and unit variance per channel, measured here."""
        self.images, self.cnn, self.cnn_size, self.img_size, self.grid, self.options = images, cnn, cnn_size, img_size, grid, options
        self.exact = exact.eval().requires_grad_(False) if exact is not None else None
        self._dtype = autocast_dtype(torch.device('cpu'))
        generator = Generator().manual_seed(7)
        said = [self._ask(self._views(part, generator)) for part in random_sample(len(images)).split(128)]
        tokens, pooled, _ = map(torch.cat, zip(*said))
        self.token_mean, self.token_std = mean_and_std(tokens.flatten(0, 1), 1e-3)
        self.pooled_mean, self.pooled_std = mean_and_std(pooled, 0.1)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, step: int, batch_size: int, generator: Generator, seed: int, rank: int = 0, world: int = 1) -> Batch:
        o = self.options
        _, indices = batch_indices(len(self), batch_size, step, seed, rank, world)
        images, own = augment.blend(self._views(indices, generator), o.cutmix_probability, o.mixup_probability, generator)
        tokens, pooled, logits = self._ask(images)
        targets = smooth_one_hot(self.images.labels[indices], len(self.images.info.labels), o.label_smoothing)
        normalised = augment.normalise(augment.resize(images, self.img_size), self.images.info)
        if self.exact is not None:
            with torch.no_grad(), torch.autocast('cpu', self._dtype, enabled=self._dtype is not None):
                logits = torch.lerp(logits, self.exact(normalised).float(), 0.5)
        return Batch(
            normalised, augment.blend_targets(targets, own), logits,
            (tokens - self.token_mean) / self.token_std, (pooled - self.pooled_mean) / self.pooled_std,
        )  # fmt: skip

    def _views(self, indices: Tensor, generator: Generator) -> Tensor:
        """Random windows of the images, float (B, 3, S, S) in 0..255: S is the CNN's size where images are stored larger than the ViT's,
        which sees them smaller, else the ViT's."""
        o, raw = self.options, self.images.images[indices]
        if raw.shape[-1] > self.img_size:
            images = augment.random_resized_crop_flip(raw, self.cnn_size, o.min_crop_area, generator)
        else:
            images = augment.random_crop_flip(raw, o.crop_padding, generator)
        return augment.jitter(augment.warp(images, o.warp_probability, generator), o.jitter, generator)

    def _ask(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(token features (B, N, token_channels), pooled features (B, pooled_channels), logits (B, classes)) of windows."""
        return self.cnn(images if images.shape[-1] == self.cnn_size else enlarge(images, self.cnn_size), self.grid)
