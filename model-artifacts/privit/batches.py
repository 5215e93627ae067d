"""Where training batches come from. Everything random about a step's batch comes from (seed, step), never from earlier steps."""
from __future__ import annotations

import zlib
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from vit.data import ImageSet

from . import augment
from .distill import smooth_one_hot
from .options import option
from .views import Views


@dataclass
class Batch:
    """images (B, 3, S, S) normalised; targets (B, classes) distributions; and, if a teacher was asked beforehand: teacher_logits
    (B, classes), cnn_tokens (B, N, token_channels), cnn_pooled (B, pooled_channels)."""

    images: Tensor
    targets: Tensor
    teacher_logits: Tensor | None = None
    cnn_tokens: Tensor | None = None
    cnn_pooled: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        return replace(self, **{f.name: v.to(device) for f in fields(self) if (v := getattr(self, f.name)) is not None})


@dataclass
class AugmentOptions:
    """Strengths of augmentation; `label_smoothing` and the probabilities in 0..1."""

    label_smoothing: float = option(0.1, 'part of each target that is spread over all classes')
    cutmix_probability: float = option(0.0, 'of an image (of views: of a batch) with a square of another pasted in')
    mixup_probability: float = option(0.0, 'of an image blended with another; not of views, whose CNN has not seen the mixture')
    crop_padding: int = option(3, "pixels by which images stored at the model's size are shifted at most; not of views")
    min_crop_area: float = option(0.35, 'smallest part in a crop of images stored larger; not of views')
    jitter: float = option(0.2, 'brightness, contrast and saturation change by a factor of up to 1 +- this')
    warp_probability: float = option(0.0, 'of an image that is rotated, scaled and stretched a little (--live)')


class BatchSource(Protocol):
    def __len__(self) -> int:
        """Examples in an epoch."""
        ...

    def batch(self, step: int, batch_size: int, generator: Generator, seed: int, rank: int = 0, world: int = 1) -> Batch: ...


def draw_seed(seed: int, start: nn.Module) -> int:
    """For `step_generator` and batches: of `--seed` and of the weights that a run starts from. A run that goes on from another's result is shown
    other crops than that one was, under the same `--seed`."""
    return seed * 65_537 + zlib.crc32(b''.join(t.detach().cpu().numpy().tobytes() for t in start.state_dict().values())) % 65_537


def step_generator(seed: int, step: int, rank: int = 0) -> Generator:
    """The source of all randomness of one step on one process."""
    return Generator().manual_seed((seed * 1_000_003 + step) * 1009 + rank)


def batch_indices(count: int, batch_size: int, step: int, seed: int, rank: int = 0, world: int = 1) -> tuple[int, Tensor]:
    """(epoch, examples of step `step`): epochs are seeded permutations, incomplete batches are dropped, processes take turns."""
    per_epoch = max(1, count // (batch_size * world))
    epoch, within = divmod(step, per_epoch)
    order = torch.randperm(count, generator=Generator().manual_seed(seed * 7919 + epoch))
    first = (within * world + rank) * batch_size
    return epoch, order[first : first + batch_size]


class LabelledImages:
    """Freshly augmented images with their labels."""

    def __init__(self, images: ImageSet, img_size: int, options: AugmentOptions) -> None:
        self.images, self.img_size, self.options = images, img_size, options

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, step: int, batch_size: int, generator: Generator, seed: int, rank: int = 0, world: int = 1) -> Batch:
        o = self.options
        _, indices = batch_indices(len(self), batch_size, step, seed, rank, world)
        raw = self.images.images[indices]
        if raw.shape[-1] != self.img_size:
            images = augment.random_resized_crop_flip(raw, self.img_size, o.min_crop_area, generator)
        elif o.crop_padding:
            images = augment.random_crop_flip(raw, o.crop_padding, generator)
        else:
            images = raw.float()
        if o.jitter:
            images = augment.jitter(images, o.jitter, generator)
        targets = smooth_one_hot(self.images.labels[indices], len(self.images.info.labels), o.label_smoothing)
        images, own = augment.blend(images, o.cutmix_probability, o.mixup_probability, generator)
        return Batch(augment.normalise(images, self.images.info), augment.blend_targets(targets, own))


class TaughtViews:
    """Views made beforehand (`views.py`), flipped and cut-mixed along patch borders, with the CNN's logits and features to match.

    An epoch shows one view of every image; the views take turns.
    """

    def __init__(self, images: ImageSet, views: Views, patch_size: int, options: AugmentOptions) -> None:
        if views.count != len(images):
            raise ValueError(f'views: expected those of {len(images)} images, got {views.count}')
        if options.mixup_probability:
            raise ValueError('views: expected no mixup, of which the CNN has said nothing')
        self.images, self.views, self.patch_size, self.options = images, views, patch_size, options

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, step: int, batch_size: int, generator: Generator, seed: int, rank: int = 0, world: int = 1) -> Batch:
        o, v = self.options, self.views
        epoch, indices = batch_indices(len(self), batch_size, step, seed, rank, world)
        entries = indices + v.count * ((epoch + indices) % v.views)
        images = v.images[entries].float()
        tokens = v.tokens[entries].float()  # (B, N, 112)
        pooled, logits = v.pooled[entries].float(), v.logits[entries].float()
        side = images.shape[-1] // self.patch_size
        if torch.rand((), generator=generator) < 0.5:
            images = images.flip(-1)
            tokens = tokens.unflatten(1, (side, side)).flip(2).flatten(1, 2)
        if o.jitter:
            images = augment.jitter(images, o.jitter, generator)
        targets = smooth_one_hot(self.images.labels[indices], len(self.images.info.labels), o.label_smoothing)
        if o.cutmix_probability and torch.rand((), generator=generator) < o.cutmix_probability:
            mask = augment.cutmix_mask(side, generator)  # (side, side), True where the partner is pasted in
            kept = 1 - mask.float().mean()
            pixels = mask.repeat_interleave(self.patch_size, 0).repeat_interleave(self.patch_size, 1)
            images = torch.where(pixels, images.flip(0), images)
            tokens = torch.where(mask.flatten()[:, None], tokens.flip(0), tokens)
            targets, pooled, logits = (kept * t + (1 - kept) * t.flip(0) for t in (targets, pooled, logits))
        return Batch(augment.normalise(images, self.images.info), targets, logits, tokens, pooled)
