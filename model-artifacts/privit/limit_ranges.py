"""Keeps what no photograph looks like inside the ranges of fixed point, after training.

For models that were trained without `--ood-weight`. The network learns to say of training images what it said before, with a penalty on the
mean squares of images that no photograph looks like (`ood.py`): they fall within a few steps, and nothing else moves.
"""
from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit.data import ImageSet
from vit.model import SwitchTensors, VisionTransformer

from . import augment
from .ood import excess, shifted

PENALTY = 0.3


def limit_ranges(
    model: VisionTransformer, switches: SwitchTensors, images: ImageSet, ood: Tensor, steps: int, limit: float, batch_size: int = 64, seed: int = 5
) -> None:
    """Train `model` in place. ood: normalised (B, 3, S, S); limit: mean square above which one of these is penalised."""
    model.eval()
    before = copy.deepcopy(model).requires_grad_(False)
    generator = Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group['lr'] = 1e-4 * min(1, (step + 1) / 10) * (1 - step / steps)
        chosen = images.images[torch.randint(len(images), (batch_size,), generator=generator)]
        windows = augment.resize(augment.random_crop_flip(chosen, 2, generator), model.config.img_size)
        batch = augment.normalise(windows, images.info)
        with torch.no_grad():
            said = before(batch, switches)
        says = model(batch, switches)
        loss = F.mse_loss(says, said) + F.kl_div(says.log_softmax(-1), said.log_softmax(-1), log_target=True, reduction='batchmean')
        loss = loss + PENALTY * excess(model, switches, shifted(ood, generator), limit)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
