"""Ranges of every tensor of the folded network over a set of images."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .errors import ExportError
from .folding import Array, FoldedModel
from .forward import forward


@dataclass
class Ranges:
    """What the images reached.

    low, high: smallest and largest value per tensor name (forward.py's names, plus `*.mean_exp`, the mean of exp over a softmax
    row minus its mean, and `*.square`, the switched scores of square rows). values: samples of the arguments of rsqrt and
    reciprocal, whose spread decides where a spline has to be accurate.
    """

    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    values: dict[str, list[Array]] = field(default_factory=dict)

    def record(self, name: str, value: Array) -> None:
        if value.size:
            low, high = float(value.min()), float(value.max())
            # Sums of exp may overflow here: the scores that made them do are refused by name, with their limit.
            if not (np.isfinite((low, high)).all() or name.endswith('.mean_exp')):
                raise ExportError(name, f'values in [{low}, {high}]', 'finite numbers')
            self.low[name], self.high[name] = min(self.low.get(name, np.inf), low), max(self.high.get(name, -np.inf), high)

    def keep(self, name: str, value: Array) -> None:
        self.record(name, value)
        if value.size:
            self.values.setdefault(name, []).append(value.astype(np.float32).ravel())

    def magnitude(self, *names: str) -> float:
        """Largest |value| over the named tensors; 0 when none was ever computed (a branch that no switch selects)."""
        return max((max(-self.low[n], self.high[n]) for n in names if n in self.low), default=0.0)

    def has(self, name: str) -> bool:
        return name in self.low

    def quantile(self, name: str, q: float) -> float:
        return float(np.quantile(np.concatenate(self.values[name]), q))


def calibrate(model: FoldedModel, images: Array, batch: int = 64) -> Ranges:
    """Run the folded network over uint8 images (N, S, S, 3) and record ranges. Raises ExportError at a value that is not finite."""
    ranges = Ranges()
    model = model.in_single_precision()

    def observe(name: str, value: Array) -> None:
        if name.endswith('.mean_square'):
            ranges.keep(name, value)
            return
        if name.endswith('.centred'):
            # Overflow to infinity here is caught later as a range that no domain can hold.
            with np.errstate(over='ignore'):
                ranges.keep(name.replace('.centred', '.mean_exp'), np.exp(value).mean(-1))
        if name.endswith('.switched'):
            block = model.blocks[int(name.split('.')[1])]
            ranges.record(name.replace('.switched', '.square'), value[:, ~block.softmax_rows])
        ranges.record(name, value)

    for start in range(0, len(images), batch):
        forward(model, images[start : start + batch], observe)
    return ranges
