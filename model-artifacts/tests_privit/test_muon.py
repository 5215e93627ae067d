"""Muon in float32 does what PyTorch's does in bfloat16."""
import pytest
import torch

from privit.muon import Float32Muon, orthogonalise


@pytest.mark.parametrize('shape', [(24, 8), (8, 24), (16, 16)])
def test_three_steps_are_those_of_pytorch(shape):
    torch.manual_seed(1)
    start, gradients = torch.randn(shape), torch.randn(3, *shape)
    ends = []
    for cls in (torch.optim.Muon, Float32Muon):
        p = torch.nn.Parameter(start.clone())
        optimizer = cls([p], lr=0.1, weight_decay=0.05, adjust_lr_fn='match_rms_adamw')
        for gradient in gradients:
            p.grad = gradient.clone()
            optimizer.step()
        ends.append(p.detach())
    moved = (ends[0] - start).norm()
    assert moved > 0.1 and (ends[1] - ends[0]).norm() < 0.02 * moved


def test_singular_values_come_near_one():
    torch.manual_seed(2)
    x = orthogonalise(torch.randn(12, 30), (3.4445, -4.775, 2.0315), 5, 1e-7)
    values = torch.linalg.svdvals(x)
    assert 0.5 < values.min() and values.max() < 1.5


def test_other_variants_are_refused():
    p = torch.nn.Parameter(torch.randn(4, 4))
    p.grad = torch.randn(4, 4)
    with pytest.raises(ValueError, match='match_rms_adamw'):
        Float32Muon([p], lr=0.1).step()
