"""A student's start in closed form, and what its training is told of its teacher's residual stream."""
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from privit.batches import AugmentOptions, LabelledImages
from privit.engine import Trainer, TrainOptions
from privit.hidden import hidden_loss, teaching_blocks, within_range
from privit.student_start import approximate_attention, student_start
from privit.switches import Switches
from vit.card import model_card
from vit.checkpoint import load_checkpoint, save_checkpoint
from vit.data import load_splits
from vit.model import VisionTransformer, ViTConfig, attention_weights, computed, count_on

CLASS = ViTConfig(img_size=8, patch_size=2, embed_dim=16, depth=3, num_heads=2, num_classes=4, prefix_tokens=1, pool='class')
MEAN = replace(CLASS, prefix_tokens=0, pool='mean')


@pytest.fixture
def class_model() -> VisionTransformer:
    torch.manual_seed(4)
    model = VisionTransformer(CLASS)
    for p in model.parameters():
        p.data += 0.2 * torch.randn_like(p)
    return model.eval()


def test_only_the_class_token_is_computed_in_the_last_block(class_model):
    images = torch.randn(5, 3, 8, 8)
    softmax, gelu = (torch.rand_like(s).round() for s in computed(CLASS))
    everywhere = class_model.features(images, (softmax, gelu))
    pooled = class_model.features(images, (softmax, gelu), only_pooled=True)
    assert pooled.shape == (5, 1, 16)
    torch.testing.assert_close(pooled, everywhere[:, :1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(class_model(images), class_model.classify(class_model.features(images)), atol=1e-5, rtol=1e-5)


def test_switches_of_what_is_not_computed_are_never_on():
    assert (CLASS.num_softmax_rows, CLASS.num_gelu_tokens) == (2 * (2 * 17 + 1), 2 * 17 + 1) == count_on(computed(CLASS))[:2]
    switches = Switches(CLASS)
    switches.begin_at(0.5)
    assert switches.counts() == (CLASS.num_softmax_rows, CLASS.num_gelu_tokens)
    assert switches.softmax[-1, :, 1:].count_nonzero() == 0 and bool((switches.softmax[-1, :, 0] == 0.5).all())


def test_square_rows_of_the_start_are_nearer_to_softmax_than_the_teachers_own(class_model):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20, 2, 16, 16, generator=generator)
    off = torch.zeros(2, 16)
    student = VisionTransformer(replace(CLASS, prefix_tokens=0, pool='mean', positional=True))
    weights = scores.softmax(-1)
    attn = student.blocks[0].attn
    before = attn.qkv.weight.detach().clone()
    approximate_attention(student, 0, scores, weights, off)
    factor = (attn.qkv.weight / before).detach()[:16].unflatten(0, (2, 8)).mean((1, 2))  # of the queries, and of nothing else
    torch.testing.assert_close(attn.qkv.weight[16:], before[16:])
    found = attention_weights(factor[:, None, None] * scores + attn.rel_pos(), off) + attn.rel_mix()
    plain = attention_weights(scores, off)
    assert float((found - weights).square().mean()) < 0.2 * float((plain - weights).square().mean())


def test_a_start_is_nearer_to_its_teacher_than_its_teacher_taylorized(class_model):
    images, unseen = (torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(n)) for n in (600, 200))
    off = torch.zeros(3, 2, 16), torch.zeros(3, 16)
    wanted = class_model(unseen)
    start = student_start(class_model, off, images, square_units=8)
    assert (start.config.num_tokens, start.config.pool, start.config.square_units) == (16, 'mean', 8)
    plain = class_model(unseen, tuple(torch.zeros_like(s) for s in computed(CLASS)))
    assert float((start(unseen, off) - wanted).square().mean()) < 0.5 * float((plain - wanted).square().mean())


def test_equal_streams_lose_nothing_and_massive_activations_are_not_taught():
    torch.manual_seed(0)
    theirs = [torch.randn(4, 17, 16) for _ in range(3)]
    theirs[1][0, 3, 5] = 500
    ours = [within_range(t)[:, 1:] for t in theirs]
    pooled = torch.randn(4, 16)
    assert float(hidden_loss(ours, theirs, pooled, pooled, MEAN, True)) == 0
    ours[2] = ours[2] + 1
    assert float(hidden_loss(ours, theirs, pooled, pooled, MEAN, True)) > 0.1
    assert float(hidden_loss(ours, theirs, pooled, pooled, MEAN, False)) == 0  # the last block's are not asked for


def test_training_brings_the_streams_together(class_model):
    splits = load_splits('synthetic', Path('.'))
    student = VisionTransformer(replace(CLASS, prefix_tokens=0, pool='mean', positional=True))
    options = TrainOptions(batch_size=16, learning_rate=1e-2, label_weight=0, distill_weight=0, hidden_weight=1, range_weight=0)
    trainer = Trainer(student, LabelledImages(splits.train, 8, AugmentOptions()), options, class_model.requires_grad_(False), Switches(student.config))
    losses = [trainer.train_step() for _ in range(40)]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_a_teacher_of_another_shape_is_refused():
    with pytest.raises(ValueError, match='hidden_weight: expected a teacher with the embed_dim of the student, 32, got 16'):
        teaching_blocks(replace(CLASS, embed_dim=32), CLASS, '')
    for kept in ('', '0', '1,0', '1,3', '0,1,2'):
        with pytest.raises(ValueError, match=r'hidden_blocks: expected 2 ascending ones of 0..2'):
            teaching_blocks(replace(CLASS, depth=2), CLASS, kept)


def test_a_block_that_stands_for_several_learns_what_leaves_the_last_of_them():
    assert teaching_blocks(replace(CLASS, depth=2), CLASS, '0,1') == [0, 2]
    assert teaching_blocks(replace(CLASS, depth=2), CLASS, '0,2') == [1, 2]
    assert teaching_blocks(CLASS, CLASS, '') == [0, 1, 2]


def test_a_file_that_keeps_what_is_not_computed_counts_what_is(class_model, tmp_path):
    """Files from before had ones everywhere, and 109 % of the GELU tokens were exact."""
    path = tmp_path / 'exact.safetensors'
    everywhere = tuple(torch.ones_like(s) for s in computed(CLASS))
    said = CLASS.to_dict() | {
        'name': 'exact', 'dataset': 'Imagenette', 'labels': ['a', 'b', 'c', 'd'], 'recipe': '9 steps, from vit_tiny_patch16_224.safetensors',
        'resize': {'shorter_side': 8, 'interpolation': 'bilinear'}, 'validation_accuracy': 0.5,
    }  # fmt: skip
    save_checkpoint(path, class_model.state_dict(), everywhere, said)
    assert count_on(load_checkpoint(path)[1]) == (70, 35)
    card = model_card(path, [], '', 'shipped')
    assert card.startswith('# shipped\n') and '| GELU tokens kept exact | 35 of 35 (100.0 %) |' in card
    assert 'with every softmax and GELU exact' in card and 'Taylorized' not in card and 'EfficientNet' not in card  # nor was it taught by a CNN
