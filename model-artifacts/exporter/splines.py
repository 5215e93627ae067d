"""Choice of the smallest tables that approximate a function well enough.

The secure evaluation (protocols/layers/spline.ts, exp.ts) splits an argument into the start a of an interval of width
h = 2^(rangeBits−digitBits), which one party can tabulate over the other's 2^digitBits digits, and t in [0, 1) with x = a + t·h.
The start is *any* number in (x − h, x], not a multiple of h: an error bound must hold for every offset.
"""
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

RING_BITS = 32
MAX_DIGIT_BITS = 10
MINIMUM_UNIT = 2.0**-16
TWO_LEVELS_FROM = 8192
"""Online bits from which on a second table is tried: below, its two more flights are not worth it."""
LEAST_RING = 16
"""Bits of a table's entries, about: narrower ones hold no function well enough."""
SLACKS = (1, 2, 4, 8)
"""A wide range leaves fewer bits: tolerances are multiplied by these in turn before a model is refused."""


@dataclass(frozen=True)
class Tensor:
    """Fixed point: the integer v stands for v·2^-frac_bits, and |value| < 2^magnitude_bits."""

    frac_bits: int
    magnitude_bits: int

    def to_json(self) -> dict:
        return {'fracBits': self.frac_bits, 'magnitudeBits': self.magnitude_bits}


def magnitude_bits(maximum: float) -> int:
    """Smallest b with 2^b ≥ 2·maximum: the factor of two is the margin over calibration."""
    return max(-24, math.ceil(math.log2(2 * maximum))) if maximum > 0 else 0


def payload_bits(factor_bits, ring_bits):
    """Of correlated OTs for a factor of so many bits (protocols/offline/ot/ringCot.ts): bit b takes ring_bits − b."""
    return factor_bits * ring_bits - factor_bits * (factor_bits - 1) // 2


@dataclass(frozen=True)
class Domain:
    """[minimum, minimum + 2^range_bits) in 2^digit_bits segments, of which the lowest stays unused."""

    minimum: float
    range_bits: int
    digit_bits: int

    @property
    def width(self) -> float:
        return 2.0 ** (self.range_bits - self.digit_bits)

    @property
    def lowest(self) -> float:
        """Where arguments may begin."""
        return self.minimum + self.width

    @property
    def top(self) -> float:
        return self.minimum + 2.0**self.range_bits

    def wrap(self, x: Array, frac_bits: int) -> Array:
        """Integers with so many fraction bits as the protocol reads them, modulo the domain's width; as real numbers."""
        begin = math.floor(self.minimum * 2.0**frac_bits + 0.5)
        return ((x - begin) % 2 ** (self.range_bits + frac_bits) + begin) * 2.0**-frac_bits

    def to_json(self) -> dict:
        return {'minimum': self.minimum, 'rangeBits': self.range_bits, 'digitBits': self.digit_bits}


@dataclass(frozen=True)
class Fine:
    """A second table, for the intervals that begin in its domain above the lowest segment and end in it; and for all that begin below it, where
    its domain begins at the coarse one's lowest usable point."""

    domain: Domain
    degree: int

    def to_json(self) -> dict:
        return {**self.domain.to_json(), 'degree': self.degree}


@dataclass(frozen=True)
class Spline:
    """`degree` 0 stands for exp's single column (exp.ts). The function is of the argument times `input_scale`."""

    domain: Domain
    degree: int
    coefficient_frac_bits: int
    basis_frac_bits: int
    out: Tensor
    input_scale: float = 1.0
    fine: Fine | None = None

    def to_json(self) -> dict:
        return {
            **self.domain.to_json(),
            **({'degree': self.degree} if self.degree else {}),
            'coefficientFracBits': self.coefficient_frac_bits,
            'basisFracBits': self.basis_frac_bits,
            'out': self.out.to_json(),
            # Absent where they do nothing: the plan's hash covers the manifest as it is.
            **({'inputScale': self.input_scale} if self.input_scale != 1 else {}),
            **({'fine': self.fine.to_json()} if self.fine else {}),
        }

    @property
    def ring_bits(self) -> int:
        return self.coefficient_frac_bits + self.basis_frac_bits + self.out.magnitude_bits + 2

    def online_bits(self) -> int:
        """Per element: the table through OT, the digit, and one opened power per degree; of two levels, both tables, the fine one twice."""
        degree = max(self.degree, self.fine.degree if self.fine else 0)
        entries = 2**self.domain.digit_bits + (2 ** (self.fine.domain.digit_bits + 1) if self.fine else 0)
        digits = self.domain.digit_bits + (self.fine.domain.digit_bits + 1 if self.fine else 0)
        return entries * ((degree + 1) * self.ring_bits + (self.fine is not None)) + digits + max(1, degree) * self.ring_bits

    def offline_bits(self) -> int:
        """Per element: the messages of the correlated OTs that a column is multiplied by."""
        degrees = self.degree + (self.fine.degree if self.fine else 0)
        return max(1, degrees) * payload_bits(self.basis_frac_bits, self.ring_bits)


