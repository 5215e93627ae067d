"""Fixed switches to compare PriViT against, at the same budgets and with the same number of training steps."""
from __future__ import annotations

import torch

from vit.model import SwitchTensors, ViTConfig, computed

BASELINES = ['random', 'heads', 'polynomial', 'teacher']


def baseline_switches(name: str, config: ViTConfig, softmax_budget: int, gelu_budget: int, seed: int = 0) -> SwitchTensors:
    """(softmax (depth, heads, tokens), gelu (depth, tokens)) of zeros and ones.

    random: uniformly chosen rows and tokens. heads: whole heads and whole layers (MPCViT's granularity), chosen at random among those
    that fit the budgets. polynomial: nothing kept. teacher: everything kept, whatever the budgets.
    """
    generator = torch.Generator().manual_seed(seed)
    softmax = torch.zeros(config.depth, config.num_heads, config.num_tokens)
    gelu = torch.zeros(config.depth, config.num_tokens)
    if name == 'random':
        for kept, possible, budget in zip((softmax, gelu), computed(config), (softmax_budget, gelu_budget)):
            places = possible.flatten().nonzero().flatten()
            kept.view(-1)[places[torch.randperm(len(places), generator=generator)[:budget]]] = 1
    elif name == 'heads':
        heads = torch.randperm(config.depth * config.num_heads, generator=generator)[: softmax_budget // config.num_tokens]
        softmax.view(-1, config.num_tokens)[heads] = 1
        gelu[torch.randperm(config.depth, generator=generator)[: gelu_budget // config.num_tokens]] = 1
        softmax, gelu = (kept * possible for kept, possible in zip((softmax, gelu), computed(config)))
    elif name == 'teacher':
        return computed(config)
    elif name != 'polynomial':
        raise ValueError(f'baseline: expected one of {BASELINES}, got {name!r}')
    return softmax, gelu
