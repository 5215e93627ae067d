"""Fraction bits, magnitudes and spline domains of every tensor: the manifest's `fixedPoint`.

Rings, and with them the bytes, grow with fraction bits before a truncation, so `Precision` holds the fewest that keep top-1.
Where a tensor does not fit, weights give up bits first; ExportError says so when too few would be left.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .calibrate import Ranges
from .errors import ExportError
from .folding import Array, FoldedBlock, FoldedModel
from .forward import gelu
from .splines import Domain, Spline, Tensor, choose_exp, choose_spline, magnitude_bits

WEIGHT_LIMIT = 2047
PRODUCT_BITS = 30
"""Values before a truncation stay below 2^30, so that their sign is known to the truncation protocol."""
WEIGHT_BITS_TO_GIVE = 3
PROBABILITY_BITS_TO_GIVE = 3
RECIPROCAL_BITS_TO_GIVE = 6
"""Rounding is then at most 4 % of the reciprocal of the largest row that was observed, and less of all others."""
DEGREES_OF_FEW = (1, 2, 3, 4)
"""Of functions that are evaluated once for a row: there the product offline that each degree costs does not count."""


@dataclass(frozen=True)
class Precision:
    """Fraction bits per kind of tensor, and errors that tables may have."""

    residual: int = 9
    norm: int = 8
    q: int = 8
    k: int = 8
    v: int = 8
    scores: int = 8
    exp: int = 9
    probabilities: int = 12
    mix: int = 8
    square_units: int = 8
    gelu: int = 8
    pool: int = 11
    fc_norm: int = 10
    relative_error: float = 0.01
    """Bound for rsqrt where 99 % of the arguments lie. A table's typical error is a fourth of its bound."""
    reciprocal_error: float = 0.02
    """The same for softmax's reciprocal, which has the widest domains: an error scales one row of one head."""
    tail_factor: float = 5
    """By how much both bounds are exceeded for the rest of the arguments, up to the margins of the domain."""
    gelu_error: float = 0.01
    exp_error: float = 0.06
    """Absolute, of exp(score − row mean), whose mean over a row is at least 1: errors of a row's 64 values average out."""
    exp_relative_error: float = 0.008


DEFAULT_PRECISION = Precision()


def choose_scales(model: FoldedModel, ranges: Ranges, precision: Precision = DEFAULT_PRECISION) -> dict:
    """The manifest's `fixedPoint`. Raises ExportError when the model does not fit, after trying a coarser residual stream."""
    for residual in range(precision.residual, 6, -1):
        try:
            return _Chooser(model, ranges, replace(precision, residual=residual)).scales()
        except ExportError as error:
            # Sums of squares are what overflows at a fine residual stream; anything else does not get better.
            if not error.tensor.endswith('.mean_square') or residual == 7:
                raise
    raise AssertionError('unreachable')


def check_product(tensor: str, frac_bits: int, magnitude: float) -> int:
    """Magnitude bits of a value with `frac_bits` before its truncation. Raises ExportError when margin·2^frac_bits exceeds 2^30."""
    bits = magnitude_bits(magnitude)
    if frac_bits + bits > PRODUCT_BITS:
        raise ExportError(tensor, f'{magnitude:.4g} at {frac_bits} fraction bits', f'{2.0 ** (PRODUCT_BITS - 1 - frac_bits):.4g} (2^29 units)')
    return bits


def truncated(frac_bits: int, magnitude_bits: int) -> Tensor:
    """The result of a truncation: what is below half a unit of it is given a unit's magnitude, since a truncation keeps a bit of its ring."""
    return Tensor(frac_bits, max(magnitude_bits, -frac_bits))


