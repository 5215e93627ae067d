"""The mean of several trainings of one student: a uniform model soup (Wortsman et al., ICML 2022, arXiv 2203.05482)."""
from __future__ import annotations

from pathlib import Path

import torch

from .checkpoint import load_checkpoint
from .vit import SwitchTensors, VisionTransformer


def average_checkpoints(paths: list[Path]) -> tuple[VisionTransformer, SwitchTensors, dict]:
    """(model, switches, description of the last). They must come from one search: raises ValueError when switches or shapes differ."""
    loaded = [load_checkpoint(path) for path in paths]
    model, switches, description = loaded[-1]
    for path, (other, their_switches, _) in zip(paths, loaded):
        if other.config != model.config or not all(torch.equal(a, b) for a, b in zip(their_switches, switches)):
            raise ValueError(f'{path}: expected the same architecture and switches as {paths[-1]}')
    states = [other.state_dict() for other, _, _ in loaded]
    model.load_state_dict({key: torch.stack([s[key].float() for s in states]).mean(0).to(value.dtype) for key, value in states[-1].items()})
    return model, switches, description
