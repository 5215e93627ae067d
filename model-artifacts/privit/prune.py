"""Softmax rows that a trained student no longer needs: a head's rows become squares where that changes next to nothing.

A search chooses switches early, and training may move work elsewhere. The magnitude of a switch says nothing once it is binary, so each head is
tried (as Michel et al., NeurIPS 2019, arXiv 1905.10650, try removing heads). Rows of a head together, and heads one at a time: a layer
without softmax rows also saves its flights. Ours, not PriViT's.
"""
from __future__ import annotations

import torch
from torch import Tensor

from vit.data import ImageSet
from vit.model import SwitchTensors, VisionTransformer

from .distill import distillation_loss
from .evaluate import logits_of


@torch.no_grad()
def without_idle_heads(model: VisionTransformer, switches: SwitchTensors, images: ImageSet, limit: float) -> tuple[Tensor, Tensor, float]:
    """(softmax switches (depth, h, N) without the rows of every head that alone moves the logits by at most `limit`, what each head's
    rows move them by (depth, h), what all that went do together). Logits move by their distillation loss from what they were. Binary switches."""
    softmax, gelu = switches
    whole = logits_of(model, switches, images)

    def moved_by(rows: Tensor) -> float:
        return float(distillation_loss(logits_of(model, (rows, gelu), images), whole))

    moved = torch.zeros(softmax.shape[:2])
    for layer, head in (softmax.sum(-1) > 0).nonzero().tolist():
        tried = softmax.clone()
        tried[layer, head] = 0
        moved[layer, head] = moved_by(tried)
    kept = softmax * ~(moved <= limit)[:, :, None]  # what moves them to no number stays
    return kept, moved, moved_by(kept)
