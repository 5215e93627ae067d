"""`python -m privit teacher|search`: the exact network, and PriViT's algorithm 1."""
from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from vit.checkpoint import check_labels, describe, describes_itself, labels_of, load_checkpoint, save_checkpoint
from vit.data import Splits
from vit.imports import import_checkpoint
from vit.model import SwitchTensors, VisionTransformer, ViTConfig, computed, count_on

from ..baselines import BASELINES, baseline_switches
from ..batches import AugmentOptions
from ..distributed import start as start_process
from ..engine import RunLog, TrainOptions
from ..evaluate import logits_of
from ..options import add_options, read_options
from ..plots import plot_switch_maps
from ..pretrained import pretrained_start, resized
from ..prices import read_prices
from ..ranges import RangeMaxima
from ..search import SearchOptions, check_budgets, search
from ..teacher import TeacherOptions, initial_model, train_teacher
from .arguments import PRESETS, Commands, common, given_facts, model_config, splits_of, step_images
from .teachers import add_teaching, batch_source


def start_of(arguments: argparse.Namespace, splits: Splits) -> VisionTransformer:
    """The network that `privit teacher` begins with: a fresh one, one of this project's, or anybody's (vit/imports), fitted to the set."""
    if arguments.start is None:
        if arguments.size or arguments.middle or arguments.mean_pool:
            raise ValueError('--size, --middle, --mean-pool: expected with --start')
        return initial_model(model_config(arguments), None, False)
    if not describes_itself(arguments.start):
        imported = import_checkpoint(arguments.start, given_facts(arguments))
        start = pretrained_start(imported, splits.train, arguments.size, arguments.mean_pool, arguments.middle)
        return initial_model(replace(start.config, positional=True), start, True) if arguments.positional else start
    if arguments.mean_pool:
        raise ValueError(f"--mean-pool: expected with a --start of another library; {arguments.start} is privit's own")
    start, _, description = load_checkpoint(arguments.start)
    if arguments.size:
        start = resized(start, arguments.size, arguments.middle)
    same_labels = labels_of(description) == splits.train.info.labels
    config = replace(start.config, positional=start.config.positional or arguments.positional) if same_labels else model_config(arguments)
    return initial_model(config, start, same_labels)


def recipe_of(start: Path | None, steps: str, config: ViTConfig) -> str:
    """Where the weights come from, back to the first network: a card tells its licence by it."""
    if start is None:
        return f'exact network: {steps}'
    if not describes_itself(start):
        return f'exact network: {steps}, from {start.name}'
    _, _, description = load_checkpoint(start)
    return f"{description.get('recipe', start.name)}; then {steps} at {config.img_size} px"


def run_teacher(arguments: argparse.Namespace) -> None:
    splits = splits_of(arguments)
    model = start_of(arguments, splits)
    config = model.config
    train, options = read_options(arguments, TrainOptions), read_options(arguments, TeacherOptions)
    recipe = recipe_of(arguments.start, f'{options.steps} steps of {step_images(train)} images', config)
    description = describe(config, splits.train.info, recipe, name=f'{splits.train.info.name}-teacher')
    log = RunLog(arguments.run_dir, describe=lambda switches: description)
    source, regressors = batch_source(arguments, splits, config, arguments.start)
    trained = train_teacher(model, source, splits.validation, train, options, log, regressors)
    if log.rank or trained is None:
        return
    model, validation = trained
    out = arguments.out or arguments.run_dir / 'checkpoint.safetensors'
    save_checkpoint(out, model.state_dict(), computed(config), description | {'validation_accuracy': validation})
    if regressors is not None:
        save_file(regressors.state_dict(), arguments.run_dir / 'regressors.safetensors')
    log.line(stage='saved', out=out, validation=validation)


