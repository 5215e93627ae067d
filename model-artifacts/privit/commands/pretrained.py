"""`python -m privit narrow`: what is done to a pretrained network whose nonlinearities stay exact."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from exporter.output import check_outside
from exporter.restore import read_artifact
from vit.data import IMAGE_SETS, load_splits
from vit.imports import Fact, Facts, import_checkpoint
from vit.imports.timm import configuration, named
from vit.kept_tokens import PATTERNS
from vit.model import ViTConfig, computed

from ..narrow import NarrowOptions, Photographs, narrow
from ..options import add_options, read_options
from ..pretrained import check_square, pixel_values, resized
from .arguments import Commands, add_facts, given_facts


def run_narrow(arguments: argparse.Namespace) -> None:
    options = read_options(arguments, NarrowOptions)
    for option, out in (('--run-dir', arguments.run_dir), ('--out', arguments.out)):
        if out is not None:  # a set is another one with every file in its folder
            check_outside(option, out, *(Path(name) for name in arguments.photographs if name not in IMAGE_SETS and Path(name).is_dir()))
    given = given_facts(arguments)
    # What the checkpoint's own configuration drops is dropped by the student alone.
    before = import_checkpoint(arguments.teacher, given) if arguments.teacher else import_checkpoint(arguments.checkpoint, given | {'keep_after': ()})
    imported = import_checkpoint(arguments.checkpoint, given | {'keep_after': arguments.keep_after})
    student, facts = imported.model, imported.facts
    for path, config in ((arguments.checkpoint, student.config), (arguments.teacher, before.model.config)):
        check_square(str(path), config)
    if arguments.size is not None:
        student = resized(student, arguments.size)
        facts = resized_facts(facts, imported.model.config, student.config)
    splits = [load_splits(name, arguments.data_dir, arguments.cache_dir) for name in arguments.photographs]
    mean, std, size = pixel_values(imported, 'mean'), pixel_values(imported, 'std'), before.model.config.img_size
    train, held_out = (
        Photographs([getattr(s, part) for s in splits], mean, std, size, options.min_crop_area) for part in ('train', 'validation')
    )
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    with (arguments.run_dir / 'log.txt').open('a') as log:
        narrowed = narrow(student, before.model, train, held_out, options, arguments.run_dir, lambda line: print(line, file=log, flush=True))
    write_timm(arguments.out or arguments.run_dir / 'narrowed', narrowed.state_dict(), narrowed.config, facts, imported.labels)


def resized_facts(facts: Facts, old: ViTConfig, new: ViTConfig) -> Facts:
    """Of the same network in another size, which is shown as much of a photograph."""
    changed = Facts({**facts, 'image_size': Fact((new.img_size, new.width), '--size')})
    if 'shorter_side' in facts:
        changed['shorter_side'] = Fact(round(facts.value('shorter_side') * new.img_size / old.img_size), '--size')
    return changed


def write_timm(out: Path, weights: dict[str, torch.Tensor], config: ViTConfig, facts: Facts, labels: list[str] | None) -> None:
    """A folder that `exporter import` and timm read: model.safetensors and config.json. facts: mean and std of colours in 0..1, and what is known of
    interpolation, shorter_side, fit, keep_after. Raises ValueError, before anything is written, for a network that timm has no names for."""
    said = configuration(config, facts, labels)
    out.mkdir(parents=True, exist_ok=True)
    save_file(named(weights, config.pool), out / 'model.safetensors', metadata={'format': 'pt'})
    (out / 'config.json').write_text(json.dumps(said, indent=1) + '\n')


def write_artifact(folder: Path, out: Path) -> None:
    """An exported network that is exact everywhere, as timm would have it. Raises ValueError for one that timm has no names for."""
    found = read_artifact(folder)
    config = found.model.config
    if config.positional or config.square_units or config.fixed_norms or config.kept_tokens:
        raise ValueError(f'{folder}: expected a plain ViT to write as a checkpoint of timm; with --dataset it becomes one of this project')
    if any(bool((switch != there).any()) for switch, there in zip(found.switches, computed(config))):
        raise ValueError(f'{folder}: expected every softmax row and GELU token exact; with --dataset it becomes a checkpoint of this project')
    if found.mean is None or found.std is None:
        raise ValueError(f'{folder}/model.onnx: expected mean and std')
    resize, source = found.manifest['preprocessing'], str(folder)
    said = {'mean': [v / 255 for v in found.mean], 'std': [v / 255 for v in found.std], 'shorter_side': resize['shorterSide'],
            'interpolation': resize.get('interpolation', 'bilinear'), 'fit': resize.get('fit', 'crop')}  # fmt: skip
    facts = Facts({name: Fact(value, source) for name, value in said.items()})
    write_timm(out, found.model.state_dict(), config, facts, found.manifest['labels'])


def register(commands: Commands) -> None:
    p = commands.add_parser('narrow', help="a pretrained network's ranges narrowed, in training towards itself: everything stays exact, and costs less")
    p.add_argument('checkpoint', type=Path, help="timm's or Hugging Face's file or folder")
    p.add_argument('--teacher', type=Path, default=None, help='what it learns to say; default: what the checkpoint says, of all its tokens')
    p.add_argument('--photographs', nargs='+', default=['imagenette'], help='image sets, by name or path; their labels are not used')
    p.add_argument('--data-dir', type=Path, default=Path('../../shared/data'), help="folder of the image sets' zips")
    p.add_argument('--cache-dir', type=Path, default=None, help="decoded images; default: the user's cache directory")
    p.add_argument('--run-dir', type=Path, required=True, help="the run's folder; an interrupted run in it is resumed")
    p.add_argument('--out', type=Path, default=None, help="folder for the checkpoint, in timm's names; default: narrowed in the run folder")
    p.add_argument(
        '--keep-after', nargs='+', default=None, metavar='BLOCK:PATTERN',
        help=f'behind these blocks, counted from 0, fewer tokens go on, which it learns to do with: {", ".join(PATTERNS)}',
    )  # fmt: skip
    p.add_argument('--size', type=int, default=None, help='pixels a side that it learns to do with; the teacher sees its own; default: its own')
    add_facts(p)
    add_options(p, NarrowOptions)
    p.set_defaults(run_command=run_narrow)
