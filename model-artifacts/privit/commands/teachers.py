"""`python -m privit cnn|views`: convolutional networks that teach, and what they say of crops; and how a training listens to them."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vit.data import IMAGENETTE_IMAGENET_INDICES, ImageSetInfo, Splits
from vit.imports import import_checkpoint
from vit.model import VisionTransformer, ViTConfig

from ..batches import AugmentOptions, BatchSource, LabelledImages, TaughtViews
from ..cnn import ImageNetCnn
from ..engine import RunLog, TrainOptions
from ..features import FeatureRegressors
from ..finetune import finetune_cnn
from ..live import TaughtLive
from ..options import read_options
from ..pretrained import TeachingViT
from ..resnet import CifarResNet
from ..teaching import TeachingCnn, TeachingEnsemble
from ..views import load_views, make_views
from .arguments import Commands, add_facts, common, given_facts, model_config, splits_of

RESNETS = {f'resnet{6 * blocks + 2}': partial(CifarResNet, blocks) for blocks in (3, 5, 7, 9)}
CNNS: dict[str, Callable[[], TeachingCnn]] = {'efficientnet-lite0': ImageNetCnn, **RESNETS}
CNN_SIZES = {('efficientnet-lite0', 'cifar10'): 96, ('efficientnet-lite0', 'imagenette'): 160, **{(name, 'cifar10'): 32 for name in RESNETS}}
"""Pixels a side of what a CNN sees of an image set."""


def add_teaching(parser: argparse.ArgumentParser) -> None:
    """How a CNN teaches a ViT: beforehand, or live."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument('--views', type=Path, default=None, help='train on the crops in this folder (command views)')
    ways.add_argument('--live', action='store_true', help='show every training image to the CNN, blended as the student sees it')
    add_cnn(parser, several=True)


def add_cnn(parser: argparse.ArgumentParser, several: bool = False) -> None:
    what = "fine-tuned CNN, or any ViT that knows the set's classes"
    help = f'{what}{", or several that teach together" if several else ""}; default: ImageNet\'s EfficientNet, which knows those of imagenette'
    parser.add_argument('--cnn', type=Path, nargs='+' if several else 1, default=None, help=help)
    add_facts(parser)


