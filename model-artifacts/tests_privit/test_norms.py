import copy

import pytest
import torch

from privit.distill import distillation_loss
from privit.evaluate import logits_of
from privit.norms import GatedNorm, effects, fix_norms, mean_scales
from vit.checkpoint import load_checkpoint, save_checkpoint
from vit.data import IMAGE_SETS, ImageSet
from vit.model import FixedNorm, VisionTransformer, ViTConfig

CONFIG = ViTConfig(img_size=8, patch_size=2, embed_dim=16, depth=2, num_heads=2, num_classes=4)
NAMES = ['blocks.0.norm2', 'blocks.1.norm1']


@pytest.fixture(scope='module')
def trial():
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    switches = (torch.ones(2, 2, 16), torch.ones(2, 16))
    images = ImageSet(IMAGE_SETS['cifar10'], torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8), torch.randint(4, (64,)))
    return model, switches, images


def test_with_an_open_gate_it_is_the_norm(trial):
    norm, x = trial[0].blocks[0].norm1, torch.randn(3, 5, 16)
    torch.testing.assert_close(GatedNorm(norm, 2.0)(x), norm(x))
    half = GatedNorm(norm, 2.0, gate=0.5)(x) + GatedNorm(norm, 2.0, gate=0.5)(x)
    torch.testing.assert_close(half, norm(x) + GatedNorm(norm, 2.0, gate=0.0)(x))


def test_a_fixed_norm_is_linear():
    norm, x, y = FixedNorm(16), torch.randn(5, 16), torch.randn(5, 16)
    torch.testing.assert_close(norm(2 * x - y), 2 * norm(x) - norm(y))
    assert not torch.allclose(torch.nn.LayerNorm(16)(2 * x), 2 * torch.nn.LayerNorm(16)(x))


def test_effects_are_of_one_norm_alone_and_leave_the_network_as_it_was(trial):
    model, switches, images = trial
    before = copy.deepcopy(model)
    moved = effects(model, switches, images)
    assert list(moved) == CONFIG.norms and all(x > 0 for x in moved.values())
    torch.testing.assert_close(logits_of(model, switches, images), logits_of(before, switches, images))
    fixed = fix_norms(model, switches, images, ['blocks.0.norm1'], steps=0)
    assert moved['blocks.0.norm1'] == pytest.approx(float(distillation_loss(logits_of(fixed, switches, images), logits_of(model, switches, images))), rel=1e-3)


def test_fixed_norms_travel_in_a_checkpoint(trial, tmp_path):
    model, switches, images = trial
    fixed = fix_norms(model, switches, images, NAMES, steps=2, batch_size=8)
    assert fixed.config.fixed_norms == tuple(NAMES) and isinstance(fixed.blocks[0].norm2, FixedNorm)
    save_checkpoint(tmp_path / 'fixed.safetensors', fixed.state_dict(), switches, fixed.config.to_dict())
    again, _, _ = load_checkpoint(tmp_path / 'fixed.safetensors')
    assert again.config == fixed.config
    torch.testing.assert_close(logits_of(again, switches, images), logits_of(fixed, switches, images))


def test_training_brings_the_network_back(trial):
    model, switches, images = trial
    wanted = logits_of(model, switches, images)
    apart = [
        float(distillation_loss(logits_of(fix_norms(model, switches, images, NAMES, steps, rate=3e-3, batch_size=32), switches, images), wanted))
        for steps in (0, 60)
    ]
    assert apart[1] < apart[0] / 2


def test_mean_scales_are_those_of_the_data(trial):
    model, switches, images = trial
    seen = []
    hook = model.blocks[1].norm2.register_forward_hook(lambda norm, inputs, _: seen.append((inputs[0].var(-1, unbiased=False) + norm.eps).rsqrt().mean()))
    scales = mean_scales(model, switches, images)
    hook.remove()
    assert scales['blocks.1.norm2'] == pytest.approx(float(seen[0]))


def test_unknown_names_are_refused(trial):
    model, switches, images = trial
    with pytest.raises(ValueError, match='blocks.9.norm1'):
        fix_norms(model, switches, images, ['blocks.9.norm1'], steps=0)
    with pytest.raises(ValueError, match='fixed_norms'):
        ViTConfig(depth=2, fixed_norms=('blocks.2.norm1',))
