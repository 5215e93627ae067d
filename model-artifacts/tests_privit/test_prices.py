"""Prices: what they add up to, what a budget buys, and that a search spends it and not more."""
import json
from dataclasses import replace

import pytest
import torch

from privit.batches import AugmentOptions, LabelledImages
from privit.engine import RunLog, TrainOptions
from privit.prices import Prices, keep_affordable, read_prices
from privit.search import SearchOptions, search
from vit.data import synthetic_splits

PRICES = Prices('ms', 10.0, torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([5.0, 6.0]), torch.tensor([3.0, 4.0]), torch.tensor([7.0, 8.0]))


def switches(rows: dict[tuple[int, int, int], float], tokens: dict[tuple[int, int], float]):
    softmax, gelu = torch.zeros(2, 2, 4), torch.zeros(2, 4)
    for place, value in rows.items():
        softmax[place] = value
    for token, value in tokens.items():
        gelu[token] = value
    return softmax, gelu


def test_a_layer_is_paid_once_and_its_rows_each(tiny_config):
    assert float(PRICES.of(switches({}, {}))) == 0
    assert float(PRICES.of(switches({(1, 0, 0): 1}, {}))) == 6 + 2
    assert float(PRICES.of(switches({(1, 0, 0): 1, (1, 1, 3): 1}, {(0, 2): 1}))) == 6 + 2 + 2 + 7 + 3
    assert float(PRICES.of(switches({(0, 0, 0): 0.5}, {}))) == 0.5 * (5 + 1)  # switches still being learned cost their part
    assert PRICES.everything(tiny_config) == 5 + 8 * 1 + 6 + 8 * 2 + 7 + 4 * 3 + 8 + 4 * 4


def test_a_budget_buys_the_largest_switches_that_fit():
    softmax, gelu = switches({(0, 0, 0): 0.9, (1, 0, 0): 0.8, (0, 1, 1): 0.7}, {(1, 1): 0.6})
    nobody, everything = (torch.zeros_like(softmax), torch.zeros_like(gelu)), (torch.ones_like(softmax), torch.ones_like(gelu))
    kept = keep_affordable(PRICES, (softmax, gelu), nobody, everything, 7.0)  # 6 for the first, then 8 do not fit, then 1 does
    assert kept[0].nonzero().tolist() == [[0, 0, 0], [0, 1, 1]] and kept[1].sum() == 0
    for budget in (0.0, 5.9, 20.0, 41.0, 1e9):
        kept = keep_affordable(PRICES, (torch.rand(2, 2, 4), torch.rand(2, 4)), nobody, everything, budget)
        assert float(PRICES.of(kept)) <= budget
    assert all(bool(k.all()) for k in kept)
    with pytest.raises(ValueError, match='expected at least 0'):
        keep_affordable(PRICES, (softmax, gelu), nobody, everything, -1.0)


def test_the_file_is_checked(tmp_path, tiny_config):
    path = tmp_path / 'prices.json'
    said = {'unit': 'ms', 'rest': 3, 'softmaxRow': [[1, 1], [1, 1]], 'softmaxLayer': [1, 1], 'geluToken': [1, 1], 'geluLayer': [0, 0]}
    path.write_text(json.dumps(said))
    assert read_prices(path, tiny_config).everything(tiny_config) == 16 + 2 + 8
    for key, value in (('softmaxRow', [[1], [1]]), ('geluToken', [1, -1])):
        path.write_text(json.dumps(said | {key: value}))
        with pytest.raises(ValueError, match=key):
            read_prices(path, tiny_config)
    path.write_text(json.dumps({k: v for k, v in said.items() if k != 'geluLayer'}))
    with pytest.raises(ValueError, match='expected geluLayer'):
        read_prices(path, tiny_config)


def test_a_search_by_price_empties_the_dear_layer_and_stays_within_its_budget(tmp_path, tiny_model):
    """Layer 1's first row costs as much as everything in layer 0."""
    prices = Prices('ms', 0.0, torch.full((2, 2), 1.0), torch.tensor([0.0, 40.0]), torch.full((2,), 1.0), torch.zeros(2))
    splits = synthetic_splits()
    options = SearchOptions(
        search_steps=16, finetune_steps=4, round_steps=2, switch_learning_rate=0.1, evaluate_every=5, price_budget=12.0, lambda_price=0.3
    )
    train = TrainOptions(batch_size=32, learning_rate=2e-3)

    def run(folder: str, stop_after: int | None = None):
        source = LabelledImages(splits.train, 8, AugmentOptions(crop_padding=1))
        return search(tiny_model, source, splits.validation, train, options, RunLog(tmp_path / folder), stop_after=stop_after, prices=prices)

    result = run('whole')
    assert 0 < float(prices.of(result.switches)) <= 12
    assert result.switches[0][1].sum() == 0
    train = replace(train, checkpoint_every=1)
    assert run('parts', 7) is None
    resumed = run('parts')
    assert all(torch.equal(a, b) for a, b in zip(result.switches, resumed.switches))
    with pytest.raises(ValueError, match='price_budget: expected'):
        options = replace(options, price_budget=1e6)
        run('too much')
