"""`python -m privit teacher|search|export|frontier`: most options are fields of an options class."""
from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from .average import average_checkpoints
from .baselines import BASELINES, baseline_switches
from .batches import AugmentOptions, BatchSource, LabelledImages, TaughtViews
from .card import model_card
from .checkpoint import check_labels, describe, labels_of, load_checkpoint, save_checkpoint
from .cnn import ImageNetCnn
from .data import IMAGE_SETS, IMAGENETTE_IMAGENET_INDICES, Splits, load_splits
from .distributed import start as start_process
from .engine import RunLog, TrainOptions
from .evaluate import accuracy, best_cross_entropy, logits_of, top1
from .features import FeatureRegressors
from .finetune import finetune_cnn
from .frontier import frontier_points, frontier_table
from .live import TaughtLive
from .odd import MEAN_SQUARE_LIMIT, mean_squares, odd_images
from .options import add_options, read_options
from .plots import plot_frontier, plot_switch_maps
from .prune import without_idle_heads
from .ranges import RangeMaxima
from .resnet import CifarResNet
from .search import SearchOptions, count_on, search
from .tame import tame
from .teacher import TeacherOptions, initial_model, train_teacher
from .teaching import TeachingCnn, TeachingEnsemble
from .views import load_views, make_views
from .vit import SwitchTensors, VisionTransformer, ViTConfig

PRESETS = {
    'cifar10': ViTConfig(),
    'imagenette': ViTConfig(img_size=128, patch_size=16),
    'synthetic': ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4),
}
"""The architecture for each image set. Both real ones have 64 tokens and the same blocks, so the same secure cost."""

RESNETS = {f'resnet{6 * blocks + 2}': partial(CifarResNet, blocks) for blocks in (3, 5, 7, 9)}
CNNS = {'efficientnet-lite0': ImageNetCnn, **RESNETS}
CNN_SIZES = {('efficientnet-lite0', 'cifar10'): 96, ('efficientnet-lite0', 'imagenette'): 160, **{(name, 'cifar10'): 32 for name in RESNETS}}
"""Pixels a side of what a CNN sees of an image set."""


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


