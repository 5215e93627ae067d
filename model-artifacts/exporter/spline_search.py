"""The search for the tables of a function that cost least: one, or several levels of them (protocols/layers/spline.ts)."""
from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

import numpy as np

from .errors import ExportError
from .folding import Array
from .splines import (
    FLIGHT_BITS,
    LEVELS_FLIGHTS,
    MAX_DIGIT_BITS,
    MINIMUM_UNIT,
    RING_BITS,
    SLACKS,
    Domain,
    Fine,
    Spline,
    SplineProbe,
    Tensor,
    coefficients,
    smallest_domain,
)

MAX_BOUNDARY_BITS = 10
"""Of the comparison that says which level serves an argument: a lookup of single bits."""
FINER_LEVELS = 3
FINER_DIGITS = (3, 4, 5)
BOUNDARIES = (1, 2, 3)
"""The comparison's segments are 1/2 to 1/8 of a finer table's top, or narrower: tried in turn."""


def choose_spline(
    name: str,
    f: Callable[[Array], Array],
    low: float,
    high: float,
    tolerance: Callable[[Array], Array],
    input_frac_bits: int,
    out: Tensor,
    anchor: str = 'centre',
    positive: bool = False,
    degrees: tuple[int, ...] = (1, 2, 3),
    input_scale: float = 1.0,
    fine_between: tuple[float, float] | None = None,
    result_bits: int = 0,
    elements: int = 1 << 20,
) -> Spline:
    """The spline of least `price` whose error stays below `tolerance(x)` for every argument x in [low, high]. elements: that are looked up at once.

    f is of the argument, which is `input_scale` times smaller than what the manifest's function is of. fine_between: where f bends, so that
    finer tables may serve what lies there; from below the lowest argument on there may be several. result_bits: see Spline.
    positive: f has a pole at 0: it is held constant below half of the lowest argument, and the domain must begin above 0. Where the
    tolerance cannot be had, up to 8 times as much is taken. Raises ExportError when no table of at most 2^MAX_DIGIT_BITS entries
    fits the ring even then.
    """
    table = _Table(f, input_frac_bits, out, positive, degrees, input_scale, result_bits)
    for slack in SLACKS:
        allowed = partial(_times, slack, tolerance)
        best = one = _cheapest_spline(table, low, high, allowed, anchor)
        if fine_between and (one is None or one.price(elements) > LEVELS_FLIGHTS * FLIGHT_BITS / elements):
            search = partial(_cheapest_from_below, table) if fine_between[0] <= low else partial(_cheapest_around, table, bend=fine_between)
            best = search(low, high, allowed, best=one)
            if one and best and one.price(elements) < best.price(elements):
                best = one
        if best:
            return best
    limit = f'2^{MAX_DIGIT_BITS} segments, degree {max(degrees)}, {RING_BITS - input_frac_bits} range bits, {RING_BITS}-bit rings'
    raise ExportError(name, f'arguments in [{low:.4g}, {high:.4g}]', limit)


def _times(factor: float, f: Callable[[Array], Array], x: Array) -> Array:
    return factor * f(x)


@dataclass(frozen=True)
class _Part:
    """A table over one domain, and the error that it may have where it serves."""

    domain: Domain
    degree: int
    probe: SplineProbe
    allowed: Array

    def is_good(self, coefficient: int, basis: int) -> bool:
        return bool((self.probe.error(coefficient, basis) <= self.allowed).all())


