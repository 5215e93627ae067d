"""Ranges of every tensor of the folded network over a set of images."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .errors import ExportError
from .folding import Array, FoldedBlock, FoldedModel, ceil_log2, mean_factor
from .forward import forward, split_heads

MAX_SQUARINGS = 2
SAMPLED = 4096
"""Values that are kept of a tensor of each batch, for quantiles."""


@dataclass
class Ranges:
    """What the images reached.

    low, high: smallest and largest value per tensor name (forward.py's names, plus `*.square`, the switched scores of square rows, and for
    softmax by k squarings, k = 0, 1, 2, what scales.py says of `*.softmax{k}.…`). values: samples of the arguments of rsqrt and
    reciprocal, whose spread decides where a spline has to be accurate. unit_low, unit_high: of each hidden unit of an MLP.
    """

    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    values: dict[str, list[Array]] = field(default_factory=dict)
    unit_low: dict[str, Array] = field(default_factory=dict)
    unit_high: dict[str, Array] = field(default_factory=dict)

    def record(self, name: str, value: Array) -> None:
        if value.size:
            low, high = float(value.min()), float(value.max())
            # Sums of exp may overflow here: the scores that made them do are refused by name, with their limit.
            if not (np.isfinite((low, high)).all() or '.softmax' in name):
                raise ExportError(name, f'values in [{low}, {high}]', 'finite numbers')
            self.low[name], self.high[name] = min(self.low.get(name, np.inf), low), max(self.high.get(name, -np.inf), high)

    def keep(self, name: str, value: Array) -> None:
        self.record(name, value)
        if value.size:
            flat = value.astype(np.float32).ravel()
            self.values.setdefault(name, []).append(flat[:: max(1, len(flat) // SAMPLED)])

    def keep_units(self, name: str, value: Array) -> None:
        """value (…, units)."""
        if value.size:
            low, high = (edge(value.reshape(-1, value.shape[-1]), axis=0) for edge in (np.min, np.max))
            self.unit_low[name] = np.minimum(self.unit_low.get(name, low), low)
            self.unit_high[name] = np.maximum(self.unit_high.get(name, high), high)

    def magnitude(self, *names: str) -> float:
        """Largest |value| over the named tensors; 0 when none was ever computed (a branch that no switch selects)."""
        return max((max(-self.low[n], self.high[n]) for n in names if n in self.low), default=0.0)

    def has(self, name: str) -> bool:
        return name in self.low

    def quantile(self, name: str, q: float) -> float:
        return float(np.quantile(np.concatenate(self.values[name]), q))


def follow_softmax(ranges: Ranges, name: str, centred: Array, squarings: int, block: FoldedBlock, values: Array | None) -> None:
    """Record what softmax by `squarings` squarings of rows (B, rows, T) reaches: `name.mean_exp`, and after each division `name.weights{j}`,
    their `name.squares{j}`, and `name.mean_square{j}`, the next reciprocal's argument; with values (B, heads, T, d), of all heads' rows,
    `name.unnormalised_mix` before the last division. Overflow to infinity is caught later, as a range that no domain can hold."""
    last = 2.0 ** -ceil_log2(block.tokens)
    with np.errstate(over='ignore', invalid='ignore', divide='ignore'):
        e = np.exp(centred * (exp_scale(block) / 2**squarings))
        mean = e.sum(-1, keepdims=True) * last
        ranges.keep(f'{name}.mean_exp', mean)
        for j in range(squarings):
            weights = e / mean
            ranges.record(f'{name}.weights{j}', weights)
            e = np.square(weights)
            ranges.record(f'{name}.squares{j}', e)
            mean = e.sum(-1, keepdims=True) * last
            ranges.keep(f'{name}.mean_square{j}', mean)
        if values is not None:
            B, heads, T, _ = values.shape
            sums = (e.reshape(B, heads, -1, T) @ values) * last
            ranges.record(f'{name}.unnormalised_mix', np.nan_to_num(sums, nan=np.inf, posinf=np.inf, neginf=-np.inf))


def exp_scale(block: FoldedBlock) -> float:
    """What a centred score, as the plan has it, must be multiplied by to be the network's: it is T/2^L of score_scale's inverse."""
    return block.score_scale / mean_factor(block.tokens)


def calibrate(model: FoldedModel, images: Array, batch: int = 64, say: Callable[[int], object] = lambda done: None) -> Ranges:
    """Run the folded network over uint8 images (N, H, W, 3) and record ranges; `say`: told after each batch how many are done.

    Raises ExportError at a value that is not finite."""
    ranges = Ranges()
    model = model.in_single_precision()
    values: Array | None = None  # of the block that is being computed

    def observe(name: str, value: Array) -> None:
        nonlocal values
        if name.endswith('.attn.v'):
            values = split_heads(value, model.heads)
        if name.endswith('.mean_square'):
            ranges.keep(name, value)
            return
        if name.endswith('.centred') and value.size:
            block = model.blocks[int(name.split('.')[1])]
            for squarings in range(MAX_SQUARINGS + 1):
                mixed = values if block.is_softmax_alone else None
                follow_softmax(ranges, name.replace('.centred', f'.softmax{squarings}'), value, squarings, block, mixed)
        if name.endswith('.fc1'):
            ranges.keep_units(name, value)
        if name.endswith('.switched'):
            block = model.blocks[int(name.split('.')[1])]
            ranges.record(name.replace('.switched', '.square'), value[:, ~block.softmax_rows])
        ranges.record(name, value)

    for start in range(0, len(images), batch):
        forward(model, images[start : start + batch], observe)
        say(min(start + batch, len(images)))
    return ranges
