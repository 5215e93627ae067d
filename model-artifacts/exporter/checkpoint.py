"""What an export starts from: the trained network, its switches, and its description."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vit.checkpoint import load_checkpoint
from vit.data import IMAGE_SETS
from vit.model import SwitchTensors, VisionTransformer, ViTConfig

from .folding import FoldedModel, fold


@dataclass(frozen=True)
class Checkpoint:
    """`description` holds vit.checkpoint.describe's keys; mean and std are in units of 0..255."""

    model: VisionTransformer
    switches: SwitchTensors
    description: dict[str, Any]

    def fold(self) -> FoldedModel:
        config = self.model.config
        return fold(
            {name: tensor.detach().double().numpy() for name, tensor in self.model.state_dict().items()}, config,
            np.array(self.description['mean']), np.array(self.description['std']), self.switches[0].numpy(), self.switches[1].numpy(),
        )  # fmt: skip


def read_checkpoint(path: Path, dataset: str | None = None) -> Checkpoint:
    """Load a safetensors checkpoint.

    dataset: the image set of a plain timm state dict, which does not describe itself; it is then read as privit's default
    architecture. Raises ValueError when it is needed and missing, or when the description lacks a key.
    """
    config = ViTConfig(num_classes=len(IMAGE_SETS[dataset].labels)) if dataset else None
    model, switches, description = load_checkpoint(Path(path), config)
    if not description:
        if dataset is None:
            raise ValueError(f'{path} does not describe itself: expected --dataset')
        info = IMAGE_SETS[dataset]
        size = model.config.img_size
        description = {
            'name': info.name, 'labels': info.labels, 'mean': list(info.mean), 'std': list(info.std), 'dataset': info.title,
            'resize': {'shorter_side': size, 'crop': size}, 'recipe': 'timm state dict, all switches on',
        }  # fmt: skip
    missing = [key for key in ('name', 'labels', 'mean', 'std', 'dataset', 'resize', 'recipe') if key not in description]
    if missing:
        raise ValueError(f'{path}: config lacks {missing}')
    model.eval()
    return Checkpoint(model, switches, description)
