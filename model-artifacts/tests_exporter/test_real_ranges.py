"""What trained networks of other people need: wide scores, massive activations, a few hidden units that reach far."""
import dataclasses

import numpy as np
import pytest

from exporter.calibrate import calibrate
from exporter.costs import choices, table_bytes
from exporter.folding import Linear
from exporter.forward import activation, forward
from exporter.hidden_groups import group_units, grouped
from exporter.scales import FROM_BELOW, choose_scales
from exporter.simulate import Simulation, finer_levels, gelu_of_the_plan, lowest_argument, read_domain
from exporter.spline_search import choose_spline
from exporter.splines import FLIGHT_BITS, Spline, Tensor
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images


def served(spec):
    """Lowest and highest argument of each level, the coarsest's first."""
    return [(read_domain(level).lowest, read_domain(level).top) for level in [spec, *(level for level, _, _ in finer_levels(spec))]]


@pytest.mark.parametrize(('ratio', 'limit'), [(3e2, 512), (7e3, 1024), (3e4, 2048)])
@pytest.mark.parametrize('result_bits', [0, 29])
def test_the_tables_of_a_wide_norm_are_right_at_every_offset(ratio, limit, result_bits):
    low, high, scale = 0.25, 0.25 * ratio, 1 / 0.75

    def rsqrt(x):
        return (x * scale + 1e-6) ** -0.5

    wide = choose_spline('m', rsqrt, low, high, lambda x: 0.01 * rsqrt(x), 17, Tensor(14, 2), 'low', True, (1, 2, 3, 4), scale, FROM_BELOW, result_bits)
    spec = wide.to_json()
    assert Spline.from_json(spec, result_bits) == wide
    assert table_bytes(spec, result_bits) == wide.online_bits() / 8 < limit
    assert 2 <= len(served(spec)) <= 4 and spec['inputScale'] == scale and lowest_argument(spec) <= low
    # Each begins below where the next finer one ends.
    assert all(coarser[0] < finer[1] for coarser, finer in zip(served(spec), served(spec)[1:]))
    rng = np.random.default_rng(0)
    x = np.concatenate([np.geomspace(low, high * 0.999, 20000), *(np.linspace(0.7 * top, min(top, high), 500) for _, top in served(spec)[1:])])
    for _ in range(5):
        error = np.abs(Simulation.table(rng, rsqrt, read_domain(spec), x, spec) / rsqrt(x) - 1)
        assert 0 < error.max() < 0.011  # the choice looked at a grid


def test_levels_are_taken_where_they_save_more_than_their_flights():
    def reciprocal(elements):
        return choose_spline(
            'm', np.reciprocal, 1.0, 200.0, lambda x: 0.02 / x, 15, Tensor(14, 1), 'low', True, (1, 2, 3, 4), fine_between=FROM_BELOW, elements=elements
        )  # fmt: skip

    few, many = reciprocal(3), reciprocal(600)
    assert not few.fine and many.fine
    saved = few.online_bits() - many.online_bits()
    assert 3 * saved < 2 * FLIGHT_BITS < 600 * saved
    border = 2 * FLIGHT_BITS / saved
    assert reciprocal(int(0.98 * border)) == few and reciprocal(int(1.02 * border) + 1) == many
    assert many.price(600) == many.online_bits() + 2 * FLIGHT_BITS / 600 and few.price(3) == few.online_bits()


def test_two_tables_serve_a_wide_gelu_at_every_offset():
    gelu = activation('gelu')
    wide = choose_spline('fc1', gelu, -90.0, 240.0, lambda x: np.full_like(x, 0.01), 17, Tensor(8, 8), fine_between=(-3.2, 3.2))
    spec = wide.to_json()
    (level, boundary, is_lowest), = finer_levels(spec)
    assert not is_lowest and lowest_argument(spec) <= -90
    x = np.concatenate([np.linspace(-90, 240, 20000), np.linspace(-9, 9, 20000)])
    error = np.abs(Simulation.table(np.random.default_rng(1), gelu, read_domain(spec), x, spec) - gelu(x))
    assert error.max() < 0.011
    # What is surely the fine table's leaves room for what may be either's.
    fine = read_domain(level)
    assert fine.lowest + boundary.width <= -3.2 and fine.top - boundary.width >= 3.2


def test_groups_cost_less_than_one_table_and_change_nothing(checkpoint, images):
    model = checkpoint.fold()
    block = model.blocks[0]
    far = block.fc1.weight.copy()
    far[[3, 17]] *= 30
    wild = dataclasses.replace(model, blocks=(dataclasses.replace(block, fc1=Linear(far, block.fc1.bias), gelu_tokens=np.ones(16, bool)), model.blocks[1]))
    ranges = calibrate(wild, images)
    reach = np.maximum(-ranges.unit_low['blocks.0.mlp.fc1'], ranges.unit_high['blocks.0.mlp.fc1'])
    order, sizes = group_units(reach, 'gelu', 10**6)
    assert sum(sizes) == 32 and len(sizes) > 1 and sorted(order) == list(range(32)) and set(order[-2:]) == {3, 17}
    assert group_units(reach, 'gelu', 1)[1] == (32,)  # a few bits are not worth it
    parts = dataclasses.replace(wild, blocks=(dataclasses.replace(wild.blocks[0], fc1=Linear(far[order], block.fc1.bias[order]),
                                fc2=Linear(block.fc2.weight[:, order], block.fc2.bias), groups=sizes), wild.blocks[1]))  # fmt: skip
    np.testing.assert_allclose(forward(parts, images), forward(wild, images), rtol=1e-9, atol=1e-9)
    assert grouped(model, calibrate(model, images)).blocks[0].groups == ()


def scaled_scores(factor):
    """The tiny network with all rows exact and block 0's scores larger."""
    checkpoint = tiny_checkpoint(config=dataclasses.replace(CONFIG, square_units=0))
    checkpoint.switches[0][:] = 1
    model = checkpoint.fold()
    q = model.blocks[0].q
    return dataclasses.replace(model, blocks=(dataclasses.replace(model.blocks[0], q=Linear(q.weight * factor, q.bias * factor)), model.blocks[1]))


@pytest.mark.parametrize(('factor', 'squarings'), [(1, {0}), (4, {1, 2}), (8, {2})])
def test_large_scores_are_squared_into_reach(factor, squarings):
    model = scaled_scores(factor)
    fixed = choose_scales(model, calibrate(model, tiny_images(200)))
    spec = fixed['blocks'][0]['attn'].get('squarings', [])
    assert len(spec) in squarings
    for squaring in spec:
        assert 2 * squaring['input']['fracBits'] + squaring['square']['magnitudeBits'] <= 30
        assert squaring['reciprocal']['out']['magnitudeBits'] >= 1


def test_the_plans_gelu_is_gelu_within_its_fit():
    x = np.linspace(-9, 9, 10001)
    assert 0 < np.abs(gelu_of_the_plan(x) - activation('gelu')(x)).max() < 1e-6


def test_choices_are_printed_with_their_cost(artifact):
    import json

    lines = choices(json.loads((artifact[0] / 'manifest.json').read_text()))
    assert len(lines) == 2 and all('norms' in line and 'B a row' in line for line in lines) and 'softmax rows by 0 squarings' in lines[0]
