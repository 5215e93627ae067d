"""Activations as trigonometric polynomials: what is chosen errs as little as asked for, costs what it says, and gives way to tables."""
import numpy as np
import pytest

from exporter.costs import table_bytes
from exporter.forward import activation
from exporter.harmonics import Harmonics, choose_harmonics, read_harmonics
from exporter.scales import choose_activation
from exporter.simulate import Simulation
from exporter.splines import Spline

TOLERANCE = 0.01


@pytest.mark.parametrize('function', ['gelu', 'gelu-tanh', 'quick-gelu'])
@pytest.mark.parametrize('reach', [2.5, 7.0, 12.0])
def test_a_polynomial_is_the_function_within_the_tolerance(function, reach):
    chosen = choose_harmonics(function, reach, TOLERANCE, 20, 8)
    assert chosen
    x = np.linspace(-reach, reach, 20001)
    f = activation(function)(x)
    assert 0 < np.abs(chosen.evaluate(x) - f).max() < TOLERANCE
    # As two parties compute it: shares at random, roundings of both.
    units = np.round(x * 2.0**20).astype(np.int64)
    spec = chosen.to_json()
    rng = np.random.default_rng(0)
    parts = [Simulation.polynomial(rng, units, 20, spec, i) * 2.0 ** -part['fracBits'] for i, part in enumerate(spec['parts'])]
    error = np.abs(sum(parts) - f)
    assert np.quantile(error, 0.99) < TOLERANCE and error.max() < 1.6 * TOLERANCE
    for values, part in zip(parts, spec['parts']):
        assert np.abs(values).max() < 2.0 ** part['magnitudeBits']


@pytest.mark.parametrize('reach', [2.5, 7.0, 15.0])
def test_its_costs_are_the_plans(reach):
    chosen = choose_harmonics('gelu', reach, TOLERANCE, 20, 8)
    assert chosen
    spec = chosen.to_json()
    assert read_harmonics(spec) == chosen
    assert table_bytes({'units': 3, **spec}) == chosen.online_bits() / 8
    bits = [h['bits'] for part in spec['parts'] for h in part['harmonics']]
    assert 2 * sum(bits) <= chosen.online_bits() < 2 * sum(bits) + 50
    # Bit b of a number in a ring of r bits takes r − b, for a cosine and a sine.
    offline = [2 * sum(ring - b for b in range(h['bits'])) for part in spec['parts'] for h in part['harmonics'] for ring in [part['fracBits'] + part['magnitudeBits'] + 2]]
    assert sum(offline) == chosen.offline_bits()


def test_far_ranges_get_tables_and_near_ones_none():
    near, far = choose_activation('fc1', 'gelu', -7, 6, TOLERANCE, 20, 8), choose_activation('fc1', 'gelu', -90, 240, TOLERANCE, 17, 8)
    assert isinstance(near, Harmonics) and near.reach == 7
    assert isinstance(far, Spline)
    # One that no ring holds is not taken.
    assert choose_harmonics('gelu', 7.0, TOLERANCE, 31, 8) is None


def test_out_of_reach_is_told(artifact):
    simulation = Simulation.load(artifact[0])
    spec = choose_harmonics('gelu', 2.5, TOLERANCE, 20, 8).to_json()
    inside = np.round(np.linspace(-2.5, 2.5, 50) * 2**20).astype(np.int64)[None]
    simulation.by_harmonics('gelu', inside, 20, spec)
    assert not simulation.violations.by_tensor
    simulation.by_harmonics('gelu', inside + 2**19, 20, spec)
    _, worst, low, high = simulation.violations.by_tensor['gelu']
    assert (worst, low, high) == (3.0, -2.5, 2.5)
