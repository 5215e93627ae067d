"""Switch algebra, and budgets."""
import pytest
import torch

from privit.baselines import baseline_switches
from privit.switches import Switches, keep_largest


def reference_forward(model, images, softmax, gelu):
    """Row by row and token by token, from the definition: a kept row is softmax, another x^2 / n; a kept token GELU, another itself."""
    c = model.config
    d = c.embed_dim // c.num_heads
    x = model.patch_embed(images) + model.pos_embed
    for i, block in enumerate(model.blocks):
        q, k, v = block.attn.qkv(block.norm1(x)).split(c.embed_dim, dim=-1)
        mixed = torch.zeros_like(x)
        for head in range(c.num_heads):
            part = slice(head * d, (head + 1) * d)
            for row in range(c.num_tokens):
                scores = torch.einsum('bd,bnd->bn', q[:, row, part], k[:, :, part]) / d**0.5
                weights = scores.softmax(-1) if softmax[i, head, row] else scores**2 / c.num_tokens
                mixed[:, row, part] = torch.einsum('bn,bnd->bd', weights, v[:, :, part])
        x = x + block.attn.proj(mixed)
        hidden = block.mlp.fc1(block.norm2(x))
        activated = torch.stack(
            [torch.nn.functional.gelu(hidden[:, t]) if gelu[i, t] else hidden[:, t] for t in range(c.num_tokens)], dim=1
        )
        x = x + block.mlp.fc2(activated)
    return model.head(model.fc_norm(x.mean(1)))


def test_all_on_equals_the_exact_network_exactly(tiny_model, tiny_images):
    switches = Switches(tiny_model.config)
    assert torch.equal(tiny_model(tiny_images, switches.tensors()), tiny_model(tiny_images))


def test_all_off_equals_the_polynomial_network(tiny_model, tiny_images):
    off = baseline_switches('polynomial', tiny_model.config, 0, 0)
    torch.testing.assert_close(tiny_model(tiny_images, off), reference_forward(tiny_model, tiny_images, *off), atol=1e-5, rtol=1e-4)


def test_a_mixture_equals_the_definition_row_by_row(tiny_model, tiny_images):
    mixture = baseline_switches('random', tiny_model.config, 7, 3, seed=5)
    torch.testing.assert_close(tiny_model(tiny_images, mixture), reference_forward(tiny_model, tiny_images, *mixture), atol=1e-5, rtol=1e-4)


def test_frozen_switches_take_the_short_way_to_the_same_gradients(tiny_model, tiny_images):
    """Binary switches skip exp and fold the MLP; the weights' gradients must not change."""
    frozen = baseline_switches('random', tiny_model.config, 7, 2, seed=5)
    learning = tuple(s.clone().requires_grad_() for s in frozen)
    gradients = []
    for switches in (frozen, learning):
        tiny_model.zero_grad()
        tiny_model(tiny_images, switches).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in tiny_model.named_parameters()})
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], atol=1e-5, rtol=1e-3)


def test_half_a_switch_is_the_mean_of_both_functions(tiny_model):
    attention, x = tiny_model.blocks[0].attn, torch.randn(2, 4, 16)
    tiny_model.blocks[0].mlp.fc1.bias.data.normal_()

    def with_switch(value):
        return attention(x, torch.full((2, 4), value), 'a', None)

    torch.testing.assert_close(with_switch(0.5), (with_switch(0.0) + with_switch(1.0)) / 2)
    mlp = tiny_model.blocks[0].mlp
    mean = (mlp(x, torch.zeros(4), 'm', None) + mlp(x, torch.ones(4), 'm', None)) / 2
    torch.testing.assert_close(mlp(x, torch.full((4,), 0.5), 'm', None), mean)


def test_gradients_reach_every_switch(tiny_model, tiny_images):
    switches = Switches(tiny_model.config)
    tiny_model(tiny_images, switches.tensors()).square().sum().backward()
    assert torch.all(switches.softmax.grad != 0)
    assert torch.all(switches.gelu.grad != 0)


@pytest.mark.parametrize('budget', [0, 1, 5, 16])
def test_budgets_are_met_exactly_even_if_all_switches_are_equal(tiny_config, budget):
    switches = Switches(tiny_config)
    switches.softmax.data.fill_(0.0)
    switches.binarise_softmax(budget)
    assert switches.counts()[0] == budget
    assert not switches.softmax.requires_grad
    assert switches.gelu.requires_grad
    with pytest.raises(ValueError, match='expected 0..16'):
        switches.binarise_softmax(17)


def test_the_largest_switches_stay_and_survival_breaks_ties():
    values = torch.tensor([0.2, 0.0, 0.9, 0.0])
    assert keep_largest(values, torch.zeros(4), 2).tolist() == [1, 0, 1, 0]
    assert keep_largest(values, torch.tensor([9.0, 1, 0, 3]), 3).tolist() == [1, 0, 1, 1]


def test_projection_clamps_and_counts_survivors(tiny_config):
    switches = Switches(tiny_config)
    switches.gelu.data[0, 0], switches.gelu.data[0, 1] = -0.5, 1.5
    switches.project()
    assert switches.gelu.data[0, :2].tolist() == [0, 1]
    assert switches.gelu_steps_on[0, :2].tolist() == [0, 1]


@pytest.mark.parametrize('name, counts', [('random', (7, 3)), ('heads', (4, 0)), ('polynomial', (0, 0)), ('teacher', (16, 8))])
def test_baselines_stay_within_budget(tiny_config, name, counts):
    softmax, gelu = baseline_switches(name, tiny_config, 7, 3)
    assert (int(softmax.sum()), int(gelu.sum())) == counts
    if name == 'heads':
        assert set(softmax.sum(dim=-1).flatten().tolist()) == {0, 4}


def test_of_whole_heads_and_layers_all_switches_move_together(tiny_config):
    switches = Switches(tiny_config, 'head')
    switches.softmax.data[0, 1, 2], switches.gelu.data[1, 0] = 0.2, 0.6
    switches.project()
    torch.testing.assert_close(switches.softmax[0, 1], torch.full((4,), 0.8))
    torch.testing.assert_close(switches.gelu[1], torch.full((4,), 0.9))
    switches.softmax.data[:, 0] = 0.5
    switches.binarise_softmax(11)  # two heads of four rows fit
    assert switches.softmax.sum(-1).tolist() == [[0, 4], [0, 4]]
    switches.binarise_gelu(3)
    assert switches.counts() == (8, 0)
    with pytest.raises(ValueError, match="'row'"):
        Switches(tiny_config, 'row')