def check_exact(name: str, path: Path, switches: SwitchTensors, config: ViTConfig) -> None:
    """Raises ValueError unless all switches are on: a teacher is run with everything exact, which other weights were not trained for."""
    if not all(bool((s >= wanted).all()) for s, wanted in zip(switches, computed(config))):
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
    teacher, teacher_switches, description = load_checkpoint(arguments.teacher, PRESETS['cifar10'])
    splits = splits_of(arguments, description)
    info = splits.train.info
    units = arguments.square_units or teacher.config.square_units
    if teacher.config.square_units not in (0, units):
        raise ValueError(f'--square-units: expected {teacher.config.square_units}, as --teacher has')
    same_labels = labels_of(description) == info.labels
    own = teacher.config if same_labels else replace(model_config(arguments), positional=teacher.config.positional)
    config = replace(own, square_units=units)
    changed = teacher.config != config or not same_labels  # of another image set: new patch embedding and classifier; or without what is asked for
    if changed:
        teacher = initial_model(config, teacher, same_labels)
    kd_teacher = None
    distils = train.distill_weight and not (arguments.views or arguments.live)  # else a CNN has said what the student is to say
    if arguments.kd_teacher:
        kd_teacher, kd_switches, kd_description = load_checkpoint(arguments.kd_teacher, PRESETS['cifar10'])
        check_labels(arguments.kd_teacher, kd_description, info)
        check_exact('--kd-teacher', arguments.kd_teacher, kd_switches, kd_teacher.config)
    elif distils or options.reconstruct_images:
        check_exact('--teacher', arguments.teacher, teacher_switches, teacher.config)
        if not same_labels:
            raise ValueError(f'--teacher {arguments.teacher}: its labels are not those of {info.title}: it cannot teach, only be started from')
    if arguments.prices and (arguments.keep_switches or arguments.baseline):
        raise ValueError('--prices: expected without --keep-switches and --baseline, which search nothing')
    prices = read_prices(arguments.prices, config) if arguments.prices else None
    fixed = None
    if arguments.keep_switches:
        fixed = teacher_switches
    elif arguments.baseline:
        check_budgets(config, options)
        fixed = baseline_switches(arguments.baseline, config, options.softmax_budget, options.gelu_budget, train.seed)
    searched = 'search by price' if prices else 'search' if options.granularity == 'token' else 'search of whole heads'
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
    result = search(teacher, source, splits.validation, train, options, log, fixed, regressors, kd_teacher, prices=prices)
    if log.rank or result is None:
        return
    student = describe_student(result.switches) | {'validation_accuracy': result.validation_accuracy}
    out = arguments.out or arguments.run_dir / 'checkpoint.safetensors'
    if regressors is not None:
        save_file(regressors.state_dict(), arguments.run_dir / 'regressors.safetensors')
    save_checkpoint(out, result.model.state_dict(), result.switches, student)
    plot_switch_maps(config, result.switches, arguments.run_dir / 'switch-maps.png', student['recipe'])
    sample = splits.train.subset(torch.arange(min(2000, len(splits.train))))
    ranges = RangeMaxima(config, result.switches)
    logits_of(result.model, result.switches, sample, ranges)
    (arguments.run_dir / 'ranges.json').write_text(json.dumps({'summary': ranges.summary(), 'tensors': ranges.maxima}, indent=1))
    softmax, gelu = count_on(result.switches)
    log.line(stage='saved', out=out, softmax=softmax, gelu=gelu, validation=result.validation_accuracy)


def register(commands: Commands) -> None:
    p = commands.add_parser('teacher', help='stage 0: train the exact network')
    common(p)
    add_teaching(p)
    p.add_argument('--start', type=Path, default=None, help="checkpoint whose weights to start from: privit's, or any ViT's in timm's or Hugging Face's names")
    p.add_argument('--size', type=int, default=None, help='pixels a side that a --start is to see; default: as it was trained')
    p.add_argument('--middle', action='store_true', help='with a smaller --size: keep the middle of its positions, in place of all of them squeezed')
    p.add_argument('--mean-pool', action='store_true', help='let such a --start classify the mean of its tokens, without a class token')
    p.add_argument('--positional', action='store_true', help="constants of the relative position in attention (free in the secure protocol)")
    for kind in (TrainOptions, AugmentOptions, TeacherOptions):
        add_options(p, kind)
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
    p.add_argument('--prices', type=Path, default=None, help='what switches cost (npm run prices): search within --price-budget, not within counts')
    given = p.add_mutually_exclusive_group()
    given.add_argument('--keep-switches', action='store_true', help="no search: fine-tune with the teacher checkpoint's own switches")
    given.add_argument('--baseline', choices=BASELINES, default=None, help='fixed switches instead of the search, at equal cost')
    for more in (TrainOptions, AugmentOptions, SearchOptions):
        add_options(p, more)
    p.set_defaults(run_command=run_search)
