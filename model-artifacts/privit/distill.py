"""Losses of distillation (Hinton et al., 2015, arXiv 1503.02531)."""
from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 4.0
"""PriViT's temperature."""


def distillation_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """KL(teacher || student) of the softened distributions, times temperature^2 so its gradients keep their size; logits (B, classes)."""
    return (
        F.kl_div(
            F.log_softmax(student_logits / temperature, dim=1),
            F.log_softmax(teacher_logits / temperature, dim=1),
            reduction='batchmean',
            log_target=True,
        )
        * temperature**2
    )


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy against distributions; both (B, classes)."""
    return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def smooth_one_hot(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """int64 (B,) -> (B, classes): 1 - smoothing on the label, the rest spread over all classes."""
    return F.one_hot(labels, classes).float() * (1 - smoothing) + smoothing / classes
