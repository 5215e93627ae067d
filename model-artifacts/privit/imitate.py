"""Training towards what the network said before something about it was changed; no labels, no teacher."""
from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit.data import ImageSet
from vit.model import SwitchTensors, VisionTransformer

from . import augment


def imitate(
    model: VisionTransformer, before: VisionTransformer, switches: SwitchTensors, images: ImageSet, steps: int, *, rate: float = 1e-4,
    batch_size: int = 64, seed: int = 5, each: Callable[[int], object] = lambda step: None, penalty: Callable[[Generator], Tensor | float] = lambda generator: 0.0,
) -> None:  # fmt: skip
    """Train `model` in place, at the learning rate `rate` with ten steps of warm-up, then linearly to 0. each: called before a step with its
    number; penalty: added to the loss, with the source of the step's randomness."""
    generator = Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(steps):
        each(step)
        for group in optimizer.param_groups:
            group['lr'] = rate * min(1, (step + 1) / 10) * (1 - step / steps)
        chosen = images.images[torch.randint(len(images), (batch_size,), generator=generator)]
        windows = augment.resize(augment.random_crop_flip(chosen, 2, generator), model.config.img_size)
        batch = augment.normalise(windows, images.info)
        with torch.no_grad():
            said = before(batch, switches)
        says = model(batch, switches)
        loss = F.mse_loss(says, said) + F.kl_div(says.log_softmax(-1), said.log_softmax(-1), log_target=True, reduction='batchmean')
        loss = loss + penalty(generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
