"""Fraction bits, magnitudes and spline domains of every tensor: the manifest's `fixedPoint`.

Rings, and with them the bytes, grow with fraction bits before a truncation, so `Precision` holds the fewest that keep top-1.
Where a tensor does not fit, weights give up bits first; ExportError says so when too few would be left.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calibrate import MAX_SQUARINGS, Ranges, exp_scale
from .errors import ExportError
from .fields import SQUARES_BITS
from .folding import Array, FoldedBlock, FoldedModel, ceil_log2, mean_factor
from .forward import activation
from .harmonics import Harmonics, choose_harmonics
from .spline_search import choose_spline
from .splines import FLIGHT_BITS, RING_BITS, Domain, Spline, Tensor, choose_exp, magnitude_bits, norm_result_bits, smallest_domain

WEIGHT_LIMIT = 2047
PRODUCT_BITS = 30
"""Values before a truncation stay below 2^30, so that their sign is known to the truncation protocol."""
WEIGHT_BITS_TO_GIVE = 3
PROBABILITY_BITS_TO_GIVE = 3
VALUE_BITS_TO_GIVE = 1
"""Where the ring is too narrow for weights before their division, which give up at least as many."""
RECIPROCAL_BITS_TO_GIVE = 6
"""Rounding is then at most 4 % of the reciprocal of the largest row that was observed, and less of all others."""
DEGREES_OF_FEW = (1, 2, 3, 4)
"""Of functions that are evaluated once for a row: there the product offline that each degree costs does not count."""
FROM_BELOW = (-math.inf, 0.0)
"""1/x and 1/√x bend at the lower end of their domain: finer tables, where one would be large, begin there."""
NORM_DIGITS = 6
"""Of the tables of norms, about: what the fraction bits of the residual stream leave room for."""
BEND = (-3.2, 3.2)
"""Where GELU is neither 0 nor x, within the error that its table may have."""
GROUP_ROOM = 0.5, 0.25
"""Around what a group of hidden units reached (`with_room`): wider than around all units, whose largest value is one of very many."""
REACH_UNIT = 0.25
"""Ranges of activations are multiples of it: few differ, and each is looked for once."""
HARMONICS_ALONE = 8.0
"""Up to here a trigonometric polynomial takes two thirds of the bits of a table."""
RESIDUAL_LEAST = 5
TABLES_ALONE = 400
"""Bits online for each score below which softmax without squarings is taken as the cheapest."""
SQUARED_BITS = 8
"""Fraction bits of weights that are squared, and of their squares: 2^L times a softmax, so its own 2^-(8+L) is their unit."""
SQUARING_BITS = 150
"""About what a squaring costs for each score, online: a product, a scaling, two truncations."""
SQUARING_FLIGHTS = 4
SCALE_BITS = 250
"""Of one product of `scale` offline, both parties' messages (protocols/offline/rlwe/layout.ts)."""


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
    unnormalised_mix: int = 9
    """The last division's quotient is smaller than what it divides: so it has about the error of `mix`."""
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


def with_room(low: float, high: float, absolute: float = 0.25, relative: float = 0.1) -> tuple[float, float]:
    """An activation's domain around what was reached."""
    room = absolute + relative * max(high, -low)
    return min(low - room, -1.0), max(high + room, 1.0)


def choose_activation(
    argument: str, function: str, low: float, high: float, tolerance: float, input_frac_bits: int, out_frac_bits: int
) -> Spline | Harmonics:
    """A trigonometric polynomial, or tables where the range is too wide for one: whichever takes fewer bits in both phases."""
    reach = math.ceil(max(high, -low) / REACH_UNIT) * REACH_UNIT
    by_harmonics = choose_harmonics(function, reach, tolerance, input_frac_bits, out_frac_bits)
    # A polynomial of up to so far is always cheaper: the tables need not be looked for.
    if by_harmonics and reach <= HARMONICS_ALONE:
        return by_harmonics
    out = Tensor(out_frac_bits, magnitude_bits(max(high, 1) / 2 * 1.25))
    try:
        tables = choose_spline(
            argument, activation(function), low, high, lambda x: np.full_like(x, tolerance), input_frac_bits, out, fine_between=BEND
        )
    except ExportError:
        if by_harmonics:
            return by_harmonics
        raise
    if by_harmonics and by_harmonics.online_bits() + by_harmonics.offline_bits() < tables.online_bits() + tables.offline_bits():
        return by_harmonics
    return tables


