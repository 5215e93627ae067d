"""What several commands share: the image set, the architecture for it, the folder of a run."""
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from vit.data import Splits, load_splits
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
    parser.add_argument('--dataset', default='cifar10', choices=['cifar10', 'imagenette', 'synthetic'])
    parser.add_argument('--data-dir', type=Path, default=Path('../../shared/data'), help="folder of the image sets' zips")
    parser.add_argument('--cache-dir', type=Path, default=None, help="decoded images; default: the user's cache directory")
    parser.add_argument('--validation-images', type=int, default=None, help="training images to hold out; default: the image set's own number")
    if runs:
        parser.add_argument('--run-dir', type=Path, required=True, help="the run's folder; an interrupted run in it is resumed")
        parser.add_argument('--out', type=Path, default=None, help='checkpoint to write; default: checkpoint.safetensors in the run folder')


def model_config(arguments: argparse.Namespace) -> ViTConfig:
    return replace(PRESETS[arguments.dataset], positional=getattr(arguments, 'positional', False))


def step_images(train: TrainOptions) -> int:
    """Images of one step on all processes together."""
    return train.batch_size * start_process()[1]


def splits_of(arguments: argparse.Namespace) -> Splits:
    return load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
