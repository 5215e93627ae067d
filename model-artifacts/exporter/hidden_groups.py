"""Hidden units of an MLP by how far their inputs reach, so that few wide ones do not widen everybody's table.

A table's cost grows with its domain, and of a trained network's hidden units most stay near 0 while a few reach a hundred (Sun et al.,
arXiv 2402.17762). The order of hidden units is free: fc1's rows and fc2's columns move together. Sizes and domains of the groups are public.
"""
from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from .calibrate import Ranges
from .folding import Array, FoldedBlock, FoldedModel, Linear
from .scales import GROUP_ROOM, choose_activation, with_room

MOST = 4
"""Groups of a block."""
WORTH = 0.9
"""Part of the cost of a single table at which more are taken …"""
WORTH_BITS = 2**19
"""… if they save at least so many bits."""
TYPICAL_FRAC_BITS = 18
TOLERANCE = 0.01


def grouped(model: FoldedModel, ranges: Ranges) -> FoldedModel:
    """The same network with the hidden units of each block in groups where that is cheaper; `ranges` follows the new order."""
    return replace(model, blocks=tuple(_grouped(model, i, block, ranges) for i, block in enumerate(model.blocks)))


def _grouped(model: FoldedModel, i: int, block: FoldedBlock, ranges: Ranges) -> FoldedBlock:
    name = f'blocks.{i}.mlp.fc1'
    if name not in ranges.unit_low:
        return block
    reach = np.maximum(-ranges.unit_low[name], ranges.unit_high[name])
    order, sizes = group_units(reach, model.activation, int(block.gelu_tokens.sum()))
    if len(sizes) == 1:
        return block
    for units in (ranges.unit_low, ranges.unit_high):
        units[name] = units[name][order]
    fc1, fc2 = block.fc1, block.fc2
    return replace(block, fc1=Linear(fc1.weight[order], fc1.bias[order]), fc2=Linear(fc2.weight[:, order], fc2.bias), groups=sizes)


def group_units(reach: Array, function: str, tokens: int) -> tuple[Array, tuple[int, ...]]:
    """(order of the units, sizes of the groups in it), ascending: the cheapest split into at most MOST. reach: largest |input| of each unit;
    tokens: that have the activation."""
    order = np.argsort(reach, kind='stable')
    steps = np.ceil(2 * np.log2(np.maximum(reach[order], 1))).astype(int)  # half octaves
    ends = [int(np.searchsorted(steps, step, side='right')) for step in np.unique(steps)]
    costs = [_bits(function, 2.0 ** (step / 2)) for step in np.unique(steps)]
    # best[e]: the cheapest way to cover the units before ends[e − 1], by number of groups.
    best: list[dict[int, tuple[float, tuple[int, ...]]]] = [{0: (0.0, ())}]
    for e, (end, cost) in enumerate(zip(ends, costs), 1):
        here: dict[int, tuple[float, tuple[int, ...]]] = {}
        for s in range(e):
            start = ends[s - 1] if s else 0
            for count, (total, sizes) in best[s].items():
                if count < MOST:
                    option = total + (end - start) * cost, (*sizes, end - start)
                    here[count + 1] = min(here.get(count + 1, (math.inf, ())), option)
        best.append(here)
    alone, chosen = best[-1][1], min(best[-1].values())
    saves = (alone[0] - chosen[0]) * tokens
    return order, (chosen if chosen[0] < WORTH * alone[0] and saves > WORTH_BITS else alone)[1]


@cache
def _bits(function: str, reach: float) -> int:
    """Of the activation for inputs in ±reach, with the room that a group has; of both phases."""
    low, high = with_room(-reach, reach, *GROUP_ROOM)
    bits = math.ceil(math.log2(high))
    chosen = choose_activation('fc1', function, low, high, TOLERANCE, TYPICAL_FRAC_BITS - max(0, bits - 8), 8)
    return chosen.online_bits() + chosen.offline_bits()