def choose_scales(model: FoldedModel, ranges: Ranges, precision: Precision = DEFAULT_PRECISION) -> dict:
    """The manifest's `fixedPoint`. Raises ExportError when the model does not fit.

    The residual stream has as many fraction bits as the sums of squares of a block's norms leave room for, and never more than before: where
    a massive activation (Sun et al., arXiv 2402.17762) comes in, the stream gets coarser from that block on.
    """
    return _Chooser(model, ranges, precision).scales()


def check_product(tensor: str, frac_bits: int, magnitude: float) -> int:
    """Magnitude bits of a value with `frac_bits` before its truncation. Raises ExportError when margin·2^frac_bits exceeds 2^30."""
    bits = magnitude_bits(magnitude)
    if frac_bits + bits > PRODUCT_BITS:
        raise ExportError(tensor, f'{magnitude:.4g} at {frac_bits} fraction bits', f'{2.0 ** (PRODUCT_BITS - 1 - frac_bits):.4g} (2^29 units)')
    return bits


def truncation_bits(kept: Tensor, ring: int) -> int:
    """Online, of one truncation to `kept` in a ring of so many bits (protocols/layers/truncate.ts)."""
    bits = kept.frac_bits + kept.magnitude_bits + 2
    high = max(0, ring - bits)
    return (1 + 2 * high if high else 0) + min(ring, bits)


def truncated(frac_bits: int, magnitude_bits: int) -> Tensor:
    """The result of a truncation: what is below half a unit of it is given a unit's magnitude, since a truncation keeps a bit of its ring."""
    return Tensor(frac_bits, max(magnitude_bits, -frac_bits))


@dataclass(frozen=True)
class _Weights:
    """A softmax by `squarings` squarings."""

    price: float
    """Of a row, in bits online."""
    squarings: int
    spec: dict
    """exp, reciprocal and squarings of the manifest."""
    held: Tensor
    """The weights before the last division."""
    reciprocal_frac_bits: int
    before: int
    """Fraction bits of the probabilities before their truncation."""


