"""Images that no photograph looks like come back into range: in training by their penalty, afterwards by `limit_ranges`, and photographs keep their logits."""
import copy

import torch

from privit.augment import normalise
from privit.batches import AugmentOptions, LabelledImages
from privit.commands.arguments import PRESETS
from privit.engine import Trainer, TrainOptions
from privit.limit_ranges import limit_ranges
from privit.ood import MEAN_SQUARE_LIMIT, excess, mean_squares, ood_images
from privit.ranges import RangePenalty
from privit.switches import Switches
from vit.data import synthetic_splits
from vit.model import VisionTransformer

CONFIG, IMAGES = PRESETS['synthetic'], synthetic_splits().train
OOD = ood_images(CONFIG.img_size, IMAGES.info)
SWITCHES = torch.zeros(CONFIG.depth, CONFIG.num_heads, CONFIG.num_tokens), torch.zeros(CONFIG.depth, CONFIG.num_tokens)


def striped(strength: float) -> VisionTransformer:
    """With a filter that answers to one-pixel stripes most of all."""
    torch.manual_seed(3)
    model = VisionTransformer(CONFIG)
    with torch.no_grad():
        model.patch_embed.proj.weight[: CONFIG.embed_dim // 2] += strength * torch.tensor([-1.0, 1.0]).repeat(CONFIG.patch_size // 2)
    return model


def largest(model: VisionTransformer) -> float:
    with torch.no_grad():
        return float(mean_squares(model, SWITCHES, OOD).max())


def test_stripes_come_into_range_and_nothing_else_changes():
    model = striped(0.5)
    sample = normalise(IMAGES.images[:64], IMAGES.info)
    with torch.no_grad():
        said = model(sample, SWITCHES)
    limited, left = copy.deepcopy(model), copy.deepcopy(model)
    limit_ranges(limited, SWITCHES, IMAGES, OOD, 150, largest(model) / 2, batch_size=16)  # steps are small: it goes part of the way
    limit_ranges(left, SWITCHES, IMAGES, OOD, 5, largest(model) * 2, batch_size=16)
    assert largest(limited) < 0.96 * largest(model)
    assert abs(largest(left) / largest(model) - 1) < 1e-3
    with torch.no_grad():
        assert (limited(sample, SWITCHES) - said).square().mean().sqrt() < 0.1 * said.std()


def trained(model: VisionTransformer, ood_weight: float, **more: float) -> VisionTransformer:
    """30 steps later."""
    switches = Switches(CONFIG)
    switches.set(*SWITCHES)
    switches.requires_grad_(False)
    source = LabelledImages(IMAGES, CONFIG.img_size, AugmentOptions())
    options = TrainOptions(batch_size=8, learning_rate=5e-3, ood_weight=ood_weight, **more)
    trainer = Trainer(copy.deepcopy(model), source, options, switches=switches, ood=OOD if ood_weight else None)
    for _ in range(30):
        trainer.train_step()
    return trainer.student


def test_training_with_their_penalty_brings_them_down():
    model = striped(0.8)
    assert largest(model) > 2 * MEAN_SQUARE_LIMIT
    without, with_penalty = largest(trained(model, 0.0)), largest(trained(model, 1.0))
    assert with_penalty < 0.95 * without


def test_what_else_they_reach_counts_too():
    """Scores, square units and the stream itself, as a range penalty sees them: a step along its gradient brings them nearer."""
    model, totals = striped(0.8), []
    for _ in range(2):
        penalty = RangePenalty(1)
        excess(model, SWITCHES, OOD, observe=penalty)
        totals.append(torch.as_tensor(penalty.total))
        assert totals[-1] > 0
        model.zero_grad()
        torch.log1p(1e-3 * totals[-1]).backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= 1.0 * p.grad
    assert float(totals[1].detach()) < 0.99 * float(totals[0].detach())