def smallest_domain(low: float, high: float, digit_bits: int, anchor: str, input_frac_bits: int) -> Domain:
    """The narrowest domain whose used part holds [low, high].

    anchor 'low' puts the used part's lower end at `low` (functions that are steep or undefined below); 'centre' leaves equal room
    on both sides. Segments are at least 4 units of the argument wide, so that t is not a constant.
    """
    range_bits = max(-12, digit_bits + 2 - input_frac_bits)
    while 2.0**range_bits - 2.0 ** (range_bits - digit_bits) < high - low + 2 * MINIMUM_UNIT:
        range_bits += 1
    segment = 2.0 ** (range_bits - digit_bits)
    slack = 0.0 if anchor == 'low' else (2.0**range_bits - segment - (high - low)) / 2
    minimum = math.floor((low - slack - segment) / MINIMUM_UNIT) * MINIMUM_UNIT
    return Domain(minimum, range_bits, digit_bits)


def coefficients(f: Callable[[Array], Array], domain: Domain, starts: Array, degree: int) -> Array:
    """Per start a, coefficients (N, degree + 1) of powers of t of the polynomial through f at the Chebyshev nodes of [a, a + width).

    As protocols/layers/spline.ts tabulates them: of an interval that begins in the lowest segment only the part above that segment
    is fitted (a quarter at least), and well below the domain a function with a pole is held constant.
    """
    below = np.clip((domain.lowest - starts) / domain.width, 0, 0.75)[:, None]
    chebyshev, interpolate = _interpolation(degree)
    nodes = below + (1 - below) * chebyshev
    c = f(starts[:, None] + nodes * domain.width) @ interpolate.T
    # Few intervals begin in the lowest segment: only their matrices are their own.
    cut = below[:, 0] > 0
    if cut.any():
        values = f(starts[cut, None] + nodes[cut] * domain.width)
        c[cut] = np.linalg.solve(nodes[cut][:, :, None] ** np.arange(degree + 1), values[:, :, None])[:, :, 0]
    return c


@cache
def _interpolation(degree: int) -> tuple[Array, Array]:
    """(Chebyshev nodes of [0, 1], the matrix from values there to coefficients)."""
    nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    return nodes, np.linalg.inv(nodes[:, None] ** np.arange(degree + 1))


class SplineProbe:
    """Error of tables on one domain, over a grid of arguments in [low, high] × offsets of the interval that holds them."""

    def __init__(
        self, f: Callable[[Array], Array], domain: Domain, degree: int, low: float, high: float, serves: Callable[[Array], Array] | None = None
    ) -> None:
        """serves: which starts of intervals this table is read for; None: all within the domain."""
        offsets = np.linspace(0, 1, 13)
        # Geometric too where the domain starts near a pole, and close where activations bend: that is where the error is.
        more = np.geomspace(low, high, 120) if low > 0 else np.linspace(max(low, -8), min(high, 8), 120)
        self.x = np.unique(np.concatenate([np.linspace(low, high, 120), more]))
        starts = self.x[:, None] - offsets * domain.width
        usable = starts >= domain.minimum
        if serves:
            usable &= serves(starts)
        self.shape = starts.shape
        t = np.where(usable, np.broadcast_to(offsets, starts.shape), 0).ravel()
        c = coefficients(f, domain, np.where(usable, starts, self.x[:, None]).ravel(), degree)
        powers = t[:, None] ** np.arange(degree + 1)
        self.interpolation = np.abs((c * powers).sum(1) - f(self.x).repeat(len(offsets))) * usable.ravel()
        powers = powers * usable.reshape(-1, 1)
        # The constant term is multiplied by nothing and keeps both parties' bits; the others meet half a unit of rounding each.
        self.powers, self.coefficients = powers[:, 1:].sum(1), np.abs(c[:, 1:]).sum(1)

    def error(self, coefficient_frac_bits: int, basis_frac_bits: int) -> Array:
        """Bound on |table − f| per argument in `x`, with coefficients and powers rounded to their fraction bits."""
        rounding = self.powers * 2.0 ** -(coefficient_frac_bits + 1) + self.coefficients * 2.0 ** -(basis_frac_bits + 1)
        return (self.interpolation + rounding).reshape(self.shape).max(1)


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
) -> Spline:
    """The spline of fewest online bits whose error stays below `tolerance(x)` for every argument x in [low, high].

    f is of the argument, which is `input_scale` times smaller than what the manifest's function is of. fine_between: where f bends, so that a
    second, finer table may serve what lies there ('low': from the lowest argument on).
    positive: f has a pole at 0: it is held constant below half of the lowest argument, and the domain must begin above 0. Where the
    tolerance cannot be had, up to 8 times as much is taken. Raises ExportError when no table of at most 2^MAX_DIGIT_BITS entries
    fits the ring even then.
    """
    for slack in SLACKS:
        allowed = partial(_times, slack, tolerance)
        best = _cheapest_spline(f, low, high, allowed, input_frac_bits, out, anchor, positive, degrees)
        if fine_between and (best is None or best.online_bits() > TWO_LEVELS_FROM):
            second = _cheapest_two_levels(f, low, high, allowed, input_frac_bits, out, fine_between, positive, degrees)
            if second and (best is None or second.online_bits() < best.online_bits()):
                best = second
        if best:
            return replace(best, input_scale=input_scale)
    limit = f'2^{MAX_DIGIT_BITS} segments, degree {max(degrees)}, {RING_BITS - input_frac_bits} range bits, {RING_BITS}-bit rings'
    raise ExportError(name, f'arguments in [{low:.4g}, {high:.4g}]', limit)


