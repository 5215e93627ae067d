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

from .folding import Array
from .forward import activation
from .splines import RING_BITS, Tensor, payload_bits

MOST_BITS = 14
MOST_TERMS = 24
MOST_K = 255
DIVISORS = (1, 3, 5, 7)
"""s: periods of 2^p, 2^p/3, … are at most a quarter from the best."""
SIGMAS = 3
"""Rounding of cosines, sines and factors are many small independent errors: their deviation, times this, is held against the tolerance."""
RESULT_RING = 20
"""About what the matrix after the activation needs, for what a second part's truncation costs."""
MARGIN = 1.1
"""Of the magnitudes of parts: the polynomial at arguments a little out of reach."""


@dataclass(frozen=True)
class Harmonic:
    """amplitude·cos(k·2π·x/2^rangeBits); the owner's cosines and sines have 2^bits values."""

    k: int
    amplitude: float
    bits: int


@dataclass(frozen=True)
class Part:
    """Harmonics that are summed, and truncated, in a ring of their own."""

    scale: Tensor
    harmonics: tuple[Harmonic, ...]

    @property
    def ring_bits(self) -> int:
        return self.scale.frac_bits + self.scale.magnitude_bits + 2


@dataclass(frozen=True)
class Harmonics:
    """x/2 + constant + the parts' harmonics, |x| ≤ reach."""

    range_bits: int
    reach: float
    constant: float
    parts: tuple[Part, ...]
    out: Tensor

    def evaluate(self, x: Array) -> Array:
        return sum((self.evaluate_part(i, x) for i in range(len(self.parts))), np.zeros_like(x))

    def evaluate_part(self, i: int, x: Array) -> Array:
        """The first has x/2 and the constant in it."""
        start = x / 2 + self.constant if i == 0 else np.zeros_like(x)
        return start + sum(h.amplitude * np.cos(2 * np.pi * h.k / 2.0**self.range_bits * x) for h in self.parts[i].harmonics)

    def to_json(self) -> dict:
        parts = [{**p.scale.to_json(), 'harmonics': [{'k': h.k, 'amplitude': h.amplitude, 'bits': h.bits} for h in p.harmonics]} for p in self.parts]
        return {'rangeBits': self.range_bits, 'reach': self.reach, 'constant': self.constant, 'parts': parts, 'out': self.out.to_json()}

    def online_bits(self) -> int:
        """Per element, but for the truncation that a table has too."""
        more = sum(_truncation_bits(part.scale, self.out.frac_bits) for part in self.parts[1:])
        return more + 2 * sum(h.bits for part in self.parts for h in part.harmonics)

    def offline_bits(self) -> int:
        """Per element: the messages of its correlated OTs."""
        return 2 * sum(payload_bits(h.bits, part.ring_bits) for part in self.parts for h in part.harmonics)


def _truncation_bits(scale: Tensor, out_frac_bits: int) -> int:
    kept = scale.frac_bits + scale.magnitude_bits + 2 - (scale.frac_bits - out_frac_bits)
    return 1 + 2 * max(0, RESULT_RING - kept) + kept


def read_harmonics(spec: dict) -> Harmonics:
    """`to_json`, undone."""

    def tensor(of: dict) -> Tensor:
        return Tensor(of['fracBits'], of['magnitudeBits'])

    parts = tuple(Part(tensor(part), tuple(Harmonic(h['k'], h['amplitude'], h['bits']) for h in part['harmonics'])) for part in spec['parts'])
    return Harmonics(spec['rangeBits'], spec['reach'], spec['constant'], parts, tensor(spec['out']))


