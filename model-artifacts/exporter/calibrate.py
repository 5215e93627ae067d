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


def odd_images(size: int, seed: int = 0) -> Array:
    """uint8 (N, size, size, 3) that no photograph looks like: plain colours, noise, gradients, stripes, checkerboards, half planes."""
    rng = np.random.default_rng(seed)
    plain = [np.broadcast_to(np.array(c), (size, size, 3)) for c in
             [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]]  # fmt: skip
    ramp = np.linspace(0, 255, size)
    y, x = np.indices((size, size))
    grey = [ramp[x], ramp[y], ramp[::-1][x], (x + y) % 2 * 255, x % 2 * 255, y % 2 * 255, (x // 4 + y // 4) % 2 * 255,
            (x < size // 2) * 255, (y < size // 2) * 255, np.hypot(x - size / 2, y - size / 2) < size / 3]  # fmt: skip
    grey[-1] = grey[-1] * 255
    noise = [rng.integers(0, 256, (size, size, 3)), rng.integers(0, 2, (size, size, 3)) * 255, rng.integers(0, 2, (size, size, 1)).repeat(3, 2) * 255,
             np.clip(rng.normal(128, 10, (size, size, 3)), 0, 255), np.clip(rng.normal(128, 60, (size, size, 3)), 0, 255)]  # fmt: skip
    return np.stack([*plain, *(np.repeat(g[..., None], 3, 2) for g in grey), *noise]).astype(np.uint8)
