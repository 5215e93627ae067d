"""Distillation of a CNN's features into a ViT whose tokens lie on the same grid.

Each token regresses the CNN's features at its place, and the pooled tokens regress the CNN's pooled features (FitNets,
Romero et al., ICLR 2015, arXiv 1412.6550, with linear regressors that are dropped after training).
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FeatureRegressors(nn.Module):
    """Linear maps from a ViT's features to the CNN's."""

    def __init__(self, embed_dim: int, token_channels: int, pooled_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim)
        self.tokens = nn.Linear(embed_dim, token_channels)
        self.pooled = nn.Linear(embed_dim, pooled_channels)

    def loss(self, features: Tensor, cnn_tokens: Tensor, cnn_pooled: Tensor, summary: Tensor | None = None) -> Tensor:
        """features of patches (B, N, C); summary (B, C), of the class token where that is what is classified; cnn_tokens (B, N, token_channels), cnn_pooled (B, pooled_channels): mean squared errors, summed; targets have variance 1.
        NaN marks what an image's CNN has not said (`teaching.TeachingEnsemble`): nothing is regressed there."""
        x = self.norm(features)
        return _mean_squared_error(self.tokens(x), cnn_tokens) + _mean_squared_error(self.pooled(x.mean(dim=1) if summary is None else self.norm(summary)), cnn_pooled)


def _mean_squared_error(guess: Tensor, target: Tensor) -> Tensor:
    """Over the targets that are not NaN."""
    known = ~target.isnan()
    return F.mse_loss(torch.where(known, guess, 0), target.nan_to_num(), reduction='sum') / known.sum().clamp(min=1)
