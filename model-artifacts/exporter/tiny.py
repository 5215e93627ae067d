"""`python -m exporter.tiny --out DIR`: a small artifact with random weights and mixed switches, for tests in other languages.

16 wide, 2 blocks, 2 heads, 16 tokens, images of 8 pixels, constants of relative position in scores and weights, 6 square units. Block 0 keeps some softmax rows of each head and some GELU tokens; block 1
has a head that is all softmax, a head that is all squares, and no exact GELU at all.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from vit.model import VisionTransformer, ViTConfig

from .checkpoint import Checkpoint
from .export import write_artifact
from .folding import Array
from .images import Preprocessing
from .output import check_output, replacing
from .simulate import Simulation

LABELS = ['circle', 'square', 'stripe', 'cloud']
CONFIG = ViTConfig(img_size=8, patch_size=2, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2, num_classes=4, positional=True, square_units=6)


def tiny_checkpoint(seed: int = 7, config: ViTConfig = CONFIG) -> Checkpoint:
    """Random weights, large enough that every nonlinearity leaves its linear part."""
    generator = torch.Generator().manual_seed(seed)
    model = VisionTransformer(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'norm' in name and name.endswith('weight'):
                parameter.copy_(1 + 0.2 * noise)
            elif parameter.dim() > 1:
                parameter.copy_(noise * (0.5 if 'embed' in name else 0.8) / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.2 * noise)
    softmax = (torch.rand((config.depth, config.num_heads, config.num_tokens), generator=generator) < 0.4).float()
    gelu = (torch.rand((config.depth, config.num_tokens), generator=generator) < 0.3).float()
    softmax[1, 0], softmax[1, 1], gelu[1] = 1, 0, 0
    description = {
        'name': 'tiny', 'labels': LABELS, 'mean': [125.0, 123.0, 114.0], 'std': [63.0, 62.0, 66.0], 'dataset': 'seeded noise',
        'resize': {'shorter_side': 8, 'crop': 8, 'interpolation': 'bilinear'}, 'recipe': 'random weights, not trained',
    }  # fmt: skip
    return Checkpoint(model, (softmax, gelu), description)


def tiny_images(count: int, seed: int = 1) -> Array:
    """uint8 (count, 8, 8, 3): smooth random colours with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (count, 2, 2, 3)).repeat(4, 1).repeat(4, 2)
    return np.clip(coarse + rng.normal(0, 30, (count, 8, 8, 3)), 0, 255).astype(np.uint8)


def write_simulated(out: Path, images: Array) -> None:
    """simulated.json: pixels (height, width, RGB) and integer logits of the plan as simulate.py computes it."""
    simulation = Simulation.load(out)
    units = simulation.run(images) * 2.0**simulation.logit_frac_bits
    simulation.violations.raise_first()
    rows = [json.dumps({'pixels': image.ravel().tolist(), 'logits': [int(x) for x in logits]}) for image, logits in zip(images, units)]
    (out / 'simulated.json').write_text('[\n ' + ',\n '.join(rows) + '\n]\n')


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='exporter.tiny', description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, required=True)
    out = parser.parse_args(argv).out
    check_output(out)
    images = tiny_images(257)
    with replacing(out) as new:
        write_artifact(tiny_checkpoint(), images[1:], images[0], 'an image from a seeded generator', Preprocessing(8, 8), new)
        write_simulated(new, tiny_images(12, seed=11))


if __name__ == '__main__':
    main()
