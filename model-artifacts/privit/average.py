"""The mean of several trainings of one student, or of moments of one: a model soup (Wortsman et al., ICML 2022, arXiv 2203.05482)."""
from __future__ import annotations

from pathlib import Path

import torch

from vit.checkpoint import labels_of, load_checkpoint
from vit.model import SwitchTensors, VisionTransformer


def average_checkpoints(paths: list[Path], weights: list[float] | None = None) -> tuple[VisionTransformer, SwitchTensors, dict]:
    """(model, switches, description of the last). weights: how much each counts, in any unit; None: all the same.

    They must come from one search: raises ValueError when switches, shapes or labels differ, or when there is not one positive weight for each.
    """
    weights = [1.0] * len(paths) if weights is None else weights
    if len(weights) != len(paths) or min(weights) <= 0:
        raise ValueError(f'weights: expected {len(paths)} positive numbers, one for each checkpoint, got {weights}')
    loaded = [load_checkpoint(path) for path in paths]
    model, switches, description = loaded[-1]
    for path, (other, their_switches, theirs) in zip(paths, loaded):
        if labels_of(theirs) != labels_of(description):
            raise ValueError(f'{path}: expected the same labels as {paths[-1]}')
        if other.config != model.config or not all(torch.equal(a, b) for a, b in zip(their_switches, switches)):
            raise ValueError(f'{path}: expected the same architecture and switches as {paths[-1]}')
    states = [other.state_dict() for other, _, _ in loaded]
    parts = torch.tensor(weights) / sum(weights)
    model.load_state_dict({key: torch.tensordot(parts, torch.stack([s[key] for s in states]), 1) for key in states[-1]})
    return model, switches, description
