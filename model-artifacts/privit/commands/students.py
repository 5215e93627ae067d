"""`python -m privit start|condense|drop-tokens|average|limit-ranges|prune|fix-norms`: what is done to students before and after their training."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from vit.checkpoint import check_labels, describe, load_checkpoint, save_checkpoint
from vit.data import Splits
from vit.kept_tokens import PATTERNS, Place, drop_tokens, read_place
from vit.model import VisionTransformer, computed

from ..average import average_checkpoints
from ..condense import condense
from ..evaluate import accuracy, batches
from ..limit_ranges import limit_ranges
from ..norms import effects, fix_norms
from ..ood import MEAN_SQUARE_LIMIT, mean_squares, ood_images
from ..prune import without_idle_heads
from ..student_start import student_start
from .arguments import Commands, common, fallback_config, splits_of

PLACES = f'blocks of the student, counted from 0, behind which fewer tokens go on, and which: {", ".join(PATTERNS)}'


def teacher_and_images(arguments: argparse.Namespace) -> tuple[VisionTransformer, dict, Splits, Tensor]:
    """What a start in closed form is made from: the teacher, its description, its image set, and `--images` training images, normalised."""
    teacher, _, description = load_checkpoint(arguments.teacher)
    splits = splits_of(arguments, description)
    check_labels(arguments.teacher, description, splits.train.info)
    chosen = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(3))[: arguments.images]
    images = torch.cat(list(batches(splits.train.subset(chosen), teacher.config.img_size)))
    return teacher.eval(), description, splits, images


def run_start(arguments: argparse.Namespace) -> None:
    teacher, description, splits, images = teacher_and_images(arguments)
    c = teacher.config
    if arguments.switches is not None:
        _, switches, _ = load_checkpoint(arguments.switches)
    else:
        switches = (torch.full((c.depth, c.num_heads, c.num_patches), arguments.first_switch), torch.full((c.depth, c.num_patches), arguments.first_switch))
    student = student_start(teacher, switches, images, arguments.square_units)
    kept = switches if arguments.switches is not None else computed(student.config)
    out = describe(student.config, splits.train.info, f"{description['recipe']}; a start in closed form on {len(images)} images", accuracy(student, switches, splits.validation))
    save_checkpoint(arguments.out, student.state_dict(), kept, out)
    print(json.dumps({'out': str(arguments.out), 'validation': out['validation_accuracy']}))


def run_condense(arguments: argparse.Namespace) -> None:
    teacher, description, splits, images = teacher_and_images(arguments)
    exact = range(0, len(arguments.blocks), 2) if arguments.exact_norms is None else arguments.exact_norms
    student = condense(teacher, arguments.blocks, arguments.square_units, images, exact, arguments.keep_after, arguments.exact_gelu)
    softmax, gelu = computed(student.config)
    switches = (softmax, gelu * torch.tensor([block in arguments.exact_gelu for block in range(student.config.depth)])[:, None])
    kept = ','.join(map(str, arguments.blocks))
    with_gelu = f"; GELU stays in {','.join(map(str, arguments.exact_gelu))} of them" if arguments.exact_gelu else ''
    recipe = f"{description['recipe']}; condensed to its blocks {kept} in closed form on {len(images)} images{with_gelu}{told(arguments.keep_after)}"
    out = describe(student.config, splits.train.info, recipe, accuracy(student, switches, splits.validation))
    save_checkpoint(arguments.out, student.state_dict(), switches, out)
    print(json.dumps({'out': str(arguments.out), 'hiddenBlocks': kept, 'validation': out['validation_accuracy']}))


def run_drop_tokens(arguments: argparse.Namespace) -> None:
    model, switches, description = load_checkpoint(arguments.checkpoint, fallback_config(arguments))
    splits = splits_of(arguments, description)
    check_labels(arguments.checkpoint, description, splits.train.info)
    fewer, kept = drop_tokens(model, switches, arguments.after)
    description |= fewer.config.to_dict()
    description['recipe'] += told(arguments.after)
    before = description.get('validation_accuracy')
    description['validation_accuracy'] = accuracy(fewer, kept, splits.validation)
    save_checkpoint(arguments.out, fewer.state_dict(), kept, description)
    tokens = [len(fewer.config.tokens_behind(block)) for block in range(fewer.config.depth)]
    print(json.dumps({'out': str(arguments.out), 'tokensBehind': tokens, 'validation': [before, description['validation_accuracy']]}))


def told(places: list[Place]) -> str:
    """For a recipe: behind which blocks, counted from 0, which tokens go on."""
    return ''.join(f'; behind block {block} a {pattern} of its tokens' for block, pattern in places)


def place(text: str) -> Place:
    """For argparse, which shows an error's words only if it is one of its own."""
    try:
        return read_place(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def run_average(arguments: argparse.Namespace) -> None:
    model, switches, description = average_checkpoints(arguments.checkpoints, arguments.weights)
    splits = splits_of(arguments, description)
    check_labels(arguments.checkpoints[-1], description, splits.train.info)
    description['validation_accuracy'] = accuracy(model, switches, splits.validation)
    weights = f' ({":".join(f"{w:g}" for w in arguments.weights)})' if arguments.weights else ''
    description['recipe'] += f'; mean{weights} of {len(arguments.checkpoints)} checkpoints'
    save_checkpoint(arguments.out, model.state_dict(), switches, description)
    print(json.dumps({'out': str(arguments.out), 'recipe': description['recipe'], 'validation': description['validation_accuracy']}, indent=1))


def run_limit_ranges(arguments: argparse.Namespace) -> None:
    model, switches, description = load_checkpoint(arguments.checkpoint, fallback_config(arguments))
    splits = splits_of(arguments, description)
    check_labels(arguments.checkpoint, description, splits.train.info)
    ood = ood_images(model.config.img_size, splits.train.info)
    with torch.no_grad():
        before = float(mean_squares(model, switches, ood).max())
    limit_ranges(model, switches, splits.train, ood, arguments.steps, arguments.limit)
    with torch.no_grad():
        after = float(mean_squares(model, switches, ood).max())
    description['validation_accuracy'] = accuracy(model, switches, splits.validation)
    description['recipe'] += f'; {arguments.steps} steps of 64 towards itself that keep stripes and the like in range'
    save_checkpoint(arguments.out, model.state_dict(), switches, description)
    print(json.dumps({'out': str(arguments.out), 'meanSquare': [before, after], 'validation': description['validation_accuracy']}, indent=1))


def run_prune(arguments: argparse.Namespace) -> None:
    model, switches, description = load_checkpoint(arguments.checkpoint, fallback_config(arguments))
    splits = splits_of(arguments, description)
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


def run_fix_norms(arguments: argparse.Namespace) -> None:
    model, switches, description = load_checkpoint(arguments.checkpoint, fallback_config(arguments))
    splits = splits_of(arguments, description)
    check_labels(arguments.checkpoint, description, splits.train.info)
    chosen = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(0))[: arguments.images]
    moved = effects(model.eval(), switches, splits.train.subset(chosen))
    names = arguments.norms or sorted(moved, key=lambda name: moved[name])[: arguments.count]
    fixed = fix_norms(model, switches, splits.train, names, arguments.steps, arguments.rate)
    description |= fixed.config.to_dict()
    description['recipe'] += f'; {len(names)} norms of constant scale, {arguments.steps} steps of 64 towards itself'
    before = description.get('validation_accuracy')
    description['validation_accuracy'] = accuracy(fixed, switches, splits.validation)
    save_checkpoint(arguments.out, fixed.state_dict(), switches, description)
    print(json.dumps({
        'out': str(arguments.out), 'norms': names, 'validation': [before, description['validation_accuracy']],
        'movedAlone': {name: round(x, 5) for name, x in moved.items()},
    }, indent=1))  # fmt: skip