def add_teaching(parser: argparse.ArgumentParser) -> None:
    """How a CNN teaches a ViT: beforehand, or live."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument('--views', type=Path, default=None, help='train on the crops in this folder (command views)')
    ways.add_argument('--live', action='store_true', help='show every training image to the CNN, blended as the student sees it')
    add_cnn(parser, several=True)


def add_cnn(parser: argparse.ArgumentParser, several: bool = False) -> None:
    what = 'fine-tuned CNN, or several that teach together' if several else 'fine-tuned CNN'
    help = f'{what}; default: the ImageNet one, which knows the classes of imagenette'
    parser.add_argument('--cnn', type=Path, nargs='+' if several else 1, default=None, help=help)


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
        cnn, size = teaching_cnn(arguments)
        source = TaughtLive(splits.train, cnn, size, config.img_size, config.img_size // config.patch_size, options, exact)
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


def step_images(train: TrainOptions) -> int:
    """Images of one step on all processes together."""
    return train.batch_size * start_process()[1]


def run_cnn(arguments: argparse.Namespace) -> None:
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
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


def teaching_cnn(arguments: argparse.Namespace) -> tuple[TeachingCnn | TeachingEnsemble, int]:
    """(the networks of the command cnn in `--cnn`, or the ImageNet one for imagenette; pixels a side of what they see)."""
    if arguments.cnn is None:
        if arguments.dataset != 'imagenette':
            raise ValueError(f'{arguments.dataset}: its classes are not ImageNet classes: expected --cnn, a network of the command cnn')
        return ImageNetCnn(IMAGENETTE_IMAGENET_INDICES), cnn_size('efficientnet-lite0', arguments.dataset)
    cnns, sizes = zip(*(finetuned_cnn(path, arguments.dataset) for path in arguments.cnn))
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
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    config = model_config(arguments)
    cnn, size = teaching_cnn(arguments)
    grid = config.img_size // config.patch_size
    make_views(splits.train, cnn, arguments.run_dir, arguments.count, config.img_size, grid, size, arguments.min_area)


def run_evaluate(arguments: argparse.Namespace) -> None:
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    model, switches, description = load_checkpoint(arguments.checkpoint, model_config(arguments))
    images = getattr(splits, arguments.split)
    check_labels(arguments.checkpoint, description, images.info)
    ranges = RangeMaxima(switches)
    logits = logits_of(model, switches, images, ranges)
    cross_entropy, temperature = best_cross_entropy(logits, images.labels)
    softmax, gelu = count_on(switches)
    print(json.dumps({
        'checkpoint': str(arguments.checkpoint), 'split': arguments.split, 'images': len(images),
        'top1': top1(logits, images.labels), 'crossEntropy': cross_entropy, 'temperature': temperature,
        'softmaxRows': softmax, 'geluTokens': gelu, 'maxima': ranges.summary(),
    }, indent=1))  # fmt: skip


def run_frontier(arguments: argparse.Namespace) -> None:
    points = frontier_points(arguments.runs)
    plot_frontier(points, arguments.out)
    print(frontier_table(points))


def run_restore(arguments: argparse.Namespace) -> None:
    from exporter.restore import restore  # the exporter reads this package's checkpoints, so it is not imported above

    found = restore(arguments.artifact, IMAGE_SETS[arguments.dataset])
    save_checkpoint(arguments.out, found.model.state_dict(), found.switches, found.description)


def run_average(arguments: argparse.Namespace) -> None:
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    model, switches, description = average_checkpoints(arguments.checkpoints, arguments.weights)
    check_labels(arguments.checkpoints[-1], description, splits.train.info)
    description['validation_accuracy'] = accuracy(model, switches, splits.validation)
    weights = f' ({":".join(f"{w:g}" for w in arguments.weights)})' if arguments.weights else ''
    description['recipe'] += f'; mean{weights} of {len(arguments.checkpoints)} checkpoints'
    save_checkpoint(arguments.out, model.state_dict(), switches, description)
    print(json.dumps({'out': str(arguments.out), 'recipe': description['recipe'], 'validation': description['validation_accuracy']}, indent=1))


def run_tame(arguments: argparse.Namespace) -> None:
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    model, switches, description = load_checkpoint(arguments.checkpoint, model_config(arguments))
    check_labels(arguments.checkpoint, description, splits.train.info)
    odd = odd_images(model.config.img_size, splits.train.info)
    with torch.no_grad():
        before = float(mean_squares(model, switches, odd).max())
    tame(model, switches, splits.train, odd, arguments.steps, arguments.limit)
    with torch.no_grad():
        after = float(mean_squares(model, switches, odd).max())
    description['validation_accuracy'] = accuracy(model, switches, splits.validation)
    description['recipe'] += f'; {arguments.steps} steps of 64 towards itself that keep stripes and the like in range'
    save_checkpoint(arguments.out, model.state_dict(), switches, description)
    print(json.dumps({'out': str(arguments.out), 'meanSquare': [before, after], 'validation': description['validation_accuracy']}, indent=1))


def run_prune(arguments: argparse.Namespace) -> None:
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    model, switches, description = load_checkpoint(arguments.checkpoint, model_config(arguments))
    check_labels(arguments.checkpoint, description, splits.train.info)
    chosen = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(0))[: arguments.images]
    kept, moved, together = without_idle_heads(model, switches, splits.train.subset(chosen), arguments.limit)
    before, after = int(switches[0].sum()), int(kept.sum())
    description['recipe'] += f'; {before - after} softmax rows of heads that hardly change the logits made squares'
    description['validation_accuracy'] = accuracy(model, (kept, switches[1]), splits.validation)
    save_checkpoint(arguments.out, model.state_dict(), (kept, switches[1]), description)
    print(json.dumps({
        'out': str(arguments.out), 'softmaxRows': [before, after], 'movedTogether': together, 'validation': description['validation_accuracy'],
        'moved': [[round(x, 5) for x in layer] for layer in moved.tolist()],
    }, indent=1))  # fmt: skip


def run_measure(arguments: argparse.Namespace) -> None:
    from exporter.measure import measure

    print(json.dumps(measure(arguments.artifact, IMAGE_SETS[arguments.dataset], arguments.data, arguments.images), indent=1))


def run_card(arguments: argparse.Namespace) -> None:
    arguments.out.write_text(model_card(arguments.checkpoint, arguments.evaluations, arguments.notes))


def run_teacher(arguments: argparse.Namespace) -> None:
    config = model_config(arguments)
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    start, same_labels = None, False
    if arguments.start:
        start, _, description = load_checkpoint(arguments.start, PRESETS['cifar10'])
        same_labels = labels_of(description) == splits.train.info.labels
    model = initial_model(config, start, same_labels)
    train, options = read_options(arguments, TrainOptions), read_options(arguments, TeacherOptions)
    recipe = f'exact network: {options.steps} steps of {step_images(train)} images' + (f', from {arguments.start.name}' if start else '')
    description = describe(config, splits.train.info, recipe, name=f'{arguments.dataset}-teacher')
    log = RunLog(arguments.run_dir, describe=lambda switches: description)
    source, regressors = batch_source(arguments, splits, config, arguments.start)
    model, validation = train_teacher(model, source, splits.validation, train, options, log, regressors)
    if log.rank:
        return
    on = (torch.ones(config.depth, config.num_heads, config.num_tokens), torch.ones(config.depth, config.num_tokens))
    out = arguments.out or arguments.run_dir / 'checkpoint.safetensors'
    save_checkpoint(out, model.state_dict(), on, description | {'validation_accuracy': validation})
    if regressors is not None:
        save_file(regressors.state_dict(), arguments.run_dir / 'regressors.safetensors')
    log.line(stage='saved', out=out, validation=validation)


def check_exact(name: str, path: Path, switches: SwitchTensors) -> None:
    """Raises ValueError unless all switches are on: a teacher is run with everything exact, which other weights were not trained for."""
    if not all(bool((s > 0).all()) for s in switches):
        raise ValueError(
            f'{name} {path}: a network with switches off can neither distil nor be what --reconstruct-images refits to: '
            'expected --views, --live or a --kd-teacher with all of them on'
        )


def run_search(arguments: argparse.Namespace) -> None:
    train, options = read_options(arguments, TrainOptions), read_options(arguments, SearchOptions)
    if options.granularity != 'token' and (arguments.keep_switches or arguments.baseline):
        raise ValueError('--granularity: expected without --keep-switches and --baseline, which search nothing')
    if arguments.kd_teacher and arguments.views:
        raise ValueError('--kd-teacher: expected without --views, which are distilled from the CNN alone')
    splits = load_splits(arguments.dataset, arguments.data_dir, arguments.cache_dir, arguments.validation_images)
    info = splits.train.info
    teacher, teacher_switches, description = load_checkpoint(arguments.teacher, PRESETS['cifar10'])
    units = arguments.square_units or teacher.config.square_units
    if teacher.config.square_units not in (0, units):
        raise ValueError(f'--square-units: expected {teacher.config.square_units}, as --teacher has')
    config = replace(model_config(arguments), positional=teacher.config.positional, square_units=units)
    same_labels = labels_of(description) == info.labels
    changed = teacher.config != config or not same_labels  # of another image set: new patch embedding and classifier; or without what is asked for
    if changed:
        teacher = initial_model(config, teacher, same_labels)
    kd_teacher = None
    distils = train.distill_weight and not (arguments.views or arguments.live)  # else a CNN has said what the student is to say
    if arguments.kd_teacher:
        kd_teacher, kd_switches, kd_description = load_checkpoint(arguments.kd_teacher, PRESETS['cifar10'])
        check_labels(arguments.kd_teacher, kd_description, info)
        check_exact('--kd-teacher', arguments.kd_teacher, kd_switches)
    elif distils or options.reconstruct_images:
        check_exact('--teacher', arguments.teacher, teacher_switches)
        if not same_labels:
            raise ValueError(f'--teacher {arguments.teacher}: its labels are not those of {info.title}: it cannot teach, only be started from')
    fixed = None
    if arguments.keep_switches:
        fixed = teacher_switches
    elif arguments.baseline:
        fixed = baseline_switches(arguments.baseline, config, options.softmax_budget, options.gelu_budget, train.seed)
    searched = 'search' if options.granularity == 'token' else 'search of whole heads'
    method = 'transferred switches' if arguments.keep_switches else arguments.baseline or searched

    def describe_student(switches: SwitchTensors) -> dict:
        softmax, gelu = count_on(switches)
        recipe = (
            f'PriViT ({method}): {options.search_steps} + {options.finetune_steps} steps of {step_images(train)} images, '
            f'{softmax} of {config.num_softmax_rows} softmax rows, {gelu} of {config.num_gelu_tokens} GELU tokens kept'
        )
        if arguments.keep_switches and description.get('dataset') == info.title:  # the same student, trained on
            recipe = f"{description['recipe']}; then {options.search_steps + options.finetune_steps} steps more"
        return describe(config, info, recipe)

    log = RunLog(arguments.run_dir, describe=describe_student)
    if changed and arguments.keep_switches and start_process()[0] == 0:  # so that the result can be averaged with what it started from
        save_checkpoint(arguments.run_dir / 'start.safetensors', teacher.state_dict(), teacher_switches, describe(config, info, description.get('recipe', '')))
    source, regressors = batch_source(arguments, splits, config, arguments.teacher, kd_teacher)
    result = search(teacher, source, splits.validation, train, options, log, fixed, regressors, kd_teacher)
    if log.rank:
        return
    student = describe_student(result.switches) | {'validation_accuracy': result.validation_accuracy}
    out = arguments.out or arguments.run_dir / 'checkpoint.safetensors'
    if regressors is not None:
        save_file(regressors.state_dict(), arguments.run_dir / 'regressors.safetensors')
    save_checkpoint(out, result.model.state_dict(), result.switches, student)
    plot_switch_maps(result.switches, arguments.run_dir / 'switch-maps.png', student['recipe'])
    sample = splits.train.subset(torch.arange(min(2000, len(splits.train))))
    ranges = RangeMaxima(result.switches)
    logits_of(result.model, result.switches, sample, ranges)
    (arguments.run_dir / 'ranges.json').write_text(json.dumps({'summary': ranges.summary(), 'tensors': ranges.maxima}, indent=1))
    softmax, gelu = count_on(result.switches)
    log.line(stage='saved', out=out, softmax=softmax, gelu=gelu, validation=result.validation_accuracy)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog='privit', description='Train, Taylorize and export private vision transformers.')
    commands = parser.add_subparsers(required=True)

    p = commands.add_parser('teacher', help='stage 0: train the exact network')
    common(p)
    add_teaching(p)
    p.add_argument('--start', type=Path, default=None, help='checkpoint whose weights to start from')
    p.add_argument('--positional', action='store_true', help="constants of the relative position in attention (free in the secure protocol)")
    for options in (TrainOptions, AugmentOptions, TeacherOptions):
        add_options(p, options)
    p.set_defaults(run_command=run_teacher)

    p = commands.add_parser('search', help='PriViT algorithm 1, or a baseline at the same budget')
    common(p)
    add_teaching(p)
    p.add_argument(
        '--teacher', type=Path, required=True,
        help='checkpoint or timm state dict to start from; unless --views, --live or --kd-teacher teach, it also distils, and must be exact',
    )  # fmt: skip
    p.add_argument('--kd-teacher', type=Path, default=None, help='exact network that distils, if not --teacher itself; with --live, beside the CNN')
    p.add_argument(
        '--square-units', type=int, default=0, help="give a --teacher without them as many in each block; by default the student has the --teacher's",
    )  # fmt: skip
    given = p.add_mutually_exclusive_group()
    given.add_argument('--keep-switches', action='store_true', help="no search: fine-tune with the teacher checkpoint's own switches")
    given.add_argument('--baseline', choices=BASELINES, default=None, help='fixed switches instead of the search, at equal cost')
    for options in (TrainOptions, AugmentOptions, SearchOptions):
        add_options(p, options)
    p.set_defaults(run_command=run_search)

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
    p.add_argument('--count', type=int, default=6, help='crops of every training image')
    p.add_argument('--min-area', type=float, default=0.3, help='smallest part in a crop of images stored larger than the model\'s; default 0.3')
    p.set_defaults(run_command=run_views)

    p = commands.add_parser('evaluate', help='accuracy and reached ranges of a checkpoint on one split')
    common(p, runs=False)
    p.add_argument('--checkpoint', type=Path, required=True)
    p.add_argument('--split', choices=['validation', 'test'], default='validation', help='test is for one final figure')
    p.set_defaults(run_command=run_evaluate)

    p = commands.add_parser('frontier', help='accuracy against budget, from finished runs of search and baselines')
    p.add_argument('--runs', type=Path, nargs='+', required=True, help='run folders')
    p.add_argument('--out', type=Path, required=True, help='PNG; a table is printed')
    p.set_defaults(run_command=run_frontier)

    p = commands.add_parser('card', help='model card in Markdown')
    p.add_argument('--checkpoint', type=Path, required=True)
    p.add_argument('--evaluations', type=Path, nargs='*', default=[], help='JSON printed by evaluate')
    p.add_argument('--notes', default='', help='hours, machine, date')
    p.add_argument('--out', type=Path, required=True)
    p.set_defaults(run_command=run_card)

    p = commands.add_parser(
        'restore',
        help='checkpoint out of an exported artifact, to train it further: search --teacher OUT --keep-switches, with --views, --live or --kd-teacher',
    )
    p.add_argument('artifact', type=Path, help="folder with the artifact's manifest.json and model.onnx")
    p.add_argument('--dataset', choices=sorted(IMAGE_SETS), required=True)
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_restore)

    p = commands.add_parser(
        'average', help='the mean of the weights of several trainings of one student (or moments of one: --keep-last), all from the same search'
    )
    common(p, runs=False)
    p.add_argument('checkpoints', type=Path, nargs='+', help='the last one describes the result')
    p.add_argument('--weights', type=float, nargs='+', default=None, help='how much each counts, such as 1 2; default: all the same')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_average)

    p = commands.add_parser('tame', help='what no photograph looks like back into the ranges of fixed point, where the exporter refuses its mean squares')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    p.add_argument('--steps', type=int, default=100, help='of 64 images; default 100')
    p.add_argument('--limit', type=float, default=MEAN_SQUARE_LIMIT, help=f'mean square above which an image is penalised; default {MEAN_SQUARE_LIMIT:.0f}')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_tame)

    p = commands.add_parser('prune', help='softmax rows that a trained student no longer needs become squares, head by head; train it on afterwards')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    p.add_argument('--images', type=int, default=1000, help='training images to try on; default 1000')
    p.add_argument('--limit', type=float, default=0.003, help='by how much (KL at temperature 4, times 16) the rows of a head may move the logits; default 0.003')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_prune)

    p = commands.add_parser('measure', help="an artifact's accuracy in floats and integers, onto its card")
    p.add_argument('artifact', type=Path, help="folder with the artifact's files")
    p.add_argument('--dataset', choices=sorted(IMAGE_SETS), required=True)
    p.add_argument('--data', type=Path, required=True, help="the image set's zip")
    p.add_argument('--images', type=int, default=1000, help='held-out images, at random; default 1000')
    p.set_defaults(run_command=run_measure)

    commands.add_parser('export', add_help=False, help='integer artifact for the secure protocols: python -m exporter')

    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ['export']:  # its options are the exporter's own
        from exporter.cli import main as export_main

        return export_main(argv[1:])
    arguments = parser.parse_args(argv)
    torch.manual_seed(getattr(arguments, 'seed', 0))  # of fresh networks, the same on every process
    arguments.run_command(arguments)
