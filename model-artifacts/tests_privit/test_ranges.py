"""The range penalty is zero inside the limits and pulls outliers in; the maxima report what each nonlinearity sees."""
import torch

from privit.ranges import MARGIN, SCORE_LIMIT, RangeMaxima, RangePenalty
from privit.switches import Switches


def test_penalty_is_zero_inside_and_the_squared_excess_outside(tiny_config):
    penalty = RangePenalty(Switches(tiny_config).tensors())
    scores = torch.zeros(2, 2, 4, 4)
    penalty('blocks.0.attn.scores', scores)
    assert penalty.total == 0
    scores[1, 0, 2] = torch.tensor([1.0, -1.0, 1.0, -1.0]) * (MARGIN * SCORE_LIMIT + 2)  # its row mean is 0
    penalty('blocks.0.attn.scores', scores)
    assert torch.isclose(penalty.total, torch.tensor(4 * 4.0 * 2 / 2))  # 4 entries, squared 2, counted twice, of 2 images


def test_only_kept_gelu_tokens_are_penalised(tiny_config):
    switches = Switches(tiny_config)
    switches.gelu.data[1] = torch.tensor([0.0, 1, 0, 0])
    hidden = torch.zeros(1, 4, 32)
    hidden[0, 0, 0] = 100.0
    penalty = RangePenalty(switches.tensors())
    penalty('blocks.1.mlp.gelu', hidden)
    assert penalty.total == 0
    penalty('blocks.0.mlp.gelu', hidden)
    assert penalty.total > 0


def test_training_on_the_penalty_brings_scores_in(tiny_model, tiny_images):
    tiny_model.blocks[0].attn.qkv.weight.data *= 4
    optimizer = torch.optim.Adam(tiny_model.parameters(), lr=0.01)
    totals = []
    for _ in range(60):
        penalty = RangePenalty(None)
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
    maxima = RangeMaxima(switches.tensors())
    scores = torch.zeros(1, 2, 4, 4)
    scores[0, 0, 1] = torch.tensor([4.0, 0, 0, 0])
    scores[0, 1, 0] = torch.tensor([2.0, -2, 0, 0])
    maxima('blocks.0.attn.scores', scores)
    assert maxima.maxima == {
        'blocks.0.attn.scores (softmax rows, minus row mean)': 2.0,
        'blocks.0.attn.scores (square rows)': 4.0,
        'blocks.0.attn.scores (square rows, sum of x^2/n)': 4.0,
    }
