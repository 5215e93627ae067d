"""Writes outOfRange.json: functions of arguments in and far out of their ranges as the exporter's integers have them, for the TypeScript reference to
agree with to the last unit, and for the protocols to come near.

    python test/vectors/outOfRange.py        (in model-artifacts/'s environment; needs NumPy)

Each case: `function`, its `spec` as in a manifest, the arguments `x` with `fracBits` fraction bits, `simulated` with those of spec.out, and the
positions `undecided`: arguments in a table's lowest segment, where the parties' shares decide what comes out.
"""
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'model-artifacts'))
from exporter.fields import MORE_SQUARE_BITS
from exporter.harmonics import LOWEST
from exporter.simulate import Simulation, finer_levels, gelu_of_the_plan, read_domain

EPSILON = 2.0**-7


def domain(minimum: float, range_bits: int, digit_bits: int) -> dict:
    return {'minimum': minimum, 'rangeBits': range_bits, 'digitBits': digit_bits}


def table(domain: dict, coefficient: int, basis: int, out: tuple[int, int], **more) -> dict:
    bits = {'coefficientFracBits': coefficient, 'basisFracBits': basis}
    return {**domain, **bits, 'out': {'fracBits': out[0], 'magnitudeBits': out[1]}, **more}


def harmonic(k: int, amplitude: float, bits: int) -> dict:
    return {'k': k, 'amplitude': amplitude, 'bits': bits}


NEAR_ONE = table(domain(0.5, 3, 4), 14, 10, (12, 1), degree=2)
TABLES = [  # function, spec, fraction bits of the argument
    ('gelu', table(domain(-8, 4, 4), 14, 10, (12, 4), degree=2), 10),
    ('gelu', table(domain(-64, 7, 5), 12, 8, (12, 7), degree=2, fine={**domain(-8, 4, 5), 'degree': 2}), 12),
    ('exp', table(domain(-12, 4, 4), 13, 9, (12, 6), inputScale=0.75), 11),
    ('rsqrt', NEAR_ONE, 10),
    ('reciprocal', NEAR_ONE, 16),
    ('rsqrt', table(domain(-1, 5, 5), 12, 9, (12, 3), degree=2, fine={**domain(0, 1, 5), 'degree': 2}), 14),
    ('rsqrt', table(domain(-18.25, 11, 4), 12, 10, (14, 2), degree=3, fine={
        **domain(-2.25, 7, 4), 'degree': 3, 'boundaryBits': 7,
        'fine': {**domain(-0.25, 3, 4), 'degree': 3, 'boundaryBits': 10, 'coefficientFracBits': 8, 'basisFracBits': 14},
    }), 14),
    # Each level's table with a scale of its own: what is truncated begins with 23, 20 and 15 fraction bits.
    ('rsqrt', table(domain(-18.25, 11, 4), 13, 10, (14, 2), degree=3, fine={
        **domain(-2.25, 7, 4), 'degree': 3, 'boundaryBits': 7, 'coefficientFracBits': 10, 'basisFracBits': 10,
        'fine': {**domain(-0.25, 3, 4), 'degree': 3, 'boundaryBits': 10, 'coefficientFracBits': 7, 'basisFracBits': 8},
    }), 14),
]
# Weights below 2^9 with 8 fraction bits: their squares are on a circle of 2^14.
SQUARES = {'input': {'fracBits': 8, 'magnitudeBits': 9}, 'out': {'fracBits': 6, 'magnitudeBits': 13}}
HARMONICS = {
    'rangeBits': 6, 'reach': 7, 'constant': 2.66657, 'out': {'fracBits': 9, 'magnitudeBits': 7},
    'parts': [
        {'fracBits': 18, 'magnitudeBits': 7, 'harmonics': [harmonic(3, -2.24876, 10)]},
        {'fracBits': 14, 'magnitudeBits': -1, 'harmonics': [harmonic(9, -0.28927, 7), harmonic(15, -0.09304, 6), harmonic(21, -0.02811, 4)]},
    ],
}  # fmt: skip
FUNCTIONS = {
    'gelu': (gelu_of_the_plan, False),
    'exp': (np.exp, False),
    'rsqrt': (lambda x: 1 / np.sqrt(x + EPSILON), True),
    'reciprocal': (lambda x: 1 / x, True),
}