class _Chooser:
    def __init__(self, model: FoldedModel, ranges: Ranges, precision: Precision) -> None:
        self.model, self.ranges, self.precision = model, ranges, precision
        self.log_dim, self.log_patches = map(ceil_log2, (model.dim, model.pooled_patches))
        parts = [f'blocks.{i}.{part}.residual' for i in range(len(model.blocks)) for part in ('attn', 'mlp')]
        bits = magnitude_bits(ranges.magnitude('patch_embed', *parts))
        self.streams: list[Tensor] = []
        for i, block in enumerate(model.blocks):
            norms = [f'blocks.{i}.{norm}' for norm in ('norm1', 'norm2') if getattr(block, norm)]
            norms += ['fc_norm'] * (i == len(model.blocks) - 1 and model.pool != 'mean' and model.fc_epsilon is not None)
            before = self.streams[-1].frac_bits if self.streams else precision.residual
            self.streams.append(Tensor(min([before, *map(self._square_frac_bits, norms)]), bits))

    def _square_frac_bits(self, name: str) -> int:
        """The most fraction bits of the stream at which this norm's sum of squares fits the ring."""
        argument = f'{name}.mean_square'
        low, high = self.ranges.low[argument] / 1.25, self.ranges.high[argument] * 1.25
        range_bits = smallest_domain(low, high, NORM_DIGITS, 'low', RING_BITS).range_bits
        bits = (RING_BITS - self.log_dim - range_bits) // 2
        if bits < RESIDUAL_LEAST:
            limit = 2.0 ** (RING_BITS - self.log_dim - 2 * RESIDUAL_LEAST) / 1.25
            raise ExportError(argument, f'{self.ranges.high[argument]:.4g}', f'{limit:.4g}: at {RESIDUAL_LEAST} fraction bits of the stream')
        return min(bits, self.precision.residual)

    def scales(self) -> dict:
        model = self.model
        self.stream = self.streams[0]
        embed_bits, embed_magnitude = self._linear('patch_embed', model.patch_embed.weight, 0, self.stream.frac_bits, 'patch_embed')
        blocks = []
        for i, block in enumerate(model.blocks):
            before, self.stream = self.stream, self.streams[i]
            coarser = {'residual': self.stream.to_json()} if self.stream != before else {}
            if coarser:
                check_product(f'blocks.{i}.residual', before.frac_bits, self.ranges.magnitude(self._entry(i)))
            blocks.append({**self._block(f'blocks.{i}', block), **coarser})
        pool, fc_norm, head_input = self._pool()
        head_bits, head_magnitude = self._linear('head', model.head.weight, head_input, None, 'logits')
        return {
            'patchEmbed': {'weightFracBits': embed_bits, 'magnitudeBits': embed_magnitude},
            'residual': self.streams[0].to_json(),
            'blocks': blocks,
            'pool': pool.to_json(),
            **({'fcNorm': fc_norm} if fc_norm else {}),
            'head': {'weightFracBits': head_bits, 'magnitudeBits': head_magnitude},
        }

    @staticmethod
    def _entry(block: int) -> str:
        return f'blocks.{block - 1}.mlp.residual' if block else 'patch_embed'

    def _pool(self) -> tuple[Tensor, dict | None, int]:
        """(what is pooled, fc_norm if it is not linear, the head's input's fraction bits)."""
        p, stream, kind = self.precision, self.stream, self.model.pool
        is_linear = self.model.fc_epsilon is None
        if kind == 'class':
            return (stream, None, stream.frac_bits) if is_linear else (stream, self._norm('fc_norm', stream.frac_bits, p.fc_norm, 1), p.fc_norm)
        if kind == 'norm-mean' or is_linear:
            fc_norm = None if is_linear else self._norm('fc_norm', stream.frac_bits, p.fc_norm, self.model.pooled_patches)
            before = (stream.frac_bits if is_linear else p.fc_norm) + self.log_patches
            pool = truncated(min(p.pool, before - 1), check_product('pool', before, self.ranges.magnitude('pool')))
            return pool, fc_norm, pool.frac_bits
        # The mean square of the pooled row needs its range bits above 2·F + L.
        range_bits = math.ceil(math.log2(1.4 * self.ranges.high['fc_norm.mean_square'])) + 1
        pool_bits = min(p.pool, stream.frac_bits + self.log_patches - 1, (32 - self.log_dim - range_bits) // 2)
        pool = truncated(pool_bits, check_product('pool', stream.frac_bits + self.log_patches, self.ranges.magnitude('pool')))
        return pool, self._norm('fc_norm', pool.frac_bits, p.fc_norm, 1), p.fc_norm

    def _linear(self, name: str, weight: Array, input_frac_bits: int, out_frac_bits: int | None, *outputs: str) -> tuple[int, int]:
        """(weight fraction bits, magnitude bits of the output before truncation). out_frac_bits: after it; None: there is none."""
        magnitude = self.ranges.magnitude(*outputs)
        # A branch that no switch selects has no outputs: it gets the stream's magnitude.
        out_bits = magnitude_bits(magnitude) if magnitude else self.stream.magnitude_bits
        if out_frac_bits is not None:
            out_bits = truncated(out_frac_bits, out_bits).magnitude_bits
        largest = float(np.abs(weight).max()) or 1.0  # a matrix that was pruned away
        wanted = min(30 - 8, math.floor(math.log2(WEIGHT_LIMIT / largest)))
        bits = min(wanted, PRODUCT_BITS - input_frac_bits - out_bits)
        if magnitude and bits < wanted - WEIGHT_BITS_TO_GIVE:
            limit = 2.0 ** (PRODUCT_BITS - 1 - input_frac_bits - wanted + WEIGHT_BITS_TO_GIVE)
            raise ExportError(f'{name} (output)', f'{magnitude:.4g}', f'{limit:.4g} at {input_frac_bits} + {wanted} fraction bits')
        return bits, out_bits

    def _norm(self, name: str, input_frac_bits: int, out_frac_bits: int, tokens: int) -> dict:
        argument, epsilon = f'{name}.mean_square', self.model.fc_epsilon if name == 'fc_norm' else self.model.epsilon
        assert epsilon is not None
        input_scale = 1 / mean_factor(self.model.dim)
        # The extremes are those of out-of-distribution images (one-pixel stripes of full contrast above, plain colours below), so a narrow margin will do:
        # below, a wider one would cost a table entry each; above, the next power of two may not fit the ring.
        low, high = self.ranges.low[argument] / 1.25, self.ranges.high[argument] * 1.25
        out_magnitude = check_product(name, input_frac_bits, self.ranges.magnitude(name))
        scale_bits = min(math.ceil(9.5 + 0.5 * math.log2(high)), PRODUCT_BITS - input_frac_bits - out_magnitude)

        def rsqrt(x: Any) -> Any:
            return (x * input_scale + epsilon) ** -0.5

        spline = choose_spline(
            argument, rsqrt, low, high, self._relative(argument, rsqrt, self.precision.relative_error), 2 * input_frac_bits + self.log_dim,
            Tensor(scale_bits, magnitude_bits(0.75 * rsqrt(low))), anchor='low', positive=True, degrees=DEGREES_OF_FEW, elements=tokens,
            input_scale=input_scale, fine_between=FROM_BELOW, result_bits=norm_result_bits(input_frac_bits, scale_bits, out_magnitude),
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
        stream = self.stream.frac_bits
        # Fraction bits of what the matrices read.
        held1, held2 = (p.norm if norm else stream for norm in (block.norm1, block.norm2))
        mlp = self._mlp(f'{name}.mlp', block, held2) if block.mlp else None
        return {
            **({'norm1': self._norm(f'{name}.norm1', stream, p.norm, len(block.before))} if block.norm1 else {}),
            'attn': self._attention(f'{name}.attn', block, held1),
            **({'norm2': self._norm(f'{name}.norm2', stream, p.norm, len(block.behind))} if block.norm2 else {}),
            **({'mlp': mlp} if mlp else {}),
        }

    def _mlp(self, name: str, block: FoldedBlock, held: int) -> dict:
        """held: fraction bits of what fc1 reads."""
        p, stream = self.precision, self.stream.frac_bits
        fc1_bits, _ = self._linear(f'{name}.fc1', block.fc1.weight, held, None, f'{name}.fc1')
        fc2_bits, fc2_magnitude = self._linear(f'{name}.fc2', block.fc2.weight, p.gelu, stream, f'{name}.fc2')
        merged_bits, merged_magnitude = self._linear(f'{name}.merged', block.merged.weight, held, stream, f'{name}.merged')
        return {
            'fc1WeightFracBits': fc1_bits,
            **self._activation(name, block, held + fc1_bits),
            'fc2WeightFracBits': fc2_bits,
            'fc2MagnitudeBits': fc2_magnitude,
            'mergedWeightFracBits': merged_bits,
            'mergedMagnitudeBits': merged_magnitude,
        }

    def _attention(self, name: str, block: FoldedBlock, held: int) -> dict:
        """held: fraction bits of what q, k, v and the square units read."""
        p, ranges, log_tokens = self.precision, self.ranges, ceil_log2(block.tokens)
        q_bits, q_magnitude = self._linear(f'{name}.q', block.q.weight, held, p.q, f'{name}.q')
        k_bits, k_magnitude = self._linear(f'{name}.k', block.k.weight, held, p.k, f'{name}.k')
        scores_magnitude = check_product(f'{name}.scores', p.q + p.k, ranges.magnitude(f'{name}.scores'))
        square = ranges.magnitude(f'{name}.square')
        softmax = 1.0 if block.softmax_rows.any() else 0.0
        probability_bits = magnitude_bits(max(square, softmax))
        # (scores)² at 2·F + log2 T fraction bits must stay below 2^30; squares of 7 and more leave fewer bits.
        scores_bits = min(p.scores, (PRODUCT_BITS - log_tokens - probability_bits) // 2)
        if scores_bits < p.scores - 3:
            raise ExportError(f'{name}.square', f'{square:.4g} (score²/tokens)', f'{2.0 ** (PRODUCT_BITS - 1 - log_tokens - 2 * (p.scores - 3)):.4g}')
        mix_bits = check_product(f'{name}.mix', p.v, ranges.magnitude(f'{name}.mix'))
        weights = self._softmax(name, block, probability_bits)
        # p.q + p.k − scores ≥ 1 and 2·scores + L − probabilities ≥ 1: every truncation drops a bit.
        probability_frac_bits = min(p.probabilities, PRODUCT_BITS - p.v - mix_bits, 2 * scores_bits + log_tokens - 1, weights.before - 1)
        if softmax and probability_frac_bits < p.probabilities - PROBABILITY_BITS_TO_GIVE:
            raise ExportError(f'{name}.probabilities', f'{probability_frac_bits} fraction bits left', f'{p.probabilities - PROBABILITY_BITS_TO_GIVE}: scores, values or squares are too large')
        probabilities, mix = truncated(probability_frac_bits, probability_bits), truncated(p.mix, mix_bits)
        late = self._unnormalised(name, block, weights, probabilities, mix)
        weights, v_frac_bits, unnormalised = late or (weights, p.v, None)
        v_bits, v_magnitude = self._linear(f'{name}.v', block.v.weight, held, v_frac_bits, f'{name}.v')
        proj_bits, proj_magnitude = self._linear(f'{name}.proj', block.proj_reading(p.mix, self.stream.frac_bits), p.mix, self.stream.frac_bits, f'{name}.proj')
        units = {} if block.square_units is None else {'squareUnits': self._square_units(name, block.square_units.weight, held)}
        return {
            'qWeightFracBits': q_bits,
            'kWeightFracBits': k_bits,
            'vWeightFracBits': v_bits,
            'q': Tensor(p.q, q_magnitude).to_json(),
            'k': Tensor(p.k, k_magnitude).to_json(),
            'v': Tensor(v_frac_bits, v_magnitude).to_json(),
            'scores': truncated(scores_bits, scores_magnitude).to_json(),
            **weights.spec,
            'probabilities': probabilities.to_json(),
            **({'unnormalisedMix': unnormalised.to_json()} if unnormalised else {}),
            'mix': mix.to_json(),
            'projWeightFracBits': proj_bits,
            'projMagnitudeBits': proj_magnitude,
            **units,
        }

    def _square_units(self, name: str, weight: Array, held: int) -> dict:
        p = self.precision
        bits, magnitude = self._linear(f'{name}.square_units', weight, held, p.square_units, f'{name}.square_units')
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

    def _unnormalised(
        self, name: str, block: FoldedBlock, weights: _Weights, probabilities: Tensor, mix: Tensor
    ) -> tuple[_Weights, int, Tensor] | None:
        """(softmax, the values' fraction bits, the sums) with a last division behind the values, out = Σ x·v·2^-L / s; None where that is dearer, or
        leaves too few bits.

        Weights x are rounded at random to units of 2^-F. So out has an error of 2^-(F+L)·Σ ε·v / s, with independent ε of mean 0 and variance at most
        1/4. As s, the row's mean, is at least n/2^L (Jensen), that is what probabilities rounded to F + L bits give in the flattest rows, and less
        in all others: they may give up as many bits. Rounding the values costs one of a row's that is sharp.
        """
        p, L = self.precision, ceil_log2(block.tokens)
        reached = self.ranges.magnitude(f'{name}.softmax{weights.squarings}.unnormalised_mix')
        if not (block.is_softmax_alone and math.isfinite(reached)):
            return None
        sums_bits = magnitude_bits(reached)
        lacking = max(0, p.probabilities + p.v + sums_bits - PRODUCT_BITS)
        given = min(VALUE_BITS_TO_GIVE, lacking // 2)
        held, v_frac_bits = p.probabilities - L - (lacking - given), p.v - given
        if lacking - given > PROBABILITY_BITS_TO_GIVE or held < 1:
            return None
        try:
            late = self._softmax_by(weights.squarings, name, block, probabilities.magnitude_bits, held)
        except ExportError:
            return None
        r = late.reciprocal_frac_bits
        before = late.held.frac_bits + v_frac_bits + L
        sums = truncated(min(p.unnormalised_mix, PRODUCT_BITS - r - mix.magnitude_bits, before - 1), sums_bits)
        # The last: with other switches, whose probabilities are truncated, these scales are to fit too.
        if sums.frac_bits < p.mix or sums.frac_bits + r <= p.mix or late.before <= probabilities.frac_bits:
            return None

        def ring(*parts: int) -> int:
            return sum(parts) + 2  # a sign, and room for the truncation

        head_dim = len(block.q.weight) // self.model.heads
        usual_scale = ring(weights.before, probabilities.magnitude_bits)
        usual_mix = ring(probabilities.frac_bits, p.v, mix.magnitude_bits)
        usual = block.tokens * (truncation_bits(weights.held, usual_scale) + usual_scale + SCALE_BITS + truncation_bits(probabilities, usual_mix) + usual_mix)
        late_mix = ring(before, sums.magnitude_bits)
        late_scale = ring(r, sums.frac_bits, mix.magnitude_bits)
        price = block.tokens * (truncation_bits(late.held, late_mix) + late_mix) + head_dim * (truncation_bits(sums, late_scale) + late_scale + SCALE_BITS)
        return (late, v_frac_bits, sums) if price < usual else None

    def _softmax(self, name: str, block: FoldedBlock, probability_bits: int) -> _Weights:
        """By as many squarings as are cheapest of those that fit."""
        if not block.softmax_rows.any():
            # Never evaluated: any valid entry will do.
            exp, reciprocal = Spline(Domain(-8, 4, 3), 0, 9, 9, Tensor(8, 11)), Spline(Domain(0.5, 4, 5), 2, 12, 10, Tensor(10, 1))
            return _Weights(0.0, 0, {'exp': exp.to_json(), 'reciprocal': reciprocal.to_json()}, exp.out, 10, 8 + 10 + ceil_log2(block.tokens))
        best: _Weights | None = None
        refused: ExportError | None = None
        for squarings in range(MAX_SQUARINGS + 1):
            try:
                choice = self._softmax_by(squarings, name, block, probability_bits)
            except ExportError as error:
                refused = error
                continue
            if best is None or choice.price < best.price:
                best = choice
            if squarings == 0 and choice.price < TABLES_ALONE * block.tokens:
                break  # two more products for each score cannot be cheaper
        if best is None:
            assert refused
            raise refused
        return best

    def _softmax_by(self, squarings: int, name: str, block: FoldedBlock, probability_bits: int, most: int = PRODUCT_BITS) -> _Weights:
        """A softmax of scores/2^k, squared and divided by its mean k times, is the softmax of the scores: weights are 2^L times the softmax, at most
        2^L. most: fraction bits of the weights before their last division."""
        p, ranges, L = self.precision, self.ranges, ceil_log2(block.tokens)
        reached, scale = f'{name}.softmax{squarings}', exp_scale(block) / 2**squarings
        low, high = ranges.low[f'{name}.centred'], ranges.high[f'{name}.centred']
        room = 0.25 + 0.1 * max(high, -low)
        # A margin in the argument is a factor of exp; 2 at least, as everywhere.
        exp_bits = math.ceil((high * scale + max(room * scale, math.log(2))) / math.log(2))
        # Each squaring doubles a relative error.
        weights = truncated(p.exp if squarings else min(p.exp, most), exp_bits)
        exp = choose_exp(f'{name}.exp', low - room, high + room, p.exp_error / 2**squarings, p.exp_relative_error / 2**squarings, p.q + p.k + L,
                         weights, scale)  # fmt: skip
        held, spec = weights.frac_bits, []
        # By Jensen a row's mean is at least 1, of which T/2^L is the sum's part; rounding may take a little of that away (errors of single exps
        # average out). The mean has the long tail of exp itself: twice the observed maximum.
        low, high = 0.97 * mean_factor(block.tokens), ranges.high[f'{reached}.mean_exp'] * 2 + 0.5
        rows = int(block.softmax_rows.sum())
        reciprocal = self._reciprocal(name, f'{reached}.mean_exp', low, high, held, L, probability_bits if not squarings else None, rows)
        bits = exp.online_bits() * block.tokens + reciprocal.price(rows)
        first = reciprocal
        for j in range(squarings):
            # Of what is at most 2^L, and rounding.
            weights_bits = min(magnitude_bits(ranges.high[f'{reached}.weights{j}']), L + 1)
            squares_bits = min(magnitude_bits(ranges.high[f'{reached}.squares{j}']), 2 * L + 1)
            if held + reciprocal.out.frac_bits + max(weights_bits, 0) > PRODUCT_BITS:
                raise ExportError(f'{name}.softmax', f'weights up to {ranges.high[f"{reached}.weights{j}"]:.4g}', f'{2.0 ** (PRODUCT_BITS - held - reciprocal.out.frac_bits):.4g}')
            high = min(ranges.high[f'{reached}.mean_square{j}'] * 2, 2.0**L) + 0.5
            # Squares fit the field that they are taken in, and so do the sums of a row's (protocols/layers/fieldSquare.ts).
            turn = max(squares_bits, math.ceil(math.log2(1.05 * high)) + L - 1) + 1
            factors = truncated(min(SQUARED_BITS, (SQUARES_BITS - turn) // 2), weights_bits)
            last = j == squarings - 1
            held = min(SQUARED_BITS, 2 * factors.frac_bits - 1, most if last else PRODUCT_BITS)
            weights = truncated(held, squares_bits)
            argument = f'{reached}.mean_square{j}'
            reciprocal = self._reciprocal(name, argument, 0.97 / mean_factor(block.tokens), high, held, L, probability_bits if last else None, rows)
            spec.append({'input': factors.to_json(), 'square': weights.to_json(), 'reciprocal': reciprocal.to_json()})
            bits += SQUARING_BITS * block.tokens + reciprocal.price(rows) + SQUARING_FLIGHTS * FLIGHT_BITS / rows
        out = {'exp': exp.to_json(), 'reciprocal': first.to_json(), **({'squarings': spec} if spec else {})}
        return _Weights(bits, squarings, out, weights, reciprocal.out.frac_bits, held + reciprocal.out.frac_bits + L)

    def _reciprocal(self, name: str, argument: str, low: float, high: float, held: int, L: int, probability_bits: int | None, rows: int) -> Spline:
        """1/x of so many rows' means, x in [low, high]. held: fraction bits of what is multiplied by it; probability_bits: of the product with the last
        one, which has 2^L in its scale; None: of one that is squared, at most 2^L."""
        wanted = math.ceil(8.5 + math.log2(high))
        frac_bits = min(wanted, PRODUCT_BITS - held - L - (1 if probability_bits is None else probability_bits))
        if frac_bits < wanted - RECIPROCAL_BITS_TO_GIVE:
            # Square rows of the same block share the probabilities' ring with the exact ones.
            square = self.ranges.magnitude(f'{name}.square')
            limit = 2.0 ** (PRODUCT_BITS - held - L - wanted + RECIPROCAL_BITS_TO_GIVE - 1)
            raise ExportError(f'{name}.square', f'{square:.4g} (score²/tokens) beside exact softmax rows', f'{limit:.4g}')
        return choose_spline(
            argument, np.reciprocal, low, high, self._relative(argument, np.reciprocal, self.precision.reciprocal_error), held + L,
            Tensor(frac_bits, max(1, math.ceil(-math.log2(low)))), anchor='low', positive=True, degrees=DEGREES_OF_FEW, fine_between=FROM_BELOW,
            elements=rows,
        )  # fmt: skip

    def _activation(self, name: str, block: FoldedBlock, input_frac_bits: int) -> dict:
        """`gelu`, or `geluGroups` of the block's hidden units in their order."""
        argument = f'{name}.fc1'
        if not self.ranges.has(argument):
            return {'gelu': self._table(argument, -6.0, 6.0, input_frac_bits).to_json()}
        low, high = self.ranges.low[argument], self.ranges.high[argument]
        if not block.groups:
            return {'gelu': self._table(argument, *with_room(low, high), input_frac_bits).to_json()}
        groups, first = [], 0
        for units in block.groups:
            part = slice(first, first + units)
            low, high = self.ranges.unit_low[argument][part].min(), self.ranges.unit_high[argument][part].max()
            groups.append({'units': units, **self._table(argument, *with_room(float(low), float(high), *GROUP_ROOM), input_frac_bits).to_json()})
            first += units
        return {'geluGroups': groups}

    def _table(self, argument: str, low: float, high: float, input_frac_bits: int) -> Spline | Harmonics:
        p = self.precision
        return choose_activation(argument, self.model.activation, low, high, p.gelu_error, input_frac_bits, p.gelu)
