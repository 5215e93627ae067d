"""Tables that approximate a function, their error and their cost; spline_search.py looks for the cheapest.

The secure evaluation (protocols/layers/spline.ts, exp.ts) splits an argument into the start a of an interval of width
h = 2^(rangeBits−digitBits), which one party can tabulate over the other's 2^digitBits digits, and t in [0, 1) with x = a + t·h.
The start is *any* number in (x − h, x], not a multiple of h: an error bound must hold for every offset.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from .errors import ExportError
from .folding import Array

RING_BITS = 32
MAX_DIGIT_BITS = 10
MINIMUM_UNIT = 2.0**-16
FLIGHT_BITS = 2_000_000
"""What travels while a flight waits: 20 ms at 100 Mbit/s. Elements that are computed at once share it."""
LEVELS_FLIGHTS = 2
"""More of several levels than of one table: comparisons, and a selection."""
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


def norm_result_bits(stream: int, scale: int, magnitude: int) -> int:
    """Ring of a norm's 1/√x: that of its product with the stream, of so many fraction bits each, before the truncation."""
    return stream + scale + magnitude + 2


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
    """The next finer table. It serves the arguments of which a segment of the comparison begins in [lowest, top − w], where w is the coarsest
    table's range / 2^boundary_bits; and all that are lower, where its domain begins at the coarsest one's lowest usable point or below."""

    domain: Domain
    degree: int
    coefficient_frac_bits: int
    basis_frac_bits: int
    boundary_bits: int
    fine: Fine | None = None

    def to_json(self) -> dict:
        return {
            **self.domain.to_json(),
            'degree': self.degree,
            'coefficientFracBits': self.coefficient_frac_bits,
            'basisFracBits': self.basis_frac_bits,
            'boundaryBits': self.boundary_bits,
            **({'fine': self.fine.to_json()} if self.fine else {}),
        }


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
    result_bits: int = 0
    """Ring of the result, where it is one number for a row, truncated along with the lookup (wideTable.ts)."""

    @classmethod
    def from_json(cls, spec: dict, result_bits: int = 0) -> Spline:
        """What `to_json` wrote; by default a finer level has the coarsest table's fraction bits, and its comparison that table's segments."""

        def finer(level: dict | None) -> Fine | None:
            if level is None:
                return None
            bits = level.get
            return Fine(
                _domain(level), level['degree'], bits('coefficientFracBits', spec['coefficientFracBits']), bits('basisFracBits', spec['basisFracBits']),
                bits('boundaryBits', spec['digitBits']), finer(level.get('fine')),
            )  # fmt: skip

        out = Tensor(spec['out']['fracBits'], spec['out']['magnitudeBits'])
        return cls(
            _domain(spec), spec.get('degree', 0), spec['coefficientFracBits'], spec['basisFracBits'], out, spec.get('inputScale', 1.0),
            finer(spec.get('fine')), result_bits,
        )  # fmt: skip

    @property
    def finer(self) -> list[Fine]:
        """The levels but the coarsest, from coarse to fine."""
        levels, fine = [], self.fine
        while fine:
            levels.append(fine)
            fine = fine.fine
        return levels

    @property
    def tables(self) -> list[Spline | Fine]:
        return [self, *self.finer]

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
        """Per element: the tables through OT, the digits, and the opened powers; of several levels, the comparisons and the selection too."""
        finer = self.finer
        bits = sum(self._table_bits(table) for table in self.tables)
        if finer:
            result = self.result_bits or self.ring_bits
            bits += sum(2**f.boundary_bits + f.boundary_bits for f in finer)
            bits += 2 ** len(finer) * (len(finer) + 1) * result + len(finer) * (result + 1) + self.result_bits
        return bits

    def price(self, elements: int) -> float:
        """Online bits, and the part of an element, one of so many that are looked up at once, in the flights of several levels."""
        return self.online_bits() + (LEVELS_FLIGHTS * FLIGHT_BITS / elements if self.fine else 0)

    def _table_bits(self, table: Spline | Fine) -> int:
        """exp has one column, and a factor of up to exp(segment)."""
        domain, degree, basis = table.domain, table.degree, table.basis_frac_bits
        powers = degree * basis or basis + math.ceil(domain.width * self.input_scale / math.log(2))
        return 2**domain.digit_bits * (degree + 1) * self._entry_bits(table) + domain.digit_bits + powers + self.result_bits

    def _entry_bits(self, table: Spline | Fine) -> int:
        """Of a table's entries: more where their truncation is to be local."""
        bits = table.coefficient_frac_bits + table.basis_frac_bits
        return bits + (self.result_bits - self.out.frac_bits if self.result_bits else self.out.magnitude_bits + 2)

    def offline_bits(self) -> int:
        """Per element: the messages of the correlated OTs that the columns are multiplied by."""
        return sum(max(1, table.degree) * payload_bits(table.basis_frac_bits, self._entry_bits(table)) for table in self.tables)


def _domain(spec: dict) -> Domain:
    return Domain(spec['minimum'], spec['rangeBits'], spec['digitBits'])


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

    def __init__(self, f: Callable[[Array], Array], domain: Domain, degree: int, low: float, high: float) -> None:
        offsets = np.linspace(0, 1, 13)
        # Geometric too where the domain starts near a pole, and close where activations bend: that is where the error is.
        more = np.geomspace(low, high, 120) if low > 0 else np.linspace(max(low, -8), min(high, 8), 120)
        self.x = np.unique(np.concatenate([np.linspace(low, high, 120), more]))
        starts = self.x[:, None] - offsets * domain.width
        usable = starts >= domain.minimum
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
