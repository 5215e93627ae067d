"""Rows of heads that change next to nothing become squares, and no others."""
import torch

from privit.evaluate import logits_of
from privit.prune import without_idle_heads
from vit.data import synthetic_splits


def test_only_idle_heads_lose_their_rows(tiny_model):
    images = synthetic_splits(count=64).train
    switches = torch.ones(2, 2, 4), torch.zeros(2, 4)
    switches[0][1, 1, 2:] = 0
    # Nothing reads what head 1 of layer 0 says.
    tiny_model.blocks[0].attn.proj.weight.data[:, 8:] = 0
    before = logits_of(tiny_model, switches, images)
    kept, moved, together = without_idle_heads(tiny_model, switches, images, 1e-6)
    assert moved[0, 1] < 1e-6 and together < 1e-6
    assert (moved.flatten()[[0, 2, 3]] > 1e-6).all()
    expected = switches[0].clone()
    expected[0, 1] = 0
    assert torch.equal(kept, expected)
    torch.testing.assert_close(logits_of(tiny_model, (kept, switches[1]), images), before, atol=1e-5, rtol=0)


def test_a_wide_limit_takes_all_and_says_what_that_does(tiny_model):
    images = synthetic_splits(count=64).train
    switches = torch.ones(2, 2, 4), torch.zeros(2, 4)
    kept, moved, together = without_idle_heads(tiny_model, switches, images, float('inf'))
    assert kept.sum() == 0 and switches[0].sum() == 16
    assert together > 0.5 * float(moved.max())
