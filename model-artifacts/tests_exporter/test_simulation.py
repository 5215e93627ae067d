import json
import runpy
from pathlib import Path

import numpy as np

from exporter.artifact import golden_points
from exporter.forward import forward
from exporter.simulate import Simulation, multiply
from exporter.tiny import tiny_images


def test_integers_follow_the_float_model(artifact):
    folder, model = artifact
    images = tiny_images(200, seed=9)
    simulation = Simulation.load(folder)
    logits, expected = simulation.run(images), forward(model, images)
    assert simulation.violations.by_tensor == {}
    assert np.abs(logits - expected).max() < 0.02
    assert (logits.argmax(1) == expected.argmax(1)).mean() >= 0.985


def test_every_golden_point_is_near_the_float_model(artifact):
    folder, model = artifact
    index = json.loads((folder / 'golden.json').read_text())['tensors']
    data = (folder / 'golden.bin').read_bytes()
    kinds = {'uint8': 'u1', 'float32': '<f4'}
    golden = {t['name']: np.frombuffer(data, kinds[t['dtype']], int(np.prod(t['shape'])), t['offset']).reshape(t['shape']) for t in index}
    points = golden_points(model, json.loads((folder / 'manifest.json').read_text())['fixedPoint'])
    assert list(golden) == ['image', *points]
    seen = {}
    Simulation.load(folder).run(golden['image'][None], lambda name, value: seen.setdefault(name, value[0]))
    for name in points:
        assert seen[name].shape == golden[name].shape, name
        assert np.abs(seen[name] - golden[name]).max() <= 0.012 * max(1, np.abs(golden[name]).max()), name


def test_truncation_rounds_half_up(artifact):
    simulation = Simulation.load(artifact[0])
    x = np.array([-12, -11, -9, -8, -4, -3, 3, 4, 5, 11, 12])
    np.testing.assert_array_equal(simulation.truncate('x', x, 10, 3, 7), np.floor(x / 8 + 0.5))


def test_products_are_exact():
    rng = np.random.default_rng(0)
    x, y = rng.integers(-(2**20), 2**20, (3, 5, 7)), rng.integers(-(2**20), 2**20, (7, 4))
    np.testing.assert_array_equal(multiply(x, y), x @ y)


def test_tables_and_stochastic_truncation_stay_near_the_plan(artifact):
    folder, _ = artifact
    images = tiny_images(100, seed=9)
    plan, noisy = Simulation.load(folder).run(images), Simulation.load(folder, np.random.default_rng(1)).run(images)
    error = np.abs(noisy - plan)
    assert 0 < error.max() < 0.04 and error.mean() < 0.006


def test_the_vectors_of_values_out_of_range_are_todays():
    path = Path(__file__).parents[2] / 'test/vectors/outOfRange.py'
    assert json.loads(path.with_suffix('.json').read_text()) == runpy.run_path(str(path))['cases']()
