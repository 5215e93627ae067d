"""Images that no photograph looks like come back into range, and photographs keep their logits."""
import copy

import torch

from exporter.calibrate import odd_images
from privit.augment import normalise
from privit.cli import PRESETS
from privit.data import synthetic_splits
from privit.tame import mean_squares, tame
from privit.vit import VisionTransformer


def test_stripes_are_tamed_and_nothing_else_changes():
    torch.manual_seed(3)
    config, images = PRESETS['synthetic'], synthetic_splits().train
    model = VisionTransformer(config)
    odd = torch.from_numpy(odd_images(config.img_size)).permute(0, 3, 1, 2)
    stripes = torch.tensor([-1.0, 1.0]).repeat(config.patch_size // 2)
    with torch.no_grad():  # a filter that answers to one-pixel stripes most of all
        model.patch_embed.proj.weight[: config.embed_dim // 2] += 0.5 * stripes
    switches = torch.zeros(config.depth, config.num_heads, config.num_tokens), torch.zeros(config.depth, config.num_tokens)

    def largest(m):
        with torch.no_grad():
            return float(mean_squares(m, switches, normalise(odd, images.info)).max())

    sample = normalise(images.images[:64], images.info)
    with torch.no_grad():
        said = model(sample, switches)
    tamed, left = copy.deepcopy(model), copy.deepcopy(model)
    tame(tamed, switches, images, odd, 150, largest(model) / 2, batch_size=16)  # steps are small: it goes part of the way
    tame(left, switches, images, odd, 5, largest(model) * 2, batch_size=16)
    assert largest(tamed) < 0.96 * largest(model)
    assert abs(largest(left) / largest(model) - 1) < 1e-3
    with torch.no_grad():
        assert (tamed(sample, switches) - said).square().mean().sqrt() < 0.1 * said.std()
