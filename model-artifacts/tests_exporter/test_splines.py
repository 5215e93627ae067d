import numpy as np
import pytest

from exporter.forward import gelu
from exporter.spline_search import choose_spline
from exporter.splines import Domain, SplineProbe, Tensor, choose_exp, coefficients, magnitude_bits, smallest_domain


@pytest.mark.parametrize(('maximum', 'bits'), [(0.5, 0), (0.51, 1), (1, 1), (4, 3), (4.1, 4), (0.01, -5), (0, 0)])
def test_magnitude_bits_hold_twice_the_maximum(maximum, bits):
    assert magnitude_bits(maximum) == bits


@pytest.mark.parametrize('anchor', ['low', 'centre'])
@pytest.mark.parametrize('digit_bits', [1, 3, 6])
def test_the_lowest_segment_stays_unused(anchor, digit_bits):
    domain = smallest_domain(-3.3, 5.1, digit_bits, anchor, 18)
    assert domain.lowest <= -3.3 and domain.top >= 5.1
    assert domain.minimum * 65536 == int(domain.minimum * 65536)
    narrower = Domain(domain.minimum, domain.range_bits - 1, digit_bits)
    assert 2.0**narrower.range_bits - narrower.width < 8.4


def test_gelu_error_matches_the_bound_for_interpolation():
    """Degree 2 at the Chebyshev nodes: h³·max|f'''|/192, and max|GELU'''| is about 0.78."""
    error = SplineProbe(gelu, Domain(-8, 4, 4), 2, -7, 8).error(28, 16).max()
    assert 0.7 * 0.78 / 192 < error < 1.1 * 0.78 / 192


@pytest.mark.parametrize(('low', 'high'), [(0.01, 3), (1, 30), (3, 200)])
def test_chosen_rsqrt_keeps_its_tolerance_at_random_offsets(low, high):
    def f(x):
        return (x + 1e-6) ** -0.5

    out = Tensor(12, magnitude_bits(f(low)))
    spline = choose_spline('m', f, low, high, lambda x: 0.005 * f(x), 24, out, anchor='low', positive=True)
    assert spline.ring_bits <= 32
    # As protocols/layers/table.ts: any start of an interval, any rest.
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(np.log(low), np.log(high), 4000))
    t = rng.random(4000)
    domain = spline.domain
    start = np.maximum(x - t * domain.width, domain.minimum)
    t = (x - start) / domain.width
    c = coefficients(lambda v: f(np.maximum(v, domain.lowest / 2)), domain, start, spline.degree)
    unit = 2.0**spline.coefficient_frac_bits
    c[:, 1:] = np.round(c[:, 1:] * unit) / unit
    powers = np.round(t[:, None] ** np.arange(spline.degree + 1) * 2.0**spline.basis_frac_bits) * 2.0**-spline.basis_frac_bits
    assert (np.abs((c * powers).sum(1) - f(x)) / f(x)).max() < 0.0055  # the choice looked at a grid


def test_exp_table_keeps_its_tolerance():
    spline = choose_exp('x', -8, 7, 0.03, 0.004, 24, Tensor(9, 12))
    domain, c, b = spline.domain, 2.0**spline.coefficient_frac_bits, 2.0**spline.basis_frac_bits
    x = np.linspace(-8, 7, 3001)
    rest = np.random.default_rng(0).random(3001) * domain.width
    value = np.round(np.exp(x - rest) * c) * np.round(np.exp(rest) * b) / (c * b)
    assert (np.abs(value - np.exp(x)) <= 0.03 + 0.0041 * np.exp(x)).all()
    assert spline.domain.digit_bits <= 4
