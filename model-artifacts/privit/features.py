"""Distillation of a CNN's features into a ViT whose tokens lie on the same grid.

Each token regresses the CNN's stride-16 features at its place, and the pooled tokens regress the CNN's pooled features (FitNets,
Romero et al., ICLR 2015, arXiv 1412.6550, with linear regressors that are dropped after training).
"""
from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .cnn import POOLED_CHANNELS, TOKEN_CHANNELS


class FeatureRegressors(nn.Module):
    """Linear maps from a ViT's features to the CNN's."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim)
        self.tokens = nn.Linear(embed_dim, TOKEN_CHANNELS)
        self.pooled = nn.Linear(embed_dim, POOLED_CHANNELS)

    def loss(self, features: Tensor, cnn_tokens: Tensor, cnn_pooled: Tensor) -> Tensor:
        """features (B, N, C), cnn_tokens (B, N, 112), cnn_pooled (B, 1280): mean squared errors, summed; targets have variance 1."""
        x = self.norm(features)
        return F.mse_loss(self.tokens(x), cnn_tokens) + F.mse_loss(self.pooled(x.mean(dim=1)), cnn_pooled)
