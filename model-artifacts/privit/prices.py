"""Switches that cost what they cost: the search's penalty is the price of what stays exact, read off the compiled plan, and not a count.

A count says that a softmax row is a softmax row. In the secure protocol (docs/protocol.md) the first exact row of a layer also brings the
flights of its exp, sum and reciprocal, which all rows of the layer then share, and a GELU token is as dear as its hidden width. So

    price = Σ_layers (price of the first row)·max(rows' switches) + Σ_rows (price of one more)·switch, and likewise for GELU tokens:

a group lasso of the largest switch (l1/l∞, Turlach et al., Technometrics 2005) beside PriViT's l1, so that whole layers can empty.
`npm run prices` measures the prices of a network from its plan; their unit is milliseconds of an answer over a chosen network.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from vit.model import SwitchTensors, ViTConfig, computed


@dataclass(frozen=True)
class Prices:
    """In one unit. softmax_row (depth, heads): of one more exact row. softmax_layer (depth,): what the layer's first one adds to that.
    gelu_token, gelu_layer (depth,): likewise. rest: of the network with none of them."""

    unit: str
    rest: float
    softmax_row: Tensor
    softmax_layer: Tensor
    gelu_token: Tensor
    gelu_layer: Tensor

    def of(self, switches: SwitchTensors) -> Tensor:
        """What these switches cost beside `rest`, a scalar; binary or in [0, 1], with gradients. softmax (depth, heads, tokens), gelu
        (depth, tokens)."""
        softmax, gelu = switches
        rows = (softmax.sum(-1) * self.softmax_row).sum() + (softmax.flatten(1).amax(1) * self.softmax_layer).sum()
        return rows + (gelu.sum(-1) * self.gelu_token).sum() + (gelu.amax(1) * self.gelu_layer).sum()

    def to(self, device: torch.device) -> Prices:
        """The same there."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name not in ('unit', 'rest')})

    def everything(self, config: ViTConfig) -> float:
        """What all of them cost."""
        return float(self.of(computed(config)))


def read_prices(path: Path, config: ViTConfig) -> Prices:
    """Raises ValueError when the file's prices are of another shape, negative, or not there."""
    said = json.loads(Path(path).read_text())
    shapes = {'softmaxRow': (config.depth, config.num_heads), 'softmaxLayer': (config.depth,), 'geluToken': (config.depth,), 'geluLayer': (config.depth,)}
    missing = [key for key in ('unit', 'rest', *shapes) if key not in said]
    if missing:
        raise ValueError(f'{path}: expected {missing[0]}, as npm run prices writes it')
    tensors = {key: torch.tensor(said[key], dtype=torch.float32) for key in shapes}
    for key, shape in shapes.items():
        if tensors[key].shape != shape or bool((tensors[key] < 0).any()):
            raise ValueError(f'{path}: {key}: expected prices of shape {shape} from 0, got {tuple(tensors[key].shape)}')
    return Prices(str(said['unit']), float(said['rest']), *tensors.values())


def keep_affordable(prices: Prices, values: SwitchTensors, steps_on: SwitchTensors, there: SwitchTensors, budget: float) -> SwitchTensors:
    """Zeros and ones: the largest switches first, each kept if what it adds still fits into `budget`, until all have been asked. steps_on:
    breaks ties (switches.keep_largest). there: 1 where something is computed at all. A layer's first row or token pays for the layer.

    At equal value the cheaper one goes first: so the last of a budget is not lost on what only just does not fit.
    """
    if budget < 0:
        raise ValueError(f'budget: expected at least 0, got {budget}')
    softmax, gelu = values
    depth, heads, tokens = softmax.shape
    price = torch.cat([prices.softmax_row[:, :, None].expand(-1, -1, tokens).flatten(), prices.gelu_token[:, None].expand(-1, tokens).flatten()])
    first = torch.cat([prices.softmax_layer, prices.gelu_layer]).tolist()
    layers = torch.cat([torch.arange(depth).repeat_interleave(heads * tokens), depth + torch.arange(depth).repeat_interleave(tokens)]).tolist()
    price, steps, value = (t.cpu() for t in (price, torch.cat([s.flatten() for s in steps_on]), torch.cat([v.flatten() for v in values])))
    order = torch.argsort(price, stable=True)
    for key in (steps, value):
        order = order[torch.argsort(key[order], descending=True, stable=True)]
    kept = torch.zeros(len(price))
    paid = [False] * (2 * depth)
    left = budget
    each = price.tolist()
    possible = torch.cat([t.flatten() for t in there]).tolist()
    for i in order.tolist():
        if not possible[i]:
            continue
        cost = each[i] + (0.0 if paid[layers[i]] else first[layers[i]])
        if cost <= left:
            left -= cost
            paid[layers[i]] = True
            kept[i] = 1
    return kept[: softmax.numel()].view_as(softmax), kept[softmax.numel() :].view_as(gelu)