class _Chooser:
    def __init__(self, model: FoldedModel, ranges: Ranges, precision: Precision) -> None:
        self.model, self.ranges, self.precision = model, ranges, precision
        self.log_tokens = int(math.log2(model.tokens))
        self.log_dim = int(math.log2(model.dim))
        streams = ['patch_embed', *(f'blocks.{i}.{part}.residual' for i in range(len(model.blocks)) for part in ('attn', 'mlp'))]
        self.residual = Tensor(precision.residual, magnitude_bits(ranges.magnitude(*streams)))

    def scales(self) -> dict:
        p, model = self.precision, self.model
        embed_bits, embed_magnitude = self._linear('patch_embed', model.patch_embed.weight, 0, p.residual, 'patch_embed')
        # The mean square of the pooled row needs its range bits above 2·F + log2 D.
        range_bits = math.ceil(math.log2(1.4 * self.ranges.high['fc_norm.mean_square'])) + 1
        pool_bits = min(p.pool, p.residual + self.log_tokens - 1, (32 - self.log_dim - range_bits) // 2)
        pool = truncated(pool_bits, check_product('pool', p.residual + self.log_tokens, self.ranges.magnitude('pool')))
        fc_norm = self._norm('fc_norm', pool.frac_bits, p.fc_norm)
        head_bits, head_magnitude = self._linear('head', model.head.weight, p.fc_norm, None, 'logits')
        return {
            'patchEmbed': {'weightFracBits': embed_bits, 'magnitudeBits': embed_magnitude},
            'residual': self.residual.to_json(),
            'blocks': [self._block(f'blocks.{i}', block) for i, block in enumerate(model.blocks)],
            'pool': pool.to_json(),
            'fcNorm': fc_norm,
            'head': {'weightFracBits': head_bits, 'magnitudeBits': head_magnitude},
        }

    def _linear(self, name: str, weight: Array, input_frac_bits: int, out_frac_bits: int | None, *outputs: str) -> tuple[int, int]:
        """(weight fraction bits, magnitude bits of the output before truncation). out_frac_bits: after it; None: there is none."""
        magnitude = self.ranges.magnitude(*outputs)
        # A branch that no switch selects has no outputs: it gets the stream's magnitude.
        out_bits = magnitude_bits(magnitude) if magnitude else self.residual.magnitude_bits
        if out_frac_bits is not None:
            out_bits = truncated(out_frac_bits, out_bits).magnitude_bits
        largest = float(np.abs(weight).max()) or 1.0  # a matrix that was pruned away
        wanted = min(30 - 8, math.floor(math.log2(WEIGHT_LIMIT / largest)))
        bits = min(wanted, PRODUCT_BITS - input_frac_bits - out_bits)
        if magnitude and bits < wanted - WEIGHT_BITS_TO_GIVE:
            limit = 2.0 ** (PRODUCT_BITS - 1 - input_frac_bits - wanted + WEIGHT_BITS_TO_GIVE)
            raise ExportError(f'{name} (output)', f'{magnitude:.4g}', f'{limit:.4g} at {input_frac_bits} + {wanted} fraction bits')
        return bits, out_bits

    def _norm(self, name: str, input_frac_bits: int, out_frac_bits: int) -> dict:
        argument, epsilon = f'{name}.mean_square', self.model.epsilon
        # The extremes are those of out-of-distribution images (one-pixel stripes of full contrast above, plain colours below), so a narrow margin will do:
        # below, a wider one would cost a table entry each; above, the next power of two may not fit the ring.
        low, high = self.ranges.low[argument] / 1.25, self.ranges.high[argument] * 1.25
        out_magnitude = check_product(name, input_frac_bits, self.ranges.magnitude(name))
        scale_bits = min(math.ceil(9.5 + 0.5 * math.log2(high)), PRODUCT_BITS - input_frac_bits - out_magnitude)

        def rsqrt(x: Any) -> Any:
            return (x + epsilon) ** -0.5

        spline = choose_spline(
            argument, rsqrt, low, high, self._relative(argument, rsqrt, self.precision.relative_error), 2 * input_frac_bits + self.log_dim,
            Tensor(scale_bits, magnitude_bits(0.75 * rsqrt(low))), anchor='low', positive=True, degrees=DEGREES_OF_FEW,
        )  # fmt: skip
        return {'rsqrt': spline.to_json(), 'epsilon': epsilon, 'out': truncated(out_frac_bits, out_magnitude).to_json()}

    def _relative(self, name: str, f, bound: float):
        """Tolerance on f: tight where 99 % of the arguments lie, wider towards the ends."""
        common = [self.ranges.quantile(name, q) for q in (0.005, 0.995)]
        tails = self.precision.tail_factor * bound

        def tolerance(x: Array) -> Array:
            inside = (x >= common[0]) & (x <= common[1])
            return np.where(inside, bound, tails) * f(x)

        return tolerance

    def _block(self, name: str, block: FoldedBlock) -> dict:
        p = self.precision
        fc1_bits, _ = self._linear(f'{name}.mlp.fc1', block.fc1.weight, p.norm, None, f'{name}.mlp.fc1')
        fc2_bits, fc2_magnitude = self._linear(f'{name}.mlp.fc2', block.fc2.weight, p.gelu, p.residual, f'{name}.mlp.fc2')
        merged_bits, merged_magnitude = self._linear(f'{name}.mlp.merged', block.merged.weight, p.norm, p.residual, f'{name}.mlp.merged')
        return {
            'norm1': self._norm(f'{name}.norm1', p.residual, p.norm),
            'attn': self._attention(f'{name}.attn', block),
            'norm2': self._norm(f'{name}.norm2', p.residual, p.norm),
            'mlp': {
                'fc1WeightFracBits': fc1_bits,
                'gelu': self._gelu(f'{name}.mlp', p.norm + fc1_bits),
                'fc2WeightFracBits': fc2_bits,
                'fc2MagnitudeBits': fc2_magnitude,
                'mergedWeightFracBits': merged_bits,
                'mergedMagnitudeBits': merged_magnitude,
            },
        }

    def _attention(self, name: str, block: FoldedBlock) -> dict:
        p, ranges = self.precision, self.ranges
        q_bits, q_magnitude = self._linear(f'{name}.q', block.q.weight, p.norm, p.q, f'{name}.q')
        k_bits, k_magnitude = self._linear(f'{name}.k', block.k.weight, p.norm, p.k, f'{name}.k')
        v_bits, v_magnitude = self._linear(f'{name}.v', block.v.weight, p.norm, p.v, f'{name}.v')
        scores_magnitude = check_product(f'{name}.scores', p.q + p.k, ranges.magnitude(f'{name}.scores'))
        square = ranges.magnitude(f'{name}.square')
        softmax = 1.0 if block.softmax_rows.any() else 0.0
        probability_bits = magnitude_bits(max(square, softmax))
        # (scores)² at 2·F + log2 T fraction bits must stay below 2^30; squares of 7 and more leave fewer bits.
        scores_bits = min(p.scores, (PRODUCT_BITS - self.log_tokens - probability_bits) // 2)
        if scores_bits < p.scores - 3:
            raise ExportError(f'{name}.square', f'{square:.4g} (score²/tokens)', f'{2.0 ** (PRODUCT_BITS - 1 - self.log_tokens - 2 * (p.scores - 3)):.4g}')
        probability_frac_bits = min(p.probabilities, PRODUCT_BITS - p.v - check_product(f'{name}.mix', p.v, ranges.magnitude(f'{name}.mix')))
        exp, reciprocal = self._softmax(name, block, probability_bits)
        # p.q + p.k − scores ≥ 1 and 2·scores + log2 T − probabilities ≥ 1: every truncation drops a bit.
        probability_frac_bits = min(probability_frac_bits, 2 * scores_bits + self.log_tokens - 1, exp.out.frac_bits + reciprocal.out.frac_bits + self.log_tokens - 1)
        if softmax and probability_frac_bits < p.probabilities - PROBABILITY_BITS_TO_GIVE:
            raise ExportError(f'{name}.probabilities', f'{probability_frac_bits} fraction bits left', f'{p.probabilities - PROBABILITY_BITS_TO_GIVE}: scores, values or squares are too large')
        proj_bits, proj_magnitude = self._linear(f'{name}.proj', block.proj.weight, p.mix, p.residual, f'{name}.proj')
        units = {} if block.square_units is None else {'squareUnits': self._square_units(name, block.square_units.weight)}
        return {
            'qWeightFracBits': q_bits,
            'kWeightFracBits': k_bits,
            'vWeightFracBits': v_bits,
            'q': Tensor(p.q, q_magnitude).to_json(),
            'k': Tensor(p.k, k_magnitude).to_json(),
            'v': Tensor(p.v, v_magnitude).to_json(),
            'scores': truncated(scores_bits, scores_magnitude).to_json(),
            'exp': exp.to_json(),
            'reciprocal': reciprocal.to_json(),
            'probabilities': truncated(probability_frac_bits, probability_bits).to_json(),
            'mix': truncated(p.mix, check_product(f'{name}.mix', probability_frac_bits + p.v, ranges.magnitude(f'{name}.mix'))).to_json(),
            'projWeightFracBits': proj_bits,
            'projMagnitudeBits': proj_magnitude,
            **units,
        }

    def _square_units(self, name: str, weight: Array) -> dict:
        p = self.precision
        bits, magnitude = self._linear(f'{name}.square_units', weight, p.norm, p.square_units, f'{name}.square_units')
        squares = self.ranges.magnitude(f'{name}.unit_squares')
        # Their squares, at twice the fraction bits, must stay below 2^30 and lose a bit at least.
        frac_bits = min(p.square_units, (PRODUCT_BITS - magnitude_bits(squares)) // 2)
        if 2 * frac_bits <= p.mix:
            raise ExportError(f'{name}.unit_squares', f'{squares:.4g}', f'{2.0 ** (PRODUCT_BITS - 1 - 2 * (p.mix // 2 + 1)):.4g}')
        return {
            'weightFracBits': bits,
            'input': truncated(frac_bits, magnitude).to_json(),
            'outMagnitudeBits': truncated(p.mix, magnitude_bits(squares)).magnitude_bits,
        }

    def _softmax(self, name: str, block: FoldedBlock, probability_bits: int) -> tuple[Spline, Spline]:
        p, ranges = self.precision, self.ranges
        if not block.softmax_rows.any():
            # Never evaluated: any valid entry will do.
            return Spline(Domain(-8, 4, 3), 0, 9, 9, Tensor(8, 11)), Spline(Domain(0.5, 4, 5), 2, 12, 10, Tensor(10, 1))
        low, high = ranges.low[f'{name}.centred'], ranges.high[f'{name}.centred']
        room = 0.25 + 0.1 * max(high, -low)
        # A margin in the argument is a factor of exp; 2 at least, as everywhere.
        exp_bits = math.ceil((high + max(room, math.log(2))) / math.log(2))
        exp = choose_exp(f'{name}.exp', low - room, high + room, p.exp_error, p.exp_relative_error, p.q + p.k + self.log_tokens,
                         Tensor(p.exp, exp_bits))  # fmt: skip
        argument = f'{name}.mean_exp'
        # By Jensen the mean is at least 1; rounding may take a little of that away (errors of single exps average out).
        # The mean has the long tail of exp itself: twice the observed maximum.
        low, high = 0.97, ranges.high[argument] * 2 + 0.5
        wanted = math.ceil(8.5 + math.log2(high))
        frac_bits = min(wanted, PRODUCT_BITS - p.exp - self.log_tokens - probability_bits)
        if frac_bits < wanted - RECIPROCAL_BITS_TO_GIVE:
            # Square rows of the same block share the probabilities' ring with the exact ones.
            limit = 2.0 ** (PRODUCT_BITS - p.exp - self.log_tokens - wanted + RECIPROCAL_BITS_TO_GIVE - 1)
            raise ExportError(f'{name}.square', f"{ranges.magnitude(f'{name}.square'):.4g} (score²/tokens) beside exact softmax rows", f'{limit:.4g}')
        reciprocal = choose_spline(argument, np.reciprocal, low, high, self._relative(argument, np.reciprocal, p.reciprocal_error), p.exp + self.log_tokens,
                                   Tensor(frac_bits, 1), anchor='low', positive=True, degrees=DEGREES_OF_FEW)  # fmt: skip
        return exp, reciprocal

    def _gelu(self, name: str, input_frac_bits: int) -> dict:
        p, argument = self.precision, f'{name}.fc1'
        if not self.ranges.has(argument):
            low, high = -6.0, 6.0
        else:
            low, high = self.ranges.low[argument], self.ranges.high[argument]
            room = 0.25 + 0.1 * max(high, -low)
            low, high = min(low - room, -1.0), max(high + room, 1.0)
        out = Tensor(p.gelu, magnitude_bits(max(high, 1) / 2 * 1.25))
        return choose_spline(argument, gelu, low, high, lambda x: np.full_like(x, p.gelu_error), input_frac_bits, out).to_json()
