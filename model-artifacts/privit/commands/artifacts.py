"""`python -m privit restore|measure|export`: the way to an artifact (docs/artifact.md), and back."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

from exporter.cli import main as export_main  # noqa: F401 (its options are its own: privit's main hands them over)
from exporter.measure import measure
from exporter.restore import restore
from vit.checkpoint import save_checkpoint
from vit.data import image_set_info

from .arguments import Commands
from .pretrained import write_artifact


def run_restore(arguments: argparse.Namespace) -> None:
    if arguments.dataset is None:
        return write_artifact(arguments.artifact, arguments.out)
    found = restore(arguments.artifact, image_set_info(arguments.dataset))
    save_checkpoint(arguments.out, found.model.state_dict(), found.switches, found.description)


def run_measure(arguments: argparse.Namespace) -> None:
    print(json.dumps(measure(arguments.artifact, image_set_info(arguments.dataset), arguments.data, arguments.images), indent=1))


def register(commands: Commands) -> None:
    p = commands.add_parser(
        'restore',
        help='checkpoint out of an exported artifact, to train it further: search --teacher OUT --keep-switches, with --views, --live or --kd-teacher',
    )
    p.add_argument('artifact', type=Path, help="folder with the artifact's manifest.json and model.onnx")
    p.add_argument('--dataset', default=None, help='cifar10, imagenette, or the path of a folder or zip of images; without: a checkpoint as timm writes it, of a plain ViT that is exact everywhere')
    p.add_argument('--out', type=Path, required=True, help='safetensors to write; without --dataset a folder')
    p.set_defaults(run_command=run_restore)

    p = commands.add_parser('measure', help="an artifact's accuracy in floats and integers, onto its card")
    p.add_argument('artifact', type=Path, help="folder with the artifact's files")
    p.add_argument('--dataset', required=True, help='cifar10, imagenette, or the path of a folder or zip of images')
    p.add_argument('--data', type=Path, required=True, help="the image set's folder or zip")
    p.add_argument('--images', type=int, default=1000, help='held-out images, at random; default 1000')
    p.set_defaults(run_command=run_measure)
    commands.add_parser('export', add_help=False, help='integer artifact for the secure protocols: python -m exporter')
