"""`python -m exporter CHECKPOINT --data ZIP --out DIR`: a network of this project's own training."""
from __future__ import annotations

import argparse
import json
import sys
import time
import zipfile
from pathlib import Path

from safetensors import SafetensorError

from vit.data import IMAGE_SETS

from ..card import write_card
from ..checkpoint import read_checkpoint
from ..errors import ExportError, UsageProblem, check_number
from ..evaluate import evaluate
from ..export import write_artifact
from ..images import ImageFiles, Preprocessing
from ..output import check_output, replacing
from ..samples import choose_samples, prepared, with_hard_ones, write_samples


def main(argv: list[str] | None = None) -> None:
    """Run an export; prints one JSON object of figures. Exits with 1 and a sentence when something is wrong, or the model does not fit; nothing
    is written then."""
    parser = argparse.ArgumentParser(prog='exporter', description='Export a trained ViT for two-party inference (docs/artifact.md).')
    parser.add_argument('checkpoint', type=Path, help='safetensors with timm names, optional switch.softmax, switch.gelu and config')
    parser.add_argument('--data', type=Path, required=True, help="the image set: train/CLASS/* and val/CLASS/* or test/CLASS/*, in a folder or a zip")
    parser.add_argument('--out', type=Path, required=True, help='folder to write: new, empty, or an earlier artifact, which is replaced')
    parser.add_argument('--name', default=None, help="default: the checkpoint's")
    parser.add_argument('--dataset', choices=sorted(IMAGE_SETS), default=None, help='of a plain timm state dict, which does not describe itself')
    parser.add_argument('--calibration', type=int, default=2000, help='training images')
    parser.add_argument('--evaluate', type=int, default=1000, help='test images for the figures on the card; 0 for none')
    parser.add_argument('--samples-per-class', type=int, default=2)
    parser.add_argument('--evaluations', type=Path, nargs='*', default=[], help='JSON files that `privit evaluate` printed, for the card')
    parser.add_argument('--notes', default='', help='for the card: hours, machine')
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    try:
        _check_options(arguments)
        checkpoint = read_checkpoint(arguments.checkpoint, arguments.dataset)
        if arguments.name:
            checkpoint.description['name'] = arguments.name
        description = checkpoint.description
        resize = description['resize']
        preprocessing = Preprocessing(resize['shorter_side'], resize['crop'])
        images = ImageFiles(arguments.data, description['labels'], preprocessing)
        samples = choose_samples(images, description, arguments.samples_per_class)
        calibration = images.training(arguments.calibration).images
        held_out = images.held_out(arguments.evaluate) if arguments.evaluate else None
        golden = prepared(samples[0], images)
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as problem:
        sys.exit(f'exporter: {problem}')
    try:
        with replacing(arguments.out) as out:
            model = write_artifact(checkpoint, calibration, golden, f'samples/{samples[0].file}', preprocessing, out)
            shipped = with_hard_ones(samples, images, model, description['labels']) if arguments.samples_per_class else []
            write_samples(out, shipped)
            figures = evaluate(out, model, held_out) if held_out else None
            write_card(out, arguments.checkpoint, checkpoint, figures, len(calibration), arguments.evaluations, arguments.notes)
    except ExportError as error:
        sys.exit(f'exporter: {arguments.checkpoint.name} does not fit the fixed-point plan: {error}')
    except OSError as problem:
        sys.exit(f'exporter: {problem}')
    print(json.dumps({'out': str(arguments.out), 'seconds': round(time.monotonic() - started), **(figures or {})}, indent=1))


def _check_evaluation(path: Path) -> None:
    """Raises UsageProblem for what the card cannot be written of in the end."""
    if not path.is_file():
        raise UsageProblem(f'--evaluations {path}: there is no such file')
    try:
        report = json.loads(path.read_text())
    except ValueError as error:
        raise UsageProblem(f'--evaluations {path}: no JSON ({error})') from error
    if not isinstance(report, dict) or not {'split', 'top1', 'images', 'maxima'} <= report.keys():
        raise UsageProblem(f'--evaluations {path}: expected what `privit evaluate` printed')


def _check_options(arguments: argparse.Namespace) -> None:
    """Raises UsageProblem."""
    for name, low in (('calibration', 1), ('evaluate', 0), ('samples_per_class', 0)):
        check_number(f'--{name.replace("_", "-")}', getattr(arguments, name), low)
    for path in arguments.evaluations:
        _check_evaluation(path)
    check_output(arguments.out, arguments.checkpoint, *arguments.evaluations, searched=(arguments.data,))
