"""Ranges that fixed point relies on: a penalty during training, and the maxima that were reached.

The secure protocols evaluate exp and GELU by splines over fixed intervals and keep every value before a truncation below 2^30, so
the network must be trained to stay inside. Limits (same units as the tensors):

- softmax rows: scores minus their row's mean within +-7 (exp is splined on [-8, 8));
- square rows: scores within +-7, so a row's weights x^2/n sum to at most 49;
- GELU inputs within +-7.5 (GELU is splined on [-8, 8));
- inputs of square units within +-15;
- residual stream within +-32.
"""
from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vit.model import SwitchTensors, ViTConfig

SCORE_LIMIT = 7.0
GELU_LIMIT = 7.5
SQUARE_UNIT_LIMIT = 15.0
RESIDUAL_LIMIT = 32.0
MARGIN = 0.75
"""The penalty starts at this part of the limit, so that unseen images stay inside it."""


class RangePenalty:
    """An observer for `VisionTransformer` that adds up squared excesses over MARGIN * limit. `total` is a scalar tensor.

    Squared excess is summed over a row or token and averaged over the observed images: a single outlier is felt, whatever the batch size.
    Beyond the limit's own size it goes on in a straight line (Huber): else a pretrained network's massive activations, twenty times the
    limit (Sun et al., COLM 2024, arXiv 2402.17762), would be all that the clipped gradient of its first steps is about.
    """

    def __init__(
        self, one_in: int = 1, score_limits: Mapping[str, float] | None = None, score_weight: float = 1.0, square_rows: bool = True
    ) -> None:
        """one_in: look at one image in this many only, since the scores are the largest tensors of a step. score_limits: each layer's own, by
        the name of its scores. score_weight: of scores, against everything else. square_rows: whether the network has any; else scores count
        from their row's mean only, which is all that softmax sees."""
        self.one_in = one_in
        self.score_limits = score_limits
        self.score_weight = score_weight
        self.square_rows = square_rows
        self.total: Tensor | float = 0.0

    def __call__(self, name: str, value: Tensor) -> None:
        value = value[: -(-len(value) // self.one_in)]
        if name.endswith('.scores'):
            # Subtracting the row's mean at most doubles a score and usually shrinks it; penalising the score itself as well keeps
            # x^2 moderate on square rows.
            centred = value - value.mean(dim=-1, keepdim=True)
            self._add(centred, self.score_limits[name] if self.score_limits else SCORE_LIMIT, self.score_weight)
            if self.square_rows:
                self._add(value, SCORE_LIMIT, self.score_weight)
        elif name.endswith('.gelu'):
            self._add(value, GELU_LIMIT)
        elif name.endswith('.square_units'):
            self._add(value, SQUARE_UNIT_LIMIT)
        elif '.residual' in name:
            self._add(value, RESIDUAL_LIMIT)

    def _add(self, value: Tensor, limit: float, weight: float = 1.0) -> None:
        excess = (value.abs() - MARGIN * limit).relu()
        near = excess.clamp(max=limit)
        self.total = self.total + weight * (near * (2 * excess - near)).sum() / len(value)


class RangeMaxima:
    """An observer of logits that records the largest magnitudes reached, split into the rows that softmax and square really see."""

    def __init__(self, config: ViTConfig, switches: SwitchTensors) -> None:
        self.softmax = [layer[:, list(config.tokens_behind(i))] > 0 for i, layer in enumerate(switches[0].detach())]  # (h, Q) each
        self.maxima: dict[str, float] = {}

    def __call__(self, name: str, value: Tensor) -> None:
        layer = int(name.split('.')[1])
        if name.endswith('.scores'):
            kept = self.softmax[layer]
            centred = (value - value.mean(dim=-1, keepdim=True)).abs().amax(dim=(0, 3))  # (h, Q)
            raw = value.abs().amax(dim=(0, 3))
            row_sum = value.square().mean(dim=-1).amax(dim=0)
            self._record(f'{name} (softmax rows, minus row mean)', centred[kept])
            self._record(f'{name} (square rows)', raw[~kept])
            self._record(f'{name} (square rows, sum of x^2/n)', row_sum[~kept])
        else:
            self._record(name, value.abs())

    def _record(self, name: str, values: Tensor) -> None:
        if values.numel():
            self.maxima[name] = max(self.maxima.get(name, 0.0), float(values.max()))

    def summary(self) -> dict[str, float]:
        """The largest maximum over layers for each kind of tensor."""
        kinds: dict[str, float] = {}
        for name, value in self.maxima.items():
            kind = '.'.join(name.split('.')[2:])
            kinds[kind] = round(max(kinds.get(kind, 0.0), value), 3)
        return kinds
