"""What several commands share: the image set, the architecture for it, the folder of a run."""
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from vit.data import ImageSet, Splits, load_splits
from vit.imports import facts
from vit.model import ViTConfig

from ..distributed import start as start_process
from ..engine import TrainOptions

PRESETS = {
    'cifar10': ViTConfig(),
    'imagenette': ViTConfig(img_size=128, patch_size=16),
    'synthetic': ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4),
}
"""The architecture for each image set. Both real ones have 64 tokens and the same blocks, so the same secure cost."""

Commands: TypeAlias = 'argparse._SubParsersAction[argparse.ArgumentParser]'


def common(parser: argparse.ArgumentParser, runs: bool = True) -> None:
    parser.add_argument(
        '--dataset', default='cifar10', help='cifar10, imagenette, synthetic, or a folder or zip of images, train/CLASS/* and val/CLASS/*; default cifar10'
    )
    parser.add_argument('--data-dir', type=Path, default=Path('../../shared/data'), help="folder of the image sets' zips")
    parser.add_argument('--cache-dir', type=Path, default=None, help="decoded images; default: the user's cache directory")
    parser.add_argument('--validation-images', type=int, default=None, help="training images to hold out; default: the image set's own number")
    parser.add_argument('--stored-size', type=int, default=None, help="pixels a side in which a folder's images are kept; default: as most of them are, up to 256")
    parser.add_argument('--crop-ratio', type=float, default=None, help="part of an image's shorter side that is shown; default: the set's")
    if runs:
        parser.add_argument('--run-dir', type=Path, required=True, help="the run's folder; an interrupted run in it is resumed")
        parser.add_argument('--out', type=Path, default=None, help='checkpoint to write; default: checkpoint.safetensors in the run folder')


def add_facts(parser: argparse.ArgumentParser) -> None:
    """What an imported checkpoint may leave unsaid (vit/imports)."""
    group = parser.add_argument_group('imported checkpoints, where no config.json beside the file says it')
    group.add_argument('--heads', type=int, default=None, help=facts.NAMES['heads'])
    group.add_argument('--mean', type=float, nargs=3, default=None, help=facts.NAMES['mean'])
    group.add_argument('--std', type=float, nargs=3, default=None, help=facts.NAMES['std'])


def given_facts(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ('heads', 'mean', 'std')}


def model_config(arguments: argparse.Namespace) -> ViTConfig:
    """What is trained on an image set from nothing. Raises ValueError for sets of one's own, which are for pretrained networks."""
    if arguments.dataset not in PRESETS:
        raise ValueError(f'{arguments.dataset}: expected a checkpoint that describes its network; privit teacher --start makes one from any ViT')
    return replace(PRESETS[arguments.dataset], positional=getattr(arguments, 'positional', False))


def fallback_config(arguments: argparse.Namespace) -> ViTConfig | None:
    """For plain state dicts of this project's own networks, which do not describe themselves."""
    return model_config(arguments) if arguments.dataset in PRESETS else None


def step_images(train: TrainOptions) -> int:
    """Images of one step on all processes together."""
    return train.batch_size * start_process()[1]


def splits_of(arguments: argparse.Namespace, description: dict | None = None) -> Splits:
    """description: of a checkpoint that is shown as much of an image as it was made for, unless --crop-ratio says otherwise."""
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images, arguments.stored_size)
    ratio = arguments.crop_ratio
    if ratio is None and description and 'resize' in description:
        ratio = description['resize']['crop'] / description['resize']['shorter_side']
    if ratio is None:
        return splits
    if not 0 < ratio <= 1:
        raise ValueError(f'--crop-ratio: expected more than 0 and at most 1, got {ratio}')

    def seen(images: ImageSet) -> ImageSet:
        return replace(images, info=replace(images.info, crop_ratio=ratio))

    return Splits(seen(splits.train), seen(splits.validation), seen(splits.test))
