"""Augmentation of whole batches on tensors, from a generator that is passed in, so a step's images depend on its seed only."""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit.data import ImageSetInfo


def normalise(images: Tensor, info: ImageSetInfo) -> Tensor:
    """uint8 or float (B, 3, H, W) in 0..255 -> float, zero mean and unit variance per channel over the set."""
    mean = torch.tensor(info.mean).view(1, 3, 1, 1)
    std = torch.tensor(info.std).view(1, 3, 1, 1)
    return (images.float() - mean) / std


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear with antialiasing, as Pillow does it; (B, 3, H, W) -> float (B, 3, size, size), 0..255."""
    images = images.float()
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode='bilinear', antialias=True, align_corners=False)


def centre_crop(images: Tensor, size: int) -> Tensor:
    """(B, 3, H, H) -> (B, 3, size, size)."""
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]


def random_crop_flip(images: Tensor, padding: int, generator: Generator) -> Tensor:
    """Reflect-pad by `padding` pixels, crop back at a random place per image, flip half of them; (B, 3, H, W) uint8 or float."""
    B, _, H, W = images.shape
    padded = F.pad(images.float(), (padding,) * 4, mode='reflect')
    tops = torch.randint(0, 2 * padding + 1, (B, 1), generator=generator)
    lefts = torch.randint(0, 2 * padding + 1, (B, 1), generator=generator)
    rows = tops + torch.arange(H)  # (B, H)
    columns = lefts + torch.arange(W)  # (B, W)
    flips = torch.rand((B, 1), generator=generator) < 0.5
    columns = torch.where(flips, columns.flip(1), columns)
    batch = torch.arange(B)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_resized_crop_flip(images: Tensor, size: int, min_area: float, generator: Generator) -> Tensor:
    """A random square-ish window of `min_area`..1 of the image, resized to size x size, flipped half the time; float 0..255."""
    B = len(images)
    area = torch.empty(B).uniform_(min_area, 1.0, generator=generator)
    log_ratio = torch.empty(B).uniform_(-0.2877, 0.2877, generator=generator)  # aspect 3/4 .. 4/3
    width = (area * log_ratio.exp()).sqrt().clamp(max=1)
    height = (area / log_ratio.exp()).sqrt().clamp(max=1)
    x = (torch.rand(B, generator=generator) * 2 - 1) * (1 - width)
    y = (torch.rand(B, generator=generator) * 2 - 1) * (1 - height)
    sign = torch.where(torch.rand(B, generator=generator) < 0.5, -1.0, 1.0)
    zero = torch.zeros(B)
    theta = torch.stack([torch.stack([width * sign, zero, x], 1), torch.stack([zero, height, y], 1)], 1)  # (B, 2, 3)
    grid = F.affine_grid(theta, [B, 3, size, size], align_corners=False)
    return F.grid_sample(images.float(), grid, mode='bilinear', padding_mode='reflection', align_corners=False)


def warp(images: Tensor, probability: float, generator: Generator) -> Tensor:
    """Each image with this probability rotated by up to 15 degrees, scaled by 0.85..1.18 and stretched by up to a tenth, about its centre;
    float (B, 3, S, S), 0..255 kept."""
    if not 0 <= probability <= 1:
        raise ValueError(f'warp: expected a probability in 0..1, got {probability}')
    if not probability:  # nothing is drawn: runs from before there were warps stay what they were
        return images
    B = len(images)
    chosen = (torch.rand(B, generator=generator) < probability).nonzero().flatten()
    if len(chosen) == 0:
        return images
    angle, scale, stretch = (2 * torch.rand((3, len(chosen)), generator=generator) - 1) * torch.tensor([[math.radians(15)], [0.1625], [0.095]])
    wide, high = torch.exp(scale + stretch), torch.exp(scale - stretch)
    zero = torch.zeros_like(angle)
    theta = torch.stack([
        torch.stack([wide * angle.cos(), -high * angle.sin(), zero], 1),
        torch.stack([wide * angle.sin(), high * angle.cos(), zero], 1),
    ], 1)  # fmt: skip
    grid = F.affine_grid(theta, [len(chosen), *images.shape[1:]], align_corners=False)
    warped = F.grid_sample(images[chosen].float(), grid, mode='bicubic', padding_mode='reflection', align_corners=False)
    return images.index_copy(0, chosen, warped.clamp(0, 255))


def jitter(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Random brightness, contrast and saturation, each by a factor in 1 +- strength; float (B, 3, H, W), 0..255 kept."""
    B = len(images)

    def factor() -> Tensor:
        return 1 + strength * (2 * torch.rand((B, 1, 1, 1), generator=generator) - 1)

    images = images * factor()
    images = (images - images.mean((1, 2, 3), keepdim=True)) * factor() + images.mean((1, 2, 3), keepdim=True)
    grey = images.mean(1, keepdim=True)
    return ((images - grey) * factor() + grey).clamp(0, 255)


def blend(
    images: Tensor, cutmix_probability: float, mixup_probability: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Each image with its partner, the one at its place in the batch in reverse order: a square of it pasted in (CutMix, Yun et al., ICCV 2019,
    of an area uniform over 0..1), their weighted mean (Mixup, Zhang et al., ICLR 2018, of a weight uniform over 0..1), or by itself.

    images: float (B, 3, S, S). Returns (images, how much of each is itself (B,), in 0..1).
    """
    if min(cutmix_probability, mixup_probability) < 0 or cutmix_probability + mixup_probability > 1:
        raise ValueError(f'blend: expected probabilities whose sum is in 0..1, got {cutmix_probability} and {mixup_probability}')
    B, _, S, _ = images.shape
    kind, size, top, left, weight = torch.rand((5, B, 1), generator=generator)
    side = (size.sqrt() * S).round()
    places = torch.arange(S)
    rows, columns = ((first := (start * (S - side + 1)).floor()).le(places) & (places < first + side) for start in (top, left))
    square = (rows[:, :, None] & columns[:, None, :]).float()  # (B, S, S)
    mixed = (1 - weight)[:, :, None] * ((kind >= cutmix_probability) & (kind < cutmix_probability + mixup_probability))[:, :, None]
    partner = torch.where((kind < cutmix_probability)[:, :, None], square, mixed)  # its share of each pixel
    return torch.lerp(images, images.flip(0), partner[:, None]), 1 - partner.mean((1, 2))


def blend_targets(targets: Tensor, own: Tensor) -> Tensor:
    """Targets (B, ...) of images of which `own` (B,) is themselves and the rest their partners."""
    return torch.lerp(targets.flip(0), targets, own.view(-1, *[1] * (targets.ndim - 1)))


def cutmix_mask(side: int, generator: Generator) -> Tensor:
    """bool (side, side): a random square for a whole batch, its area uniform over 0..1, up to rounding."""
    length = int(torch.rand((), generator=generator).sqrt() * side + 0.5)
    top, left = (int(torch.randint(0, side - length + 1, (), generator=generator)) for _ in range(2))
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[top : top + length, left : left + length] = True
    return mask