def arguments(rng: np.random.Generator, edges: list[float], frac_bits: int, most: int = 2**31) -> np.ndarray:
    """Around the edges, some periods away, anywhere in 32 bits, and at their ends."""
    unit = 2**frac_bits
    around = [round(edge * unit) + step for edge in edges for step in (-unit // 3, -1, 0, 1, unit // 3)]
    far = rng.integers(-most, most, 24)
    near = rng.integers(round(min(edges) * unit), round(max(edges) * unit), 24)
    return np.clip(np.concatenate([around, near, far, [-most, most - 1]]), -most, most - 1).astype(np.int64)


def undecided(x: np.ndarray, frac_bits: int, spec: dict) -> np.ndarray:
    of, levels = read_domain(spec), finer_levels(spec)
    argument = of.wrap(x, frac_bits)
    lowest = argument < max([boundary.lowest for _, boundary, _ in levels] or [of.lowest])
    for i, (level, boundary, is_lowest) in enumerate(levels):
        finer = read_domain(level)
        # What the next finer level serves surely is not this one's.
        below = [read_domain(next_level).top - next_boundary.width for next_level, next_boundary, _ in levels[i + 1 :]]
        begin = max([of.minimum if is_lowest else finer.lowest, *below])
        lowest |= (argument >= begin) & (argument <= finer.top) & (finer.wrap(x, frac_bits) < finer.lowest)
    return np.flatnonzero(lowest)


def cases() -> list[dict]:
    rng = np.random.default_rng(21)
    simulation = Simulation.load(ROOT / 'test/vectors/tiny')
    out = []

    def add(function: str, spec: dict, frac_bits: int, x: np.ndarray, simulated: np.ndarray, decided_by_shares: np.ndarray) -> None:
        out.append({
            'function': function, 'spec': spec, 'fracBits': frac_bits, 'epsilon': EPSILON if function == 'rsqrt' else 0,
            'x': x.tolist(), 'simulated': simulated.tolist(), 'undecided': decided_by_shares.tolist(),
        })  # fmt: skip

    for name, spec, frac_bits in TABLES:
        f, is_of_positive = FUNCTIONS[name]
        of = read_domain(spec)
        edges = [of.minimum, of.lowest, of.top, of.top + of.width, of.minimum - 3 * (of.top - of.minimum), of.top + 5 * (of.top - of.minimum)]
        x = arguments(rng, edges, frac_bits)
        add(name, spec, frac_bits, x, simulation.function(name, f, x[None], frac_bits, spec, is_of_positive)[0], undecided(x, frac_bits, spec))
    # Where x/2 still fits the part's range; beyond, and below the lowest value, its truncation goes wrong as any does.
    x = arguments(rng, [-120, -32, -7, 7, 32, 120], 20, 2**27 - 2**20)
    simulated = simulation.by_harmonics('gelu', x[None], 20, HARMONICS)[0]
    add('harmonics', HARMONICS, 20, x, simulated, np.flatnonzero(simulated < (LOWEST + 0.02) * 2 ** HARMONICS['out']['fracBits']))
    x = arguments(rng, [-600, -512, 512, 600], 20)
    add('truncate', {'out': {'fracBits': 12, 'magnitudeBits': 9}}, 20, x, simulation.truncate('x', x[None], 20, 9, 12)[0], np.array([], int))
    weights, turn = SQUARES['input'], SQUARES['out']['magnitudeBits'] + 1
    x = arguments(rng, [-512, -1, 1, 90.5, 128, 181, 256, 512], 20)
    w = simulation.truncate('w', x[None], 20, weights['magnitudeBits'], weights['fracBits'])
    before = SQUARES['out']['fracBits'] + MORE_SQUARE_BITS
    squares = simulation.squares_in_field(w, before + turn)
    simulated = simulation.truncate('squares', squares, before, turn - 1, SQUARES['out']['fracBits'], LOWEST)[0]
    # Beyond the range a weight is off by what no circle hides.
    add('fieldSquare', SQUARES, 20, x, simulated, np.flatnonzero(np.abs(x) >= 2**29))
    return out


if __name__ == '__main__':
    lines = [json.dumps(case) for case in cases()]
    Path(__file__).with_suffix('.json').write_text('[\n ' + ',\n '.join(lines) + '\n]\n')
