"""Choice of the cheapest trigonometric polynomial that stands for an activation: protocols/layers/harmonics.ts says how it is evaluated.

f(x) − x/2 is even for GELU and its relatives. On |x| ≤ reach it is a₀ + Σ a_k·cos(2πk·x/period) with few terms, where the period leaves room for
a smooth turn between reach and half of itself (a Fourier extension). The period is 2^rangeBits/s, s odd: harmonics are multiples of s.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from .errors import ExportError
from .fields import FIELDS, SMALL_FIELD
from .folding import Array
from .forward import activation
from .splines import RING_BITS, Tensor

MOST_TERMS = 24
MOST_K = 255
DIVISORS = (1, 3, 5, 7)
"""s: periods of 2^p, 2^p/3, … are at most a quarter from the best."""
MORE_FRAC_BITS = 6
"""Of what is summed, beyond the result's."""
DEVIATION_UNITS = 1.5
"""Of the roundings of both parties' numbers, in units of the result; this and LOWEST are protocols/layers/harmonics.ts's."""
LOWEST = -0.5


@dataclass(frozen=True)
class Harmonic:
    """amplitude·cos(k·2π·x/2^rangeBits)."""

    k: int
    amplitude: float


@dataclass(frozen=True)
class Harmonics:
    """x/2 + constant + the harmonics, |x| ≤ reach, summed with so many fraction bits."""

    range_bits: int
    reach: float
    constant: float
    frac_bits: int
    magnitude_bits: int
    """Of what is between the lowest value and the largest."""
    harmonics: tuple[Harmonic, ...]
    out: Tensor

    def evaluate(self, x: Array) -> Array:
        return x / 2 + self.constant + sum(h.amplitude * np.cos(2 * np.pi * h.k / 2.0**self.range_bits * x) for h in self.harmonics)

    def field(self) -> tuple[int, int, float]:
        """(p, steps, scale): the client's numbers are amplitude·scale times a cosine, the owner's steps times one, modulo p."""
        turn = 2.0 ** (self.magnitude_bits + 1)
        count, squares = len(self.harmonics), sum(h.amplitude**2 for h in self.harmonics)
        size = turn * math.sqrt(count * squares) / (6 * (DEVIATION_UNITS * 2.0**-self.out.frac_bits) ** 2)
        p = next((p for p in FIELDS if p >= size), None)
        if p is None:
            raise ExportError('activation', f'a field of {size:.3g} elements', f'{FIELDS[-1]}')
        steps = max(1, math.floor(math.sqrt(p / turn * math.sqrt(squares) / math.sqrt(count)) + 0.5))
        return p, steps, p / turn / steps

    def to_json(self) -> dict:
        terms = [{'k': h.k, 'amplitude': h.amplitude} for h in self.harmonics]
        part = {**Tensor(self.frac_bits, self.magnitude_bits).to_json(), 'harmonics': terms}
        return {'rangeBits': self.range_bits, 'reach': self.reach, 'constant': self.constant, 'parts': [part], 'out': self.out.to_json()}

    def online_bits(self) -> int:
        """Per element, but for the truncation that a table has too."""
        return 2 * len(self.harmonics) * self.field()[0].bit_length()

    def offline_bits(self) -> int:
        """Per element: the client's encrypted numbers, the answer, and its carry."""
        p = self.field()[0]
        return 2 * len(self.harmonics) * (54 if p <= SMALL_FIELD else 72) + 2 * (p.bit_length() + 10) + p.bit_length() + 1


def magnitude_of(reach: float) -> int:
    return next(bits for bits in range(RING_BITS) if 2**bits >= 1.0625 * reach - LOWEST)


def read_harmonics(spec: dict) -> Harmonics:
    """`to_json`, undone; manifests of wire version 7 have harmonics in two parts."""
    terms = tuple(Harmonic(h['k'], h['amplitude']) for part in spec['parts'] for h in part['harmonics'])
    out = Tensor(spec['out']['fracBits'], spec['out']['magnitudeBits'])
    first = spec['parts'][0]
    magnitude_bits = max(magnitude_of(spec['reach']), first['magnitudeBits'])
    return Harmonics(spec['rangeBits'], spec['reach'], spec['constant'], first['fracBits'], magnitude_bits, terms, out)


@cache
def choose_harmonics(function: str, reach: float, tolerance: float, input_frac_bits: int, out_frac_bits: int) -> Harmonics | None:
    """The one of fewest bits, online and offline together, whose error stays below the tolerance for |x| ≤ reach; None where there is none."""
    best: tuple[int, Harmonics] | None = None
    out = Tensor(out_frac_bits, max(1, math.ceil(math.log2(1.25 * reach))))
    for range_bits, ks, fit in _fits(function, reach, tolerance):
        terms = tuple(Harmonic(int(k), float(a)) for k, a in zip(ks, fit[1:]))
        found = Harmonics(range_bits, reach, float(fit[0]), out_frac_bits + MORE_FRAC_BITS, magnitude_of(reach), terms, out)
        # x/2 is cut out of the argument's ring, which is as much wider as the argument has more fraction bits.
        if max(range_bits, found.magnitude_bits + 2) + input_frac_bits > RING_BITS:
            continue
        try:
            cost = found.online_bits() + found.offline_bits()
        except ExportError:
            continue
        if best is None or cost < best[0]:
            best = cost, found
    return best[1] if best else None


def _fits(function: str, reach: float, tolerance: float) -> Iterator[tuple[int, Array, Array]]:
    """(range bits, harmonics, (a₀, a₁, …)): of each period, and with or without even harmonics, the shortest that will do."""
    for divisor in DIVISORS:
        range_bits = max(0, math.ceil(math.log2(divisor * reach / 0.49)))
        if divisor * reach / 2**range_bits < 0.3:
            continue
        # Beside a triangle's wave, which has odd harmonics only, what is to be fitted is small.
        for even in (0, 2):
            for terms in range(1, MOST_TERMS + 1):
                ks = divisor * np.array(sorted([k for k in range(1, MOST_K) if k % 2 or k <= even][:terms]))
                if ks[-1] > MOST_K:
                    break
                fit, error = _fit(function, reach, 2.0**range_bits, ks)
                # Large terms that cancel would need a field that there is not.
                if error < tolerance and np.abs(fit).sum() < 4 * max(reach, 1):
                    yield range_bits, ks, fit
                    break


def _fit(function: str, reach: float, period: float, ks: Array) -> tuple[Array, float]:
    """Least squares, weighted again and again by what is left (Lawson 1961): close to the least maximum."""
    x = reach * (1 - np.cos(np.pi * np.arange(160) / 159)) / 2
    wanted = activation(function)(x) - x / 2
    basis = np.cos(2 * np.pi / period * np.outer(x, np.concatenate([[0], ks])))
    weights = np.full(len(x), 1 / len(x))
    best, least = np.zeros(len(ks) + 1), math.inf
    for _ in range(40):
        normal = (basis * weights[:, None]).T @ basis + 1e-9 * np.eye(len(best))
        fit = np.linalg.solve(normal, (basis * weights[:, None]).T @ wanted)
        left = np.abs(basis @ fit - wanted)
        if left.max() < least:
            best, least = fit, float(left.max())
        weights = weights * (left + 1e-12)
        weights /= weights.sum()
    return best, least