def _times(factor: float, f: Callable[[Array], Array], x: Array) -> Array:
    return factor * f(x)


def _cheapest_two_levels(
    f, low: float, high: float, tolerance, input_frac_bits: int, out: Tensor, bend: tuple[float, float], positive: bool, degrees
) -> Spline | None:
    """A coarse table over everything, a fine one from `bend`'s lower end (or below all) to its upper end (or further)."""
    best = None
    from_below = bend[0] <= low
    smaller_first = sorted(product(range(2, MAX_DIGIT_BITS), repeat=2), key=lambda digits: 2 ** digits[0] + 2 ** (digits[1] + 1))
    for digit_bits, fine_digits in smaller_first:
        if best and (2**digit_bits + 2 ** (fine_digits + 1)) * 2 * LEAST_RING > best.online_bits():
            break  # all that follow cost more
        coarse = smallest_domain(low, high, digit_bits, 'low', input_frac_bits)
        width = coarse.width
        fine_bits = max(math.ceil(math.log2((max(bend[1] - bend[0], 0) if not from_below else max(bend[1] - low, 0)) + 2 * width)), fine_digits - 10)
        fine_width = 2.0 ** (fine_bits - fine_digits)
        begin = math.floor(((low if from_below else bend[0] - width) - fine_width) / MINIMUM_UNIT) * MINIMUM_UNIT
        if positive and begin + fine_width <= 0:
            continue
        fine = Domain(begin, fine_bits, fine_digits)
        if from_below:
            range_bits = coarse.range_bits
            while begin + 2.0**range_bits - 2.0 ** (range_bits - digit_bits) < high:
                range_bits += 1
            coarse = Domain(begin - 2.0 ** (range_bits - digit_bits), range_bits, digit_bits)
            width = coarse.width
            if 2.0**fine_bits < 2 * width:
                continue
        if input_frac_bits + coarse.range_bits > RING_BITS or coarse.range_bits > 20 or fine_bits + input_frac_bits < fine_digits + 2:
            continue
        best = _better(best, _both(f, coarse, fine, from_below, low, high, tolerance, out, positive, degrees))
    return best


def _better(a: Spline | None, b: Spline | None) -> Spline | None:
    return b if a is None or (b is not None and b.online_bits() < a.online_bits()) else a


def _both(f, coarse: Domain, fine: Domain, from_below: bool, low: float, high: float, tolerance, out: Tensor, positive: bool, degrees) -> Spline | None:
    end = fine.top - coarse.width  # intervals that begin from here on are the coarse table's
    g = partial(_held, f, fine.lowest / 2) if positive else f
    parts = []
    for domain, first, last, serves in (
        (fine, max(low, fine.lowest), min(high, fine.top), lambda starts: starts <= end),
        (coarse, end if from_below else low, high, (lambda starts: starts >= end) if from_below else (lambda starts: (starts < fine.lowest) | (starts >= end))),
    ):
        if first >= last:
            return None
        tables = [(d, _narrowest(g, domain, d, out, first, last, tolerance, serves)) for d in degrees]
        found = [(d, t) for d, t in tables if t]
        if not found:
            return None
        parts.append(min(found, key=lambda part: part[1].online_bits()))
    (fine_degree, a), (coarse_degree, b) = parts
    spline = Spline(
        coarse, coarse_degree, max(a.coefficient_frac_bits, b.coefficient_frac_bits), max(a.basis_frac_bits, b.basis_frac_bits), out,
        fine=Fine(fine, fine_degree),
    )  # fmt: skip
    return spline if spline.ring_bits <= RING_BITS else None