def batch_source(
    arguments: argparse.Namespace, splits: Splits, config: ViTConfig, start: Path | None, exact: VisionTransformer | None = None
) -> tuple[BatchSource, FeatureRegressors | None]:
    """Training batches, and where a CNN teaches the regressors of its features: those beside checkpoint `start`, if there are any.
    exact: teaches beside a CNN that teaches live."""
    options = read_options(arguments, AugmentOptions)
    if arguments.cnn is not None and not arguments.live:
        raise ValueError('--cnn: expected with --live; views have been made with a CNN already')
    if options.warp_probability and not arguments.live:
        raise ValueError('--warp-probability: expected with --live, whose CNN sees the warped image')
    if arguments.live:
        cnn, size = teaching_cnn(arguments, splits.train.info)
        source: BatchSource = TaughtLive(splits.train, cnn, size, config.img_size, config.img_size // config.patch_size, options, exact)
        channels = cnn.token_channels, cnn.pooled_channels
    elif arguments.views is not None:
        views = load_views(arguments.views, splits.train)
        source = TaughtViews(splits.train, views, config.patch_size, options)
        channels = views.tokens.shape[-1], views.pooled.shape[-1]
    else:
        if arguments.feature_weight != TrainOptions.feature_weight:
            raise ValueError('--feature-weight: expected with --views or --live, whose CNN has features')
        return LabelledImages(splits.train, config.img_size, options), None
    regressors = FeatureRegressors(config.embed_dim, *channels)
    trained = start.parent / 'regressors.safetensors' if start else None
    if trained is not None and trained.exists():
        weights = load_file(trained)
        if all(weights[key].shape == value.shape for key, value in regressors.state_dict().items()):  # of the same CNN
            regressors.load_state_dict(weights)
    return source, regressors


def cnn_size(architecture: str, dataset: str) -> int:
    if (architecture, dataset) not in CNN_SIZES:
        raise ValueError(f'{architecture} does not teach {dataset}: expected one of {[f"{a} on {d}" for a, d in CNN_SIZES]}')
    return CNN_SIZES[architecture, dataset]


def run_cnn(arguments: argparse.Namespace) -> None:
    splits = splits_of(arguments)
    size = cnn_size(arguments.architecture, arguments.dataset)
    cnn = CNNS[arguments.architecture]()
    if arguments.start:
        if not isinstance(cnn, CifarResNet):
            raise ValueError('--start: expected the --architecture of a ResNet; EfficientNet starts from its package')
        cnn.load(arguments.start)
    finetune_cnn(
        cnn, splits.train, splits.validation, RunLog(arguments.run_dir), arguments.steps, model_config(arguments).img_size, size,
        arguments.min_area, arguments.batch_size, arguments.learning_rate,
    )  # fmt: skip
    weights = {k: v.contiguous() for k, v in cnn.net.state_dict().items()}  # channels last, which safetensors does not keep
    save_file(weights, arguments.out or arguments.run_dir / 'cnn.safetensors', metadata={'architecture': arguments.architecture})


def teacher_at(path: Path, arguments: argparse.Namespace, info: ImageSetInfo) -> tuple[TeachingCnn, int]:
    """(a network of the command cnn, or a ViT of any library; pixels a side of what it sees)."""
    if path.is_file() and path.suffix == '.safetensors':
        with safe_open(path, 'pt') as file:
            if (file.metadata() or {}).get('architecture') in CNNS:
                return finetuned_cnn(path, arguments.dataset)
    vit = TeachingViT(import_checkpoint(path, given_facts(arguments)), info)
    return vit, vit.img_size


def teaching_cnn(arguments: argparse.Namespace, info: ImageSetInfo) -> tuple[TeachingCnn | TeachingEnsemble, int]:
    """(the networks of the command cnn in `--cnn`, or the ImageNet one for imagenette; pixels a side of what they see)."""
    if arguments.cnn is None:
        if arguments.dataset != 'imagenette':
            raise ValueError(f'{arguments.dataset}: its classes are not ImageNet classes: expected --cnn, a network of the command cnn')
        return ImageNetCnn(IMAGENETTE_IMAGENET_INDICES), cnn_size('efficientnet-lite0', arguments.dataset)
    cnns, sizes = zip(*(teacher_at(path, arguments, info) for path in arguments.cnn))
    if len(set(sizes)) > 1:
        raise ValueError(f'--cnn: expected networks that see images of one size, got {sizes} pixels a side')
    return (cnns[0] if len(cnns) == 1 else TeachingEnsemble(cnns)), sizes[0]


def finetuned_cnn(path: Path, dataset: str) -> tuple[TeachingCnn, int]:
    """(a network of the command cnn, pixels a side of what it sees)."""
    with safe_open(path, 'pt') as file:
        architecture = (file.metadata() or {}).get('architecture')
    if architecture not in CNNS:
        raise ValueError(f'{path}: expected a network of the command cnn, got architecture {architecture!r}')
    size = cnn_size(architecture, dataset)
    cnn = CNNS[architecture]()
    cnn.net.load_state_dict(load_file(path))
    return cnn, size


def run_views(arguments: argparse.Namespace) -> None:
    splits = splits_of(arguments)
    if bool(arguments.size) != bool(arguments.patch_size):
        raise ValueError('--size and --patch-size: expected both or neither')
    config = None if arguments.size else model_config(arguments)
    img_size, patch_size = (config.img_size, config.patch_size) if config else (arguments.size, arguments.patch_size)
    cnn, size = teaching_cnn(arguments, splits.train.info)
    make_views(splits.train, cnn, arguments.run_dir, arguments.count, img_size, img_size // patch_size, size, arguments.min_area)


def register(commands: Commands) -> None:
    p = commands.add_parser('cnn', help="fine-tune the ImageNet CNN on another image set's classes, for views --cnn")
    common(p)
    p.add_argument('--architecture', choices=list(CNNS), default='efficientnet-lite0', help='the ResNets are for images of 32 pixels')
    p.add_argument('--start', type=Path, default=None, help="ResNets: a trained network's state dict (.th) to start from")
    p.add_argument('--steps', type=int, default=1500, help='default 1500')
    p.add_argument('--batch-size', type=int, default=64)
    p.add_argument('--learning-rate', type=float, default=1e-3, help='of all layers but the last, which learns four times as fast')
    p.add_argument('--min-area', type=float, default=0.5, help='smallest part in a crop of images stored larger than the model\'s; default 0.5')
    p.set_defaults(run_command=run_cnn)

    p = commands.add_parser('views', help="crops of the training images with a CNN's opinion of each, for --views")
    common(p)
    add_cnn(p)
    p.add_argument('--size', type=int, default=None, help="pixels a side that the student sees; default: the image set's own network's")
    p.add_argument('--patch-size', type=int, default=None, help="pixels a side of the student's patches")
    p.add_argument('--count', type=int, default=6, help='crops of every training image')
    p.add_argument('--min-area', type=float, default=0.3, help='smallest part in a crop of images stored larger than the model\'s; default 0.3')
    p.set_defaults(run_command=run_views)
