"""PriViT's switches: one number per softmax row of each head and layer, one per GELU token of each layer.

Dhyani et al., arXiv 2310.04604, section 3 and algorithm 1: `S` (softmax) and `C` (GELU) start at 1, are learned together with the
weights under an L1 penalty, and are binarised once as few as the budgets allow exceed a threshold. Here the threshold is the one
that meets the budget exactly.
"""
from __future__ import annotations

import torch
from torch import Tensor, nn

from vit.model import SwitchTensors, ViTConfig, computed

GRANULARITIES = ['token', 'head']

EPSILON = 1e-3
"""A switch above this counts as on: the paper's threshold."""


class Switches(nn.Module):
    """softmax (depth, heads, tokens) and gelu (depth, tokens), in [0, 1]; 1 keeps the exact nonlinearity."""

    softmax_steps_on: Tensor
    gelu_steps_on: Tensor
    softmax_computed: Tensor
    gelu_computed: Tensor

    def __init__(self, config: ViTConfig, granularity: str = 'token') -> None:
        """granularity: 'token', PriViT's own; or 'head', where the rows of a head, and the tokens of a layer, are on or off together, as
        in MPCViT (Zeng et al., ICCV 2023, arXiv 2211.13955), to compare with."""
        super().__init__()
        if granularity not in GRANULARITIES:
            raise ValueError(f'granularity: expected one of {GRANULARITIES}, got {granularity!r}')
        self.together = granularity == 'head'
        rows, tokens = computed(config)
        self.softmax, self.gelu = nn.Parameter(rows.clone()), nn.Parameter(tokens.clone())
        self.register_buffer('softmax_computed', rows, persistent=False)  # rows and tokens that are not have a switch of 0
        self.register_buffer('gelu_computed', tokens, persistent=False)
        # How many optimisation steps each switch has survived: breaks ties between switches that are all 0.
        self.register_buffer('softmax_steps_on', torch.zeros_like(self.softmax))
        self.register_buffer('gelu_steps_on', torch.zeros_like(self.gelu))

    @torch.no_grad()
    def begin_at(self, value: float) -> None:
        """All of them, in 0..1."""
        self.softmax.copy_(value * self.softmax_computed)
        self.gelu.copy_(value * self.gelu_computed)

    def tensors(self) -> SwitchTensors:
        return self.softmax, self.gelu

    @torch.no_grad()
    def project(self) -> None:
        """After an optimisation step: back into [0, 1], and count who is still on."""
        kinds = (self.softmax, self.softmax_steps_on, self.softmax_computed), (self.gelu, self.gelu_steps_on, self.gelu_computed)
        for switch, steps, there in kinds:
            if self.together and switch.requires_grad:
                switch.copy_(there * (switch * there).sum(-1, keepdim=True) / there.sum(-1, keepdim=True))
            switch.clamp_(0, 1)
            steps += switch > EPSILON

    def there(self) -> SwitchTensors:
        """1 where something is computed at all."""
        return self.softmax_computed, self.gelu_computed

    def steps_on(self) -> SwitchTensors:
        """How many steps each switch has survived, which breaks ties."""
        return self.softmax_steps_on, self.gelu_steps_on

    def counts(self) -> tuple[int, int]:
        """(softmax rows, GELU tokens) whose switch exceeds EPSILON."""
        return int((self.softmax > EPSILON).sum()), int((self.gelu > EPSILON).sum())

    def l1(self) -> tuple[Tensor, Tensor]:
        """(softmax, GELU) L1 norms, the penalties of algorithm 1. Switches are never negative."""
        return self.softmax.sum(), self.gelu.sum()

    @torch.no_grad()
    def binarise_softmax(self, budget: int) -> None:
        """Stage 3 for softmax rows: the `budget` largest become 1, all others 0, and stop learning. Whole heads as many as fit."""
        self.softmax.copy_(self._keep_largest(self.softmax, self.softmax_steps_on, self.softmax_computed, budget))
        self.softmax.requires_grad_(False)

    @torch.no_grad()
    def binarise_gelu(self, budget: int) -> None:
        """Stage 3 for GELU tokens, as `binarise_softmax`."""
        self.gelu.copy_(self._keep_largest(self.gelu, self.gelu_steps_on, self.gelu_computed, budget))
        self.gelu.requires_grad_(False)

    def _keep_largest(self, values: Tensor, steps_on: Tensor, there: Tensor, budget: int) -> Tensor:
        if not self.together:
            return keep_largest(values.masked_fill(there == 0, -1), steps_on, budget)
        groups = keep_largest(values.amax(-1), steps_on.amax(-1), budget // values.shape[-1])
        return there * groups.unsqueeze(-1)

    @torch.no_grad()
    def set(self, softmax: Tensor, gelu: Tensor) -> None:
        """Fix the switches to 0/1 tensors of their shapes (baselines, loading)."""
        for name, current, value in (('softmax', self.softmax, softmax), ('gelu', self.gelu, gelu)):
            if current.shape != value.shape:
                raise ValueError(f'{name} switches: expected shape {tuple(current.shape)}, got {tuple(value.shape)}')
            if not torch.all((value == 0) | (value == 1)):
                raise ValueError(f'{name} switches: expected zeros and ones only')
            current.copy_(value.to(current.dtype))
            current.requires_grad_(False)


def keep_largest(values: Tensor, tie_break: Tensor, count: int) -> Tensor:
    """1 at the `count` entries with the largest (value, tie_break), ties after that by position; 0 elsewhere. Any shape."""
    if not 0 <= count <= values.numel():
        raise ValueError(f'count: expected 0..{values.numel()}, got {count}')
    flat, second = values.flatten(), tie_break.flatten()
    order = torch.argsort(second, descending=True, stable=True)
    order = order[torch.argsort(flat[order], descending=True, stable=True)]
    kept = torch.zeros_like(flat)
    kept[order[:count]] = 1
    return kept.reshape(values.shape)