@dataclass(frozen=True)
class _Table:
    """What all candidates for a function's tables have in common."""

    f: Callable[[Array], Array]
    input_frac_bits: int
    out: Tensor
    positive: bool
    degrees: tuple[int, ...]
    input_scale: float
    result_bits: int

    def part(self, domain: Domain, degree: int, low: float, high: float, tolerance: Callable[[Array], Array]) -> _Part | None:
        """The table that serves [low, high]; None where it cannot, however precise its entries are."""
        range_bits = self.input_frac_bits + domain.range_bits
        if range_bits > RING_BITS or domain.range_bits > 20 or domain.range_bits < -12 or range_bits < domain.digit_bits + 1:
            return None
        if self.positive and domain.lowest <= 0:
            return None
        g = partial(_held, self.f, domain.lowest / 2) if self.positive else self.f
        # Most fail on the first interval already, which is quickly seen.
        first = np.linspace(low, min(low + domain.width, high), 9)
        powers = ((first - low) / domain.width)[:, None] ** np.arange(degree + 1)
        if (np.abs(powers @ coefficients(g, domain, np.array([low]), degree)[0] - g(first)) > tolerance(first)).any():
            return None
        probe = SplineProbe(g, domain, degree, low, high)
        part = _Part(domain, degree, probe, tolerance(probe.x))
        return part if part.is_good(28, 16) else None

    def narrowest(self, *parts: _Part) -> tuple[int, int] | None:
        """Fewest coefficient and basis bits with which all parts keep their tolerance."""

        def good(coefficient: int, basis: int) -> bool:
            return all(part.is_good(coefficient, basis) for part in parts)

        # The error falls with either: the first of each that is good is found by halving.
        smallest = 4 + bisect_left(range(4, 16), True, key=lambda b: good(28, b))
        best = None
        for basis in range(smallest, min(16, smallest + 3) + 1):
            coefficient = 2 + bisect_left(range(2, 28), True, key=lambda c: good(c, basis))
            coefficient = max(coefficient, self.out.frac_bits + 1 - basis)  # a truncation has to drop at least one bit
            if coefficient + basis <= RING_BITS - 2 - self.out.magnitude_bits and (best is None or coefficient + basis < sum(best)):
                best = (coefficient, basis)
        return best

    def spline(self, domain: Domain, degree: int, bits: tuple[int, int] | None = None, fine: Fine | None = None) -> Spline:
        """bits: of coefficients and of the basis; by default as few as a truncation allows, for what the tables cost at least."""
        return Spline(domain, degree, *(bits or (max(2, self.out.frac_bits - 3), 4)), self.out, self.input_scale, fine, self.result_bits)


def _held(f: Callable[[Array], Array], floor: float, x: Array) -> Array:
    return f(np.maximum(x, floor))


def _cheaper(best: Spline | None, other: Spline) -> Spline:
    return other if best is None or other.online_bits() < best.online_bits() else best


def _on_grid(x: float) -> float:
    return math.floor(x / MINIMUM_UNIT) * MINIMUM_UNIT


def _cheapest_spline(table: _Table, low: float, high: float, tolerance, anchor: str) -> Spline | None:
    best = None
    for digit_bits in range(1, MAX_DIGIT_BITS + 1):
        domain = smallest_domain(low, high, digit_bits, anchor, table.input_frac_bits)
        for degree in table.degrees:
            if best and _cheaper(best, table.spline(domain, degree)) is best:
                continue  # even narrow entries would cost more
            part = table.part(domain, degree, low, high, tolerance)
            bits = part and table.narrowest(part)
            if bits:
                best = _cheaper(best, table.spline(domain, degree, bits))
    return best


