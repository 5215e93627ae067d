"""Checkpoints for the exporter: safetensors with timm's names, the binary switches, and a JSON description.

`switch.softmax` uint8 (depth, heads, tokens), `switch.gelu` uint8 (depth, tokens): 1 keeps the exact nonlinearity.
The metadata entry `config` is JSON (see `describe`).
"""
from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .data import CIFAR10_LABELS, ImageSetInfo, shorter_side
from .model import SwitchTensors, VisionTransformer, ViTConfig, computed


def describe(config: ViTConfig, info: ImageSetInfo, recipe: str, validation_accuracy: float | None = None, name: str | None = None) -> dict:
    """The checkpoint's public description. Accuracy is a fraction of 1, on the validation split, left out when it was not measured; mean
    and std are in 0..255."""
    measured = {} if validation_accuracy is None else {'validation_accuracy': validation_accuracy}
    return {
        'name': name or info.name,
        **config.to_dict(),
        'labels': info.labels,
        'mean': list(info.mean),
        'std': list(info.std),
        'resize': {'shorter_side': shorter_side(info, config.img_size), 'crop': config.img_size, 'interpolation': 'bilinear'},
        'dataset': info.title,
        'recipe': recipe,
        **measured,
    }


def check_labels(path: Path, description: dict, info: ImageSetInfo) -> None:
    """Raises ValueError when the checkpoint `path` is of another image set than `info`."""
    if labels_of(description) != info.labels:
        raise ValueError(f'{path}: its labels are not those of {info.title}')


def describes_itself(path: Path) -> bool:
    """Whether `path` is a checkpoint of this project, whose description says what network it is, and not another library's."""
    if not path.is_file() or path.suffix != '.safetensors':
        return False
    with safe_open(path, 'pt') as file:
        return 'config' in (file.metadata() or {})


def labels_of(description: dict) -> list[str]:
    """A plain timm state dict has no description: it is a warm start's, which knows CIFAR-10."""
    return description.get('labels', CIFAR10_LABELS)


def save_checkpoint(path: Path, state_dict: dict[str, Tensor], switches: SwitchTensors, description: dict) -> None:
    """Write atomically. Raises ValueError when a switch is not exactly 0 or 1."""
    tensors = {k: v.detach().float().contiguous().clone() for k, v in state_dict.items()}
    for key, value in zip(('switch.softmax', 'switch.gelu'), switches):
        if not torch.all((value == 0) | (value == 1)):
            raise ValueError(f'{key}: expected binarised switches (0 or 1)')
        tensors[key] = value.detach().to(torch.uint8).contiguous()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix('.partial')
    save_file(tensors, temporary, metadata={'format': 'pt', 'config': json.dumps(description)})
    os.replace(temporary, path)


def load_checkpoint(path: Path, config: ViTConfig | None = None) -> tuple[VisionTransformer, SwitchTensors, dict]:
    """(model, switches, description). A plain timm state dict without switches loads with all of them on; it then needs `config`. Switches
    of what is not computed are 0, whatever the file says."""
    with safe_open(path, 'pt') as file:
        description = json.loads((file.metadata() or {}).get('config', '{}'))
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    if description:
        config = ViTConfig(**{key: description[key] for key in ViTConfig.__dataclass_fields__ if key in description})
    if config is None:
        raise ValueError(f'{path} does not describe its architecture: expected a config')
    on = computed(config)
    softmax, gelu = (tensors.pop(f'switch.{kind}', every).float() for kind, every in zip(('softmax', 'gelu'), on))
    if softmax.shape == on[0].shape and gelu.shape == on[1].shape:
        softmax, gelu = softmax * on[0], gelu * on[1]
    model = VisionTransformer(config)
    model.load_state_dict(tensors)
    return model, (softmax, gelu), description
