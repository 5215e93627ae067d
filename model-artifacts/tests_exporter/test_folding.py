import dataclasses

import numpy as np
import pytest
import torch

from exporter.folding import by_position, fold
from exporter.forward import forward, patches
from exporter.tiny import CONFIG


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
    everything = fold(state, CONFIG, np.array(d['mean']), np.array(d['std']))
    assert np.abs(forward(everything, images) - forward(checkpoint.fold(), images)).max() > 1e-3


def test_tables_are_by_offset_from_key_to_query():
    table = np.arange(25.0 * 2).reshape(25, 2)
    dense = by_position(table, 3)
    assert dense.shape == (2, 9, 9)
    for i, j in np.ndindex(9, 9):
        dy, dx = i // 3 - j // 3, i % 3 - j % 3
        np.testing.assert_array_equal(dense[:, i, j], table[(dy + 2) * 5 + dx + 2])


@pytest.mark.parametrize('table', ['rel_pos', 'rel_mix'])
def test_a_network_may_have_either_table_or_none(checkpoint, images, table):
    state = {name: tensor.double().numpy() for name, tensor in checkpoint.model.state_dict().items()}
    mean, std = np.array(checkpoint.description['mean']), np.array(checkpoint.description['std'])
    one = {name: tensor for name, tensor in state.items() if 'rel_' not in name or table in name}
    none = {name: tensor for name, tensor in state.items() if 'rel_' not in name}
    both, without = fold(state, CONFIG, mean, std), fold(none, CONFIG, mean, std)
    alone = fold(one, CONFIG, mean, std)
    assert (alone.blocks[1].score_bias is None, alone.blocks[1].static_mix is None) == (table != 'rel_pos', table != 'rel_mix')
    assert without.blocks[0].tables() == (('score_bias', None), ('static_mix', None))
    logits = [forward(model, images) for model in (both, alone, without)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3 and np.abs(logits[1] - logits[2]).max() > 1e-3
    zero = {name: np.zeros_like(tensor) if 'rel_' in name else tensor for name, tensor in state.items()}
    np.testing.assert_array_equal(forward(fold(zero, CONFIG, mean, std), images), logits[2])


def _after_norm_rows(state, block):
    return np.abs(state[f'blocks.{block}.squares.fc1.weight'] * state[f'blocks.{block}.norm1.weight'])


def test_square_units_are_scaled_to_the_weights_beside_them(checkpoint):
    state = {name: tensor.double().numpy() for name, tensor in checkpoint.model.state_dict().items()}
    state['blocks.1.squares.fc2.weight'][:, 2] = 1e-5 * np.arange(16)
    state['blocks.1.squares.fc2.weight'][:, 3] = 0
    block = fold(state, CONFIG, np.zeros(3), np.ones(3)).blocks[1]
    assert block.proj.weight.shape == (16, 22) and block.square_units.weight.shape == (6, 16)
    largest = np.abs(block.proj.weight).max(0)
    np.testing.assert_allclose(largest[[16, 17, 18, 20, 21]], largest.max())
    assert not block.square_units.weight[3].any() and not block.proj.weight[:, 19].any()  # a unit that adds nothing
    before = _after_norm_rows(state, 1)
    assert (np.abs(block.square_units.weight) <= before + 1e-12).all()  # units shrink or stay: the range that training keeps them in holds
    state['blocks.1.attn.proj.weight'] = state['blocks.1.attn.proj.weight'] * 1e-3
    weak = fold(state, CONFIG, np.zeros(3), np.ones(3)).blocks[1]
    assert (np.abs(weak.square_units.weight) <= before + 1e-12).all()
    del state['blocks.0.squares.fc1.bias']
    with pytest.raises(ValueError, match='as many square units in each'):
        fold(state, CONFIG, np.zeros(3), np.ones(3))


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
        fold(state, CONFIG, mean, std, np.ones((2, 2, 9)))
    with pytest.raises(ValueError, match='switch.gelu: expected zeros and ones'):
        fold(state, CONFIG, mean, std, None, np.full((2, 16), 0.5))
    with pytest.raises(ValueError, match='pos_embed: expected shape'):
        fold(state, dataclasses.replace(CONFIG, img_size=16), mean, std)
    table = 'blocks.1.attn.rel_mix.relative_position_bias_table'
    with pytest.raises(ValueError, match=rf'{table}: expected shape \(49, 2\), got \(2, 49\)'):
        fold({**state, table: state[table].T}, CONFIG, mean, std)
    del state[table]
    with pytest.raises(ValueError, match=f'{table}: .* got None'):
        fold(state, CONFIG, mean, std)
