"""A cheap student in closed form: it is near its teacher, and nearer the less it leaves out."""
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from privit.batches import AugmentOptions, LabelledImages
from privit.condense import condense
from privit.engine import Trainer, TrainOptions
from privit.hidden import Streams, hidden_loss
from privit.pretrained import middle_positions, resized
from privit.switches import Switches
from vit.data import load_splits
from vit.model import VisionTransformer, ViTConfig, computed

CLASS = ViTConfig(img_size=8, patch_size=2, embed_dim=16, depth=4, num_heads=2, num_classes=4, prefix_tokens=1, pool='class')


@pytest.fixture
def teacher() -> VisionTransformer:
    torch.manual_seed(4)
    model = VisionTransformer(CLASS)
    for p in model.parameters():
        p.data += 0.15 * torch.randn_like(p)
    return model.eval().requires_grad_(False)


def switches_of(model: VisionTransformer):
    softmax, gelu = computed(model.config)
    return softmax, torch.zeros_like(gelu)


def off_by(student: VisionTransformer, teacher: VisionTransformer, images: torch.Tensor) -> float:
    """Of what the classifiers read, as a part of the teacher's variance."""
    read = [m.pooled(m.features(images, s)) for m, s in ((student, switches_of(student)), (teacher, None))]
    return float(hidden_loss([], [], *read, CLASS, False))


@torch.no_grad()
def test_the_more_it_keeps_the_nearer_it_is(teacher):
    generator = torch.Generator().manual_seed(1)
    images, others = torch.randn(400, 3, 8, 8, generator=generator), torch.randn(100, 3, 8, 8, generator=generator)
    whole, units, fewer = (off_by(condense(teacher, b, u, images, range(len(b))), teacher, others) for b, u in (([0, 1, 2, 3], 24), ([0, 1, 2, 3], 2), ([0, 3], 24)))
    assert whole < units < 0.8 and whole < fewer < 0.8
    unfitted = VisionTransformer(replace(CLASS, depth=2)).eval()
    unfitted.load_state_dict({k: v for k, v in teacher.state_dict().items() if not k.startswith(('blocks.2', 'blocks.3'))})
    read = unfitted.pooled(unfitted.features(others)), teacher.pooled(teacher.features(others))
    assert fewer < 0.6 * float(hidden_loss([], [], *read, CLASS, False))


@torch.no_grad()
def test_a_block_without_nonlinear_mlp_is_reproduced_exactly(teacher):
    """What the teacher does is then among what the student can do: its fit finds it, up to the ridge."""
    for block in teacher.blocks:
        block.mlp.activation = lambda x: x
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(400, 3, 8, 8, generator=generator)
    student = condense(teacher, range(4), 1, images, range(4))
    streams = [Streams(), Streams()]
    student.features(images, switches_of(student), streams[0]), teacher.features(images, None, streams[1])
    # Only the norm before the MLP stays an approximation: that of each token's scale by their mean.
    error = (streams[0].after[0] - streams[1].after[0]).std() / streams[1].after[0].std()
    assert error < 0.15


def test_exact_norms_stay_and_the_others_do_not(teacher):
    student = condense(teacher, [0, 2, 3], 8, torch.randn(64, 3, 8, 8), [1])
    assert student.config.fixed_norms == ('blocks.0.norm1', 'blocks.0.norm2', 'blocks.1.norm2', 'blocks.2.norm1', 'blocks.2.norm2')
    assert (student.config.depth, student.config.square_units, student.config.pool) == (3, 8, 'class')


@torch.no_grad()
def test_with_gelu_and_norms_everywhere_it_is_the_teacher(teacher):
    """Then nothing is left out, and what is fitted finds nothing to mend."""
    generator = torch.Generator().manual_seed(1)
    images, others = torch.randn(400, 3, 8, 8, generator=generator), torch.randn(100, 3, 8, 8, generator=generator)
    every = range(4)
    student = condense(teacher, every, 3, images, every, exact_gelu=every)
    assert student.config.fixed_norms == () and student.config.mlp_ratio == CLASS.mlp_ratio
    torch.testing.assert_close(student(others, computed(student.config)), teacher(others), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_gelu_in_a_block_brings_it_nearer(teacher):
    generator = torch.Generator().manual_seed(1)
    images, others = torch.randn(400, 3, 8, 8, generator=generator), torch.randn(100, 3, 8, 8, generator=generator)

    def error(exact_gelu: list[int]) -> float:
        student = condense(teacher, [0, 1, 3], 4, images, range(3), exact_gelu=exact_gelu)
        softmax, gelu = computed(student.config)
        kept = gelu * torch.tensor([block in exact_gelu for block in range(3)])[:, None]
        read = student.pooled(student.features(others, (softmax, kept))), teacher.pooled(teacher.features(others))
        return float(hidden_loss([], [], *read, CLASS, False))

    none, first, two = error([]), error([0]), error([0, 1])
    assert two < first < none


def test_what_cannot_be_is_refused(teacher):
    images = torch.randn(4, 3, 8, 8)
    for blocks in ([], [1, 0], [0, 4], [0, 0]):
        with pytest.raises(ValueError, match=r'blocks: expected ascending ones of 0..3'):
            condense(teacher, blocks, 4, images, [])
    with pytest.raises(ValueError, match='square_units: expected at least 1'):
        condense(teacher, [0], 0, images, [])
    with pytest.raises(ValueError, match='square_units: expected at most 32'):
        condense(teacher, [0], 33, images, [])
    with pytest.raises(ValueError, match='exact_norms: expected blocks of the student'):
        condense(teacher, [0], 4, images, [1])
    with pytest.raises(ValueError, match='exact_gelu: expected blocks of the student'):
        condense(teacher, [0], 4, images, [], exact_gelu=[1])
    with pytest.raises(ValueError, match='teacher: expected a plain ViT'):
        condense(VisionTransformer(replace(CLASS, square_units=3)), [0], 4, images, [])


def test_training_goes_on_from_it(teacher):
    splits = load_splits('synthetic', Path('.'))
    images = torch.randn(200, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    student = condense(teacher, [0, 2], 8, images, [0])
    options = TrainOptions(batch_size=16, learning_rate=3e-3, label_weight=0, distill_weight=0, hidden_weight=1, hidden_blocks='0,2', range_weight=0)
    switches = Switches(student.config)
    switches.set(*switches_of(student))
    trainer = Trainer(student, LabelledImages(splits.train, 8, AugmentOptions()), options, teacher, switches)
    losses = [trainer.train_step() for _ in range(40)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_middle_of_a_grid_of_positions_stays_as_it_is():
    positions = torch.arange(81.0).view(1, 81, 1).expand(1, 81, 2)
    assert middle_positions(positions, 7)[0, :, 0].view(7, 7)[0].tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert torch.equal(middle_positions(positions, 9), positions)
    with pytest.raises(ValueError, match='expected at most 9 tokens a side'):
        middle_positions(positions, 10)
    model = VisionTransformer(ViTConfig(img_size=16, patch_size=4, embed_dim=8, depth=1, num_heads=2, num_classes=3))
    assert torch.equal(resized(model, 8, middle=True).pos_embed, middle_positions(model.pos_embed.detach(), 2))
