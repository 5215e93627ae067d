"""Keeps what no photograph looks like inside the ranges of fixed point, after training.

For models that were trained without `--ood-weight`. The network learns to say of training images what it said before, with a penalty on the
mean squares of images that no photograph looks like (`ood.py`): they fall within a few steps, and nothing else moves.
"""
from __future__ import annotations

import copy

from torch import Tensor

from vit.data import ImageSet
from vit.model import SwitchTensors, VisionTransformer

from .imitate import imitate
from .ood import excess, shifted

PENALTY = 0.3


def limit_ranges(
    model: VisionTransformer, switches: SwitchTensors, images: ImageSet, ood: Tensor, steps: int, limit: float, batch_size: int = 64, seed: int = 5
) -> None:
    """Train `model` in place. ood: normalised (B, 3, S, S); limit: mean square above which one of these is penalised."""
    model.eval()
    before = copy.deepcopy(model).requires_grad_(False)
    imitate(
        model, before, switches, images, steps, batch_size=batch_size, seed=seed,
        penalty=lambda generator: PENALTY * excess(model, switches, shifted(ood, generator), limit),
    )  # fmt: skip
