"""What `views.py` and `finetune.py` ask of a CNN; `cnn.py` and `resnet.py` have one each."""
from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class TeachingCnn(Protocol):
    """A network `net` whose last layer is `head`. Images are RGB in 0..255, float (B, 3, S, S)."""

    token_channels: int
    pooled_channels: int
    net: nn.Module

    @property
    def head(self) -> nn.Linear: ...

    @staticmethod
    def prepare(images: Tensor) -> Tensor:
        """Images normalised as `features` expects them."""
        ...

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(features that tokens regress, features whose mean `head` classifies), both (B, channels, side, side), with gradients."""
        ...

    def __call__(self, images: Tensor, grid: int) -> tuple[Tensor, Tensor, Tensor]:
        """(token features (B, grid^2, token_channels), pooled features (B, pooled_channels), logits (B, classes)), no gradients."""
        ...