@cache
def choose_harmonics(function: str, reach: float, tolerance: float, input_frac_bits: int, out_frac_bits: int) -> Harmonics | None:
    """The one of fewest bits, online and offline together, whose error stays below the tolerance for |x| ≤ reach; None where there is none."""
    f = activation(function)
    best: tuple[int, Harmonics] | None = None
    for range_bits, ks, fit, error in _fits(function, reach, tolerance):
        if range_bits + input_frac_bits > RING_BITS:
            continue
        allowed = ((tolerance - error) / SIGMAS) ** 2
        for split in (1, 2, len(ks)):
            if split > len(ks) or (split == len(ks) and len(ks) > 1 and split < 3):
                continue
            scales = _scales(f, reach, 2.0**range_bits, ks, fit, split, input_frac_bits, out_frac_bits)
            for scale in scales:
                bits = _bits(fit[1:], split, scale, allowed)
                if bits is None:
                    continue
                terms = [Harmonic(int(k), float(a), int(b)) for k, a, b in zip(ks, fit[1:], bits)]
                parts = tuple(Part(s, tuple(part)) for s, part in zip(scale, (terms[:split], terms[split:])) if part)
                magnitude = max(1, math.ceil(math.log2(1.25 * reach)))
                found = Harmonics(range_bits, reach, float(fit[0]), parts, Tensor(out_frac_bits, magnitude))
                cost = found.online_bits() + found.offline_bits()
                if best is None or cost < best[0]:
                    best = cost, found
    return best[1] if best else None


def _fits(function: str, reach: float, tolerance: float) -> Iterator[tuple[int, Array, Array, float]]:
    """(range bits, harmonics, (a₀, a₁, …), largest error): of each period, and with or without even harmonics, the shortest two that will do."""
    for divisor in DIVISORS:
        range_bits = max(0, math.ceil(math.log2(divisor * reach / 0.49)))
        if divisor * reach / 2**range_bits < 0.3:
            continue
        # Beside a triangle's wave, which has odd harmonics only, what is to be fitted is small.
        for even in (0, 2):
            found = 0
            for terms in range(1, MOST_TERMS + 1):
                ks = divisor * np.array(sorted([k for k in range(1, MOST_K) if k % 2 or k <= even][:terms]))
                if ks[-1] > MOST_K or found == 2:
                    break
                fit, error = _fit(function, reach, 2.0**range_bits, ks)
                # Large terms that cancel would need bits that no ring has.
                if error < 0.8 * tolerance and np.abs(fit).sum() < 4 * max(reach, 1):
                    found += 1
                    yield range_bits, ks, fit, error


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


def _scales(f, reach: float, period: float, ks: Array, fit: Array, split: int, input_frac_bits: int, out_frac_bits: int) -> list[tuple[Tensor, ...]]:
    """What the parts may be held at."""
    x = np.linspace(-reach, reach, 401)
    rest = (fit[1 + split :] * np.cos(2 * np.pi / period * np.outer(x, ks[split:]))).sum(1)
    magnitudes = [math.ceil(math.log2(MARGIN * float(np.abs(values).max()))) for values in (f(x) - rest, rest) if np.abs(values).max() > 0]
    # A truncation drops a bit at least. x/2 is cut out of the argument's ring, which is as much wider as the argument has more fraction bits.
    if input_frac_bits + 3 + magnitudes[0] > RING_BITS:
        return []
    firsts = [Tensor(b, magnitudes[0]) for b in range(max(15, out_frac_bits + 1), 20) if b + magnitudes[0] + 2 <= RING_BITS]
    if split == len(ks):
        return [(first,) for first in firsts]
    seconds = [Tensor(b, max(magnitudes[1], -out_frac_bits)) for b in range(max(12, out_frac_bits + 1), 17)]
    return [(first, second) for first in firsts for second in seconds]


def _bits(amplitudes: Array, split: int, scales: tuple[Tensor, ...], allowed: float) -> Array | None:
    """Bits of each harmonic, the fewest whose rounding has a variance of at most `allowed`; None where no bits are enough."""
    bits = np.arange(1, MOST_BITS + 1)
    step = 2 / (2.0**bits - 1)
    of = [scales[0] if i < split else scales[1] for i in range(len(amplitudes))]
    frac = np.array([scale.frac_bits for scale in of])[:, None]
    rings = np.array([scale.frac_bits + scale.magnitude_bits + 2 for scale in of])[:, None]
    # cos² + sin² = 1 of either party's: both roundings are uniform in half a unit.
    variance = ((np.abs(amplitudes)[:, None] * step) ** 2 + (2.0**-frac / step) ** 2) / 12
    cost = np.where(bits <= rings, 2 * (bits + payload_bits(bits, rings)), np.inf)
    rows = np.arange(len(amplitudes))
    low, high, found = 1e-12, 1e-4, None
    for _ in range(18):
        weight = math.sqrt(low * high)
        pick = (variance + weight * cost).argmin(1)
        if variance[rows, pick].sum() <= allowed:
            found, low = bits[pick], weight
        else:
            high = weight
    return found
