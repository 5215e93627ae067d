"""What `views.py`, `live.py` and `finetune.py` ask of a CNN that teaches; `cnn.py` and `resnet.py` are the two that there are."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .distributed import autocast_dtype


class TeachingCnn(nn.Module):
    """RGB images in 0..255, float (B, 3, S, S) -> what a student can learn from (see `forward`).

    Subclasses say what `prepare`, `features` and `head` are. `token_channels` and `pooled_channels` are the numbers of channels of the
    two results of `features`.
    """

    token_channels: int
    pooled_channels: int

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._dtype = autocast_dtype(torch.device('cpu'))
        self._compiled = torch.compile(self.features)  # folds normalisation and activation into the convolutions: 2.3 times as fast here

    @property
    def head(self) -> nn.Linear:
        """The last layer, which classifies the mean of the last features."""
        raise NotImplementedError

    def prepare(self, images: Tensor) -> Tensor:
        """Images normalised as `features` expects them."""
        raise NotImplementedError

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(features that tokens regress, last features), both (B, channels, side, side), with gradients."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, images: Tensor, grid: int) -> tuple[Tensor, Tensor, Tensor]:
        """(token features (B, grid^2, token_channels) resampled to grid x grid, pooled features (B, pooled_channels), logits (B, classes))."""
        with torch.autocast('cpu', self._dtype, enabled=self._dtype is not None):
            tokens, features = self._compiled(self.prepare(images))
        pooled = features.float().mean(dim=(2, 3))
        logits = self.head(pooled)
        tokens = F.interpolate(tokens.float(), size=(grid, grid), mode='bilinear', antialias=True, align_corners=False)
        return tokens.flatten(2).transpose(1, 2), pooled, logits
