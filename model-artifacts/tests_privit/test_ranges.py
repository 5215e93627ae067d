"""The range penalty is zero inside the limits and pulls outliers in; the maxima report what each nonlinearity sees."""
from dataclasses import replace

import torch

from privit.ranges import GELU_LIMIT, MARGIN, RESIDUAL_LIMIT, SCORE_LIMIT, SQUARE_UNIT_LIMIT, RangeMaxima, RangePenalty
from privit.switches import Switches
from vit.model import VisionTransformer


def test_penalty_is_zero_inside_and_the_squared_excess_outside():
    penalty = RangePenalty()
    scores = torch.zeros(2, 2, 4, 4)
    penalty('blocks.0.attn.scores', scores)
    assert penalty.total == 0
    scores[1, 0, 2] = torch.tensor([1.0, -1.0, 1.0, -1.0]) * (MARGIN * SCORE_LIMIT + 2)  # its row mean is 0
    penalty('blocks.0.attn.scores', scores)
    assert torch.isclose(penalty.total, torch.tensor(4 * 4.0 * 2 / 2))  # 4 entries, squared 2, counted twice, of 2 images


def test_far_outside_the_penalty_grows_in_a_straight_line_without_a_step():
    def total(excess: float) -> float:
        penalty = RangePenalty()
        penalty('blocks.0.mlp.gelu', torch.tensor([[[-(MARGIN * GELU_LIMIT + excess)]]]))
        return float(penalty.total)

    assert abs(total(GELU_LIMIT) - GELU_LIMIT**2) < 1e-3
    slopes = [(total(x + 1) - total(x)) for x in (GELU_LIMIT, 50.0, 500.0)]
    assert all(abs(slope - 2 * GELU_LIMIT) < 0.01 for slope in slopes)


def test_gelu_inputs_are_observed_only_where_gelu_is_kept(tiny_model, tiny_images):
    learning, frozen = Switches(tiny_model.config), Switches(tiny_model.config)
    for switches in (learning, frozen):
        switches.gelu.data.zero_()
        switches.gelu.data[1, 2] = 1
    frozen.requires_grad_(False)
    seen = []
    for switches in (learning, frozen):
        tiny_model(tiny_images, switches.tensors(), lambda name, value: seen.append((name, value)) if name.endswith('.gelu') else None)
    seen = [(name, value) for name, value in seen if value.numel()]
    assert [name for name, _ in seen] == ['blocks.1.mlp.gelu'] * 2
    assert seen[0][1].shape == (5, 1, 32)
    torch.testing.assert_close(seen[0][1], seen[1][1])


def test_training_on_the_penalty_brings_scores_in(tiny_model, tiny_images):
    tiny_model.blocks[0].attn.qkv.weight.data *= 4
    optimizer = torch.optim.Adam(tiny_model.parameters(), lr=0.01)
    totals = []
    for _ in range(60):
        penalty = RangePenalty()
        tiny_model(tiny_images, None, penalty)
        optimizer.zero_grad()
        penalty.total.backward()
        optimizer.step()
        totals.append(float(penalty.total.detach()))
    assert totals[0] > 1
    assert totals[-1] < 0.05 * totals[0]


def test_maxima_separate_softmax_rows_from_square_rows(tiny_config):
    switches = Switches(tiny_config)
    switches.softmax.data[0, 0, 1] = 0
    maxima = RangeMaxima(tiny_config, switches.tensors())
    scores = torch.zeros(1, 2, 4, 4)
    scores[0, 0, 1] = torch.tensor([4.0, 0, 0, 0])
    scores[0, 1, 0] = torch.tensor([2.0, -2, 0, 0])
    maxima('blocks.0.attn.scores', scores)
    assert maxima.maxima == {
        'blocks.0.attn.scores (softmax rows, minus row mean)': 2.0,
        'blocks.0.attn.scores (square rows)': 4.0,
        'blocks.0.attn.scores (square rows, sum of x^2/n)': 4.0,
    }


def test_penalty_may_look_at_part_of_a_batch():
    value = torch.zeros(8, 1, 2)
    value[:2] = 2 * RESIDUAL_LIMIT
    whole, part = RangePenalty(), RangePenalty(one_in=4)
    whole('blocks.0.residual1', value)
    part('blocks.0.residual1', value)
    torch.testing.assert_close(part.total, 4 * whole.total)


def test_inputs_of_square_units_are_kept_in_range(tiny_config, tiny_images):
    model = VisionTransformer(replace(tiny_config, square_units=3))
    model.blocks[1].squares.fc1.bias.data[:] = MARGIN * SQUARE_UNIT_LIMIT + 1
    model.blocks[1].squares.fc1.weight.data.zero_()
    penalty = RangePenalty()
    model(tiny_images, None, penalty)
    torch.testing.assert_close(penalty.total, torch.tensor(4.0 * 3))  # 4 tokens, 3 units, squared 1


def test_scores_weigh_what_they_are_told_to_and_square_rows_add_their_own():
    scores = torch.full((2, 3, 4, 4), 20.0)
    scores[..., 0] = -20.0
    plain, heavy, softmax = RangePenalty(), RangePenalty(score_weight=10), RangePenalty(square_rows=False)
    for penalty in (plain, heavy, softmax):
        penalty('blocks.0.attn.scores', scores)
    torch.testing.assert_close(torch.as_tensor(heavy.total), 10 * torch.as_tensor(plain.total))
    assert 0 < float(softmax.total) < float(plain.total)
    softmax.total = 0.0
    softmax('blocks.0.attn.scores', scores[..., 1:])  # softmax does not see what a row has in common
    assert float(softmax.total) == 0
