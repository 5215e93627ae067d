"""Activations as trigonometric polynomials: what is chosen errs as little as asked for, costs what it says, and gives way to tables."""
import numpy as np
import pytest

from exporter.costs import table_bytes
from exporter.forward import activation
from exporter.harmonics import DEVIATION_UNITS, FIELDS, LOWEST, Harmonics, choose_harmonics, read_harmonics
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
    values = Simulation.polynomial(rng, units, 20, chosen) * 2.0**-chosen.frac_bits
    deviation = (values - chosen.evaluate(x)).std()
    assert 0.3 * DEVIATION_UNITS / 2**8 < deviation < 1.02 * DEVIATION_UNITS / 2**8
    assert np.abs(values - chosen.evaluate(x)).max() < 6 * deviation
    assert values.min() > LOWEST and values.max() < LOWEST + 2**chosen.magnitude_bits
    assert spec['parts'][0]['magnitudeBits'] == chosen.magnitude_bits


@pytest.mark.parametrize('reach', [2.5, 7.0, 15.0])
def test_its_costs_are_the_plans(reach):
    chosen = choose_harmonics('gelu', reach, TOLERANCE, 20, 8)
    assert chosen
    spec = chosen.to_json()
    assert read_harmonics(spec) == chosen
    assert table_bytes({'units': 3, **spec}) == chosen.online_bits() / 8
    p, steps, scale = chosen.field()
    assert p in FIELDS and steps * scale * 2 ** (chosen.magnitude_bits + 1) == pytest.approx(p)
    assert chosen.online_bits() == 2 * len(chosen.harmonics) * p.bit_length()
    # Two numbers of 54 or 72 bits for each harmonic, and an answer.
    assert 54 * 2 * len(chosen.harmonics) < chosen.offline_bits() < 72 * 2 * len(chosen.harmonics) + 110


def test_manifests_of_wire_7_are_read():
    part = {'fracBits': 18, 'magnitudeBits': 3, 'harmonics': [{'k': 3, 'amplitude': -2.24876, 'bits': 10}]}
    small = {'fracBits': 15, 'magnitudeBits': -1, 'harmonics': [{'k': 9, 'amplitude': -0.29, 'bits': 7}]}
    read = read_harmonics({'rangeBits': 6, 'reach': 7.0, 'constant': 1.9, 'parts': [part, small], 'out': {'fracBits': 8, 'magnitudeBits': 4}})
    assert [(h.k, h.amplitude) for h in read.harmonics] == [(3, -2.24876), (9, -0.29)] and read.frac_bits == 18


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
