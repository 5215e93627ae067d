"""What `views.py`, `live.py` and `finetune.py` ask of a CNN that teaches; `cnn.py` and `resnet.py` have those that there are."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    net: Any  # subclasses know its parts
    compiles = True  # which folds normalisation and activation into the convolutions: 2.3 times as fast here

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.eval().requires_grad_(False)
        self.net.to(memory_format=torch.channels_last)
        self._dtype = autocast_dtype(torch.device('cpu'))
        self._compiled = torch.compile(self.features) if self.compiles else self.features

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


class TeachingEnsemble(nn.Module):
    """Several CNNs that teach as one, each a part of every batch: over the steps a student hears the mean of what all of them say, which is
    right more often than any one of them (of networks trained apart; Lakshminarayanan et al., NeurIPS 2017, arXiv 1612.01474), for no more
    time than their mean."""

    def __init__(self, cnns: Sequence[TeachingCnn]) -> None:
        """cnns: at least one, all for images of one size. Each has channels of its own among the features."""
        super().__init__()
        self.teachers = list(cnns)
        self.cnns = nn.ModuleList(cnns)
        self.token_channels = sum(cnn.token_channels for cnn in cnns)
        self.pooled_channels = sum(cnn.pooled_channels for cnn in cnns)

    def forward(self, images: Tensor, grid: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `TeachingCnn.forward`, with NaN in the channels of the CNNs that were not shown an image. Batches come in random order, so
        which CNN an image gets is random too."""
        tokens = images.new_full((len(images), grid**2, self.token_channels), float('nan'))
        pooled = images.new_full((len(images), self.pooled_channels), float('nan'))
        logits = []
        first_token, first_pooled = 0, 0
        for cnn, rows in zip(self.teachers, torch.arange(len(images)).tensor_split(len(self.cnns))):
            if len(rows):  # else there are more CNNs than images
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                own_tokens, own_pooled, own_logits = cnn(images[part], grid)
                tokens[part, :, first_token : first_token + cnn.token_channels] = own_tokens
                pooled[part, first_pooled : first_pooled + cnn.pooled_channels] = own_pooled
                logits.append(own_logits)
            first_token, first_pooled = first_token + cnn.token_channels, first_pooled + cnn.pooled_channels
        return tokens, pooled, torch.cat(logits)
