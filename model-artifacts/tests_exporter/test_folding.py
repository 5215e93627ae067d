import numpy as np
import pytest
import torch

from exporter.folding import fold
from exporter.forward import forward, patches


def reference(checkpoint, images):
    """The unfolded network in float64."""
    d = checkpoint.description
    mean, std = (torch.tensor(d[key], dtype=torch.float64).view(1, 3, 1, 1) for key in ('mean', 'std'))
    x = (torch.from_numpy(images.transpose(0, 3, 1, 2)).double() - mean) / std
    model = checkpoint.model.double()
    with torch.no_grad():
        out = model(x, tuple(s.double() for s in checkpoint.switches)).numpy()
    model.float()
    return out


def test_folded_network_equals_the_original(checkpoint, images):
    expected = reference(checkpoint, images)
    np.testing.assert_allclose(forward(checkpoint.fold(), images), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_folded_network_follows_the_switches(checkpoint, images):
    state = {name: tensor.double().numpy() for name, tensor in checkpoint.model.state_dict().items()}
    d = checkpoint.description
    everything = fold(state, 2, 8, 2, np.array(d['mean']), np.array(d['std']))
    assert np.abs(forward(everything, images) - forward(checkpoint.fold(), images)).max() > 1e-3


def test_stream_has_no_channel_mean(checkpoint, images):
    seen = {}
    forward(checkpoint.fold(), images, lambda name, value: seen.setdefault(name, value))
    for name in ('patch_embed', 'blocks.0.attn.residual', 'blocks.1.mlp.residual'):
        assert np.abs(seen[name].mean(-1)).max() < 1e-12


def test_patches_are_in_the_order_of_the_convolution(checkpoint, images):
    conv = checkpoint.model.patch_embed.proj
    with torch.no_grad():
        x = torch.from_numpy(images.transpose(0, 3, 1, 2)).float() - 128
        expected = torch.nn.functional.conv2d(x, conv.weight, stride=2).flatten(2).transpose(1, 2).numpy()
    np.testing.assert_allclose(patches(images, 2) @ conv.weight.flatten(1).detach().double().numpy().T, expected, atol=1e-3)


def test_shapes_are_checked(checkpoint):
    state = {name: tensor.double().numpy() for name, tensor in checkpoint.model.state_dict().items()}
    mean, std = np.zeros(3), np.ones(3)
    with pytest.raises(ValueError, match=r'switch.softmax: expected shape \(2, 2, 16\)'):
        fold(state, 2, 8, 2, mean, std, np.ones((2, 2, 9)))
    with pytest.raises(ValueError, match='switch.gelu: expected zeros and ones'):
        fold(state, 2, 8, 2, mean, std, None, np.full((2, 16), 0.5))
    with pytest.raises(ValueError, match='pos_embed: expected shape'):
        fold(state, 2, 16, 2, mean, std)
