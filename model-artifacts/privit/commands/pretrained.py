"""`python -m privit narrow`: what is done to a pretrained network whose nonlinearities stay exact."""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vit.data import load_splits
from vit.imports import Imported, import_checkpoint
from vit.imports.timm import named
from vit.kept_tokens import PATTERNS

from ..narrow import NarrowOptions, Photographs, narrow
from ..options import add_options, read_options
from ..pretrained import pixel_values
from .arguments import Commands, add_facts, given_facts


def run_narrow(arguments: argparse.Namespace) -> None:
    options = read_options(arguments, NarrowOptions)
    given = given_facts(arguments)
    before = import_checkpoint(arguments.teacher or arguments.checkpoint, given)
    imported = import_checkpoint(arguments.checkpoint, given | {'keep_after': arguments.keep_after})
    splits = [load_splits(name, arguments.data_dir, arguments.cache_dir) for name in arguments.photographs]
    mean, std, size = pixel_values(imported, 'mean'), pixel_values(imported, 'std'), imported.model.config.img_size
    train, held_out = (
        Photographs([getattr(s, part) for s in splits], mean, std, size, options.min_crop_area) for part in ('train', 'validation')
    )
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    with (arguments.run_dir / 'log.txt').open('a') as log:
        narrowed = narrow(imported.model, before.model, train, held_out, options, arguments.run_dir, lambda line: print(line, file=log, flush=True))
    write_timm(arguments.out or arguments.run_dir / 'narrowed', narrowed.state_dict(), imported)


def write_timm(out: Path, weights: dict[str, torch.Tensor], imported: Imported) -> None:
    """A folder that `exporter import` and timm read: model.safetensors and config.json."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(named(weights), out / 'model.safetensors', metadata={'format': 'pt'})
    facts, config = imported.facts, imported.model.config
    size = [config.img_size, config.width]
    seen: dict[str, Any] = {'input_size': [3, *size], 'mean': facts.value('mean'), 'std': facts.value('std')}
    if 'interpolation' in facts:
        seen['interpolation'] = facts.value('interpolation')
    if 'shorter_side' in facts:
        seen['crop_pct'] = config.img_size / facts.value('shorter_side')
    said: dict[str, Any] = {'model_args': {'num_heads': config.num_heads, 'img_size': size}, 'pretrained_cfg': seen}
    if 'keep_after' in facts:
        said['model_args']['keep_after'] = facts.value('keep_after')
    if imported.labels:
        said['label_names'] = imported.labels
    (out / 'config.json').write_text(json.dumps(said, indent=1) + '\n')


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
    add_facts(p)
    add_options(p, NarrowOptions)
    p.set_defaults(run_command=run_narrow)
