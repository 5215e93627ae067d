"""Out-of-distribution images (vit/ood.py), and the mean squares that they reach in a network.

The range penalty (`ranges.py`) sees photographs only. One-pixel stripes of full contrast may reach twenty times their mean squares, which grow
with training until no plan of a 32-bit ring holds them, and the exporter refuses the model.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from vit import ood
from vit.data import ImageSetInfo
from vit.model import Observer, SwitchTensors, VisionTransformer

from . import augment

MEAN_SQUARE_LIMIT = 600.0
"""Three quarters of the 819 that a plan holds."""


def ood_images(size: int, info: ImageSetInfo) -> Tensor:
    """vit/ood.py's images, normalised: (B, 3, size, size)."""
    return augment.normalise(torch.from_numpy(ood.ood_images(size)).permute(0, 3, 1, 2).float(), info)


def shifted(images: Tensor, generator: Generator) -> Tensor:
    """By a column or by none: stripes may begin with either colour."""
    return images.roll(int(torch.randint(2, (1,), generator=generator)), 3)


def mean_squares(model: VisionTransformer, switches: SwitchTensors | None, images: Tensor, observe: Observer | None = None) -> Tensor:
    """What the LayerNorms of all blocks divide by, squared: the largest of each image's tokens, (2 * depth, B). images: normalised."""
    largest: list[Tensor] = []
    norms: list[nn.LayerNorm] = [norm for block in model.blocks for norm in (block.norm1, block.norm2)]
    hooks = [norm.register_forward_hook(lambda _, inputs, __: largest.append(inputs[0].var(-1, unbiased=False).amax(1))) for norm in norms]
    try:
        model.features(images, switches, observe, only_pooled=True)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(largest)


def excess(
    model: VisionTransformer, switches: SwitchTensors | None, images: Tensor, limit: float = MEAN_SQUARE_LIMIT, observe: Observer | None = None
) -> Tensor:
    """The logarithms by which `mean_squares` exceed the limit, added up. observe: is shown what the images reach."""
    return F.relu(torch.log(mean_squares(model, switches, images, observe) / limit)).sum()