def register(commands: Commands) -> None:
    p = commands.add_parser('start', help="a student's start: its exact teacher without class token, refitted in closed form for polynomials")
    common(p, runs=False)
    p.add_argument('--teacher', type=Path, required=True, help='exact checkpoint (privit teacher)')
    p.add_argument('--switches', type=Path, default=None, help="a student whose switches this is for; default: all of them at --first-switch, for a search")
    p.add_argument('--first-switch', type=float, default=0.5, help='the same number as in the search that follows; default 0.5')
    p.add_argument('--square-units', type=int, default=0, help='square units of each block; default 0')
    p.add_argument('--images', type=int, default=2000, help='training images to fit on; default 2000')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_start)

    p = commands.add_parser('condense', help='a cheap student in closed form: fewer blocks, softmax everywhere, squares for GELU, norms of constant scale')
    common(p, runs=False)
    p.add_argument('--teacher', type=Path, required=True, help='exact checkpoint (privit teacher)')
    p.add_argument('--blocks', type=int, nargs='+', required=True, metavar='BLOCK', help='of the teacher, counted from 0, that stay')
    p.add_argument('--square-units', type=int, default=384, help='square units of each block; default 384')
    p.add_argument(
        '--exact-norms', type=int, nargs='*', default=None, metavar='BLOCK',
        help='blocks of the student, counted from 0, that keep the LayerNorm before attention; default: every other one',
    )  # fmt: skip
    p.add_argument(
        '--exact-gelu', type=int, nargs='*', default=[], metavar='BLOCK',
        help='blocks of the student, counted from 0, that keep GELU, and the LayerNorm before it; default: none',
    )  # fmt: skip
    p.add_argument('--keep-after', type=place, nargs='*', default=[], metavar='BLOCK:PATTERN', help=PLACES)
    p.add_argument('--images', type=int, default=2000, help='training images to fit on; default 2000')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_condense)

    p = commands.add_parser('drop-tokens', help='fewer tokens go on behind some blocks of a trained student; train it on afterwards (search --keep-switches)')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    p.add_argument('--after', type=place, nargs='+', required=True, metavar='BLOCK:PATTERN', help=PLACES)
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_drop_tokens)

    p = commands.add_parser(
        'average', help='the mean of the weights of several trainings of one student (or moments of one: --keep-last), all from the same search'
    )
    common(p, runs=False)
    p.add_argument('checkpoints', type=Path, nargs='+', help='the last one describes the result')
    p.add_argument('--weights', type=float, nargs='+', default=None, help='how much each counts, such as 1 2; default: all the same')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_average)

    p = commands.add_parser('limit-ranges', help='what no photograph looks like back into the ranges of fixed point, where the exporter refuses its mean squares')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    p.add_argument('--steps', type=int, default=100, help='of 64 images; default 100')
    p.add_argument('--limit', type=float, default=MEAN_SQUARE_LIMIT, help=f'mean square above which an image is penalised; default {MEAN_SQUARE_LIMIT:.0f}')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_limit_ranges)

    p = commands.add_parser('prune', help='softmax rows that a trained student no longer needs become squares, head by head; train it on afterwards')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    p.add_argument('--images', type=int, default=1000, help='training images to try on; default 1000')
    p.add_argument('--limit', type=float, default=0.003, help='by how much (KL at temperature 4, times 16) the rows of a head may move the logits; default 0.003')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_prune)

    p = commands.add_parser('fix-norms', help='LayerNorms get a constant scale, in training towards the network itself: they cost nothing in the protocol')
    common(p, runs=False)
    p.add_argument('checkpoint', type=Path)
    which = p.add_mutually_exclusive_group(required=True)
    which.add_argument('--norms', nargs='+', metavar='NAME', help='such as blocks.3.norm1')
    which.add_argument('--count', type=int, help='so many, of those that move the logits least')
    p.add_argument('--images', type=int, default=500, help='training images to try each norm on; default 500')
    p.add_argument('--steps', type=int, default=300, help='of 64 images; default 300')
    p.add_argument('--rate', type=float, default=1e-4, help='largest learning rate; default 1e-4')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write')
    p.set_defaults(run_command=run_fix_norms)