def _cheapest_from_below(table: _Table, low: float, high: float, tolerance, best: Spline | None) -> Spline | None:
    """Tables one above the other, each over a range that is so many times its lowest argument, the finest from `low` on: all but the coarsest of
    the same number of segments and degree, since 1/x and 1/√x look the same in every such range. Or `best`, if that is cheaper."""

    @cache
    def widest(first: float, digit_bits: int, degree: int, below: int) -> tuple[Domain, tuple[int, int]] | None:
        """The table from `first` on that reaches furthest."""
        for range_bits in range(below, below - 14, -1):
            width = 2.0 ** (range_bits - digit_bits)
            domain = Domain(_on_grid(first - width), range_bits, digit_bits)
            part = table.part(domain, degree, first, min(high, domain.top), tolerance) if width < 16 * first else None
            bits = part and table.narrowest(part)
            if bits:
                return domain, bits
        return None

    smallest = math.ceil(math.log2(high))
    for range_bits, digit_bits, degree, boundary in product((smallest, smallest + 1), FINER_DIGITS, table.degrees, BOUNDARIES):
        fine: Fine | None = None
        first, widest_boundary = low, 0.0
        for _ in range(FINER_LEVELS):
            found = widest(first, digit_bits, degree, range_bits - 1)
            if found is None:
                break
            domain, bits = found
            boundary_bits = min(max(1, range_bits - math.floor(math.log2(domain.top)) + boundary), MAX_BOUNDARY_BITS)
            width = 2.0 ** (range_bits - boundary_bits)
            beyond = domain.top - width  # arguments from here on may be the next table's
            if beyond <= first or beyond >= high:
                break
            fine = Fine(domain, degree, *bits, boundary_bits, fine)
            first, widest_boundary = beyond, max(widest_boundary, width)
            for coarse_digits, coarse_degree in product(range(1, 7), table.degrees):
                begin = min(first - 2.0 ** (range_bits - coarse_digits), low - widest_boundary)
                coarse = Domain(_on_grid(begin), range_bits, coarse_digits)
                if coarse.top < high or (best and _cheaper(best, table.spline(coarse, coarse_degree, fine=fine)) is best):
                    continue
                part = table.part(coarse, coarse_degree, first, high, tolerance)
                narrowest = part and table.narrowest(part)
                if narrowest:
                    best = _cheaper(best, table.spline(coarse, coarse_degree, narrowest, fine))
    return best


def _cheapest_around(table: _Table, low: float, high: float, tolerance, best: Spline | None, bend: tuple[float, float]) -> Spline | None:
    """A coarse table over everything, and a fine one around `bend`, of the same scale; or `best`, if that is cheaper."""
    for coarse_digits, boundary in product(range(2, 7), BOUNDARIES):
        coarse = smallest_domain(low, high, coarse_digits, 'low', table.input_frac_bits)
        boundary_bits = min(max(1, coarse.range_bits - math.ceil(math.log2(bend[1] - bend[0])) + boundary), MAX_BOUNDARY_BITS)
        width = 2.0 ** (coarse.range_bits - boundary_bits)
        # A coarse segment that holds an argument beyond has nothing of the bend.
        room = width + coarse.width
        first, last = bend[0] - room, bend[1] + room
        for digit_bits, fine_degree in product(range(2, 8), table.degrees):
            range_bits = 0
            while first - 2.0 ** (range_bits - digit_bits) + 2.0**range_bits < last:
                range_bits += 1
            domain = Domain(_on_grid(first - 2.0 ** (range_bits - digit_bits)), range_bits, digit_bits)
            if low >= domain.lowest or domain.minimum <= coarse.lowest or domain.top >= high:
                continue
            bent = partial(_outside, domain.lowest + width, domain.top - width, tolerance)
            fine = None
            for degree in table.degrees:
                least = table.spline(coarse, degree)
                least = replace(least, fine=Fine(domain, fine_degree, least.coefficient_frac_bits, least.basis_frac_bits, boundary_bits))
                if best and _cheaper(best, least) is best:
                    continue
                fine = fine or table.part(domain, fine_degree, domain.lowest, domain.top, tolerance)
                coarsest = fine and table.part(coarse, degree, low, high, bent)
                bits = fine and coarsest and table.narrowest(fine, coarsest)
                if bits:
                    best = _cheaper(best, table.spline(coarse, degree, bits, Fine(domain, fine_degree, *bits, boundary_bits)))
    return best


def _outside(low: float, high: float, tolerance: Callable[[Array], Array], x: Array) -> Array:
    """The tolerance, but any error between."""
    return np.where((x > low) & (x < high), np.inf, tolerance(x))