def _held(f: Callable[[Array], Array], floor: float, x: Array) -> Array:
    return f(np.maximum(x, floor))


def _cheapest_spline(f, low: float, high: float, tolerance, input_frac_bits: int, out: Tensor, anchor: str, positive: bool, degrees) -> Spline | None:
    best = None
    for digit_bits in range(1, MAX_DIGIT_BITS + 1):
        domain = smallest_domain(low, high, digit_bits, anchor, input_frac_bits)
        if input_frac_bits + domain.range_bits > RING_BITS or domain.range_bits > 20 or (positive and domain.lowest <= 0):
            continue
        for degree in degrees:
            if best and 2**digit_bits * (degree + 1) * LEAST_RING > best.online_bits():
                continue  # even narrow entries would cost more
            g = partial(_held, f, domain.lowest / 2) if positive else f
            spline = _narrowest(g, domain, degree, out, low, high, tolerance)
            if spline and (best is None or spline.online_bits() < best.online_bits()):
                best = spline
    return best


def _narrowest(f, domain: Domain, degree: int, out: Tensor, low: float, high: float, tolerance, serves=None) -> Spline | None:
    """Fewest coefficient and basis bits that keep the tolerance, or None."""
    available = RING_BITS - 2 - out.magnitude_bits
    probe = SplineProbe(f, domain, degree, low, high, serves)
    allowed = tolerance(probe.x)

    def good(coefficient: int, basis: int) -> bool:
        return bool((probe.error(coefficient, basis) <= allowed).all())

    if not good(28, 16):
        return None
    # The error falls with either: the first of each that is good is found by halving.
    smallest = 4 + bisect_left(range(4, 16), True, key=lambda b: good(28, b))
    best = None
    for basis in range(smallest, min(16, smallest + 3) + 1):
        coefficient = 2 + bisect_left(range(2, 28), True, key=lambda c: good(c, basis))
        coefficient = max(coefficient, out.frac_bits + 1 - basis)  # a truncation has to drop at least one bit
        if coefficient + basis <= available and (best is None or coefficient + basis < sum(best)):
            best = (coefficient, basis)
    return Spline(domain, degree, *best, out) if best else None


def choose_exp(
    name: str, low: float, high: float, absolute: float, relative: float, input_frac_bits: int, out: Tensor, input_scale: float = 1.0
) -> Spline:
    """The table of exp(input_scale·x) on [low, high]: error ≤ absolute + relative·exp, by the fewest online bits.

    e = table[j]·exp(t·h): the table's rounding is amplified by up to exp(h), the basis's is relative. Raises ExportError when
    exp(high) leaves too few bits for 8 times these errors.
    """
    for slack in SLACKS:
        best = None
        for digit_bits in range(1, MAX_DIGIT_BITS + 1):
            spline = _exp_table(low, high, digit_bits, slack * absolute, slack * relative, input_frac_bits, out, input_scale)
            if spline and (best is None or spline.online_bits() < best.online_bits()):
                best = spline
        if best:
            return best
    # Below 2^30: the table's and the basis's fraction bits at the loosest errors and narrow segments; a truncation drops one of them at least.
    bits = max(-math.log2(4 * SLACKS[-1] ** 2 * absolute * relative), out.frac_bits + 1)
    limit = math.log(2) * (RING_BITS - 2 - bits)
    raise ExportError(name, f'softmax scores minus their row\'s mean up to {high * input_scale:.3g} (with margin)', f'about {limit:.3g}, so that exp fits below 2^30')


def _exp_table(
    low: float, high: float, digit_bits: int, absolute: float, relative: float, input_frac_bits: int, out: Tensor, scale: float
) -> Spline | None:
    domain = smallest_domain(low, high, digit_bits, 'centre', input_frac_bits)
    if input_frac_bits + domain.range_bits > RING_BITS or domain.width * scale > 8:
        return None
    basis = max(4, math.ceil(-math.log2(2 * relative)))
    coefficient = max(0, math.ceil(-math.log2(2 * absolute / math.exp(domain.width * scale))), out.frac_bits + 1 - basis)
    if coefficient + basis + out.magnitude_bits > RING_BITS - 2 or coefficient > 28 or basis > 16:
        return None
    return Spline(domain, 0, coefficient, basis, out, scale)
