"""`python -m exporter import FILE|DIR --images DIR|ZIP --out DIR`: anybody's ViT, in timm's or Hugging Face's names (docs/bring-your-own.md)."""
from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vit.imports import Imported, ImportProblem, import_checkpoint
from vit.kept_tokens import PATTERNS

from ..artifact import PUBLIC_PART
from ..bundle import write_bundle
from ..card import write_imported_card
from ..checkpoint import Checkpoint
from ..costs import choices
from ..errors import ExportError
from ..evaluate import evaluate
from ..export import write_artifact
from ..folding import Array
from ..forward import forward
from ..images import Preprocessing
from ..onnx_model import to_onnx
from ..pictures import Labels, Picture, PicturesProblem, choose, find_pictures, load, read_labels
from ..progress import say, step
from ..public_part import check_public_blocks, publish
from ..runtime import run_onnx
from ..samples import Sample, for_strangers, write_samples

TOLERANCE = 1e-3
"""Largest difference of two float forwards' logits, as a part of the logits' spread, and of 1 where that is smaller."""
COMPARED = 4
"""Pictures that are compared; one alone would hide a class token that reads another picture's."""


def main(argv: list[str] | None = None) -> None:
    """Prints one JSON object; exits with 1 and a sentence when something is wrong. Nothing is written then."""
    arguments = _parser().parse_args(argv)
    try:
        print(json.dumps(run(arguments), indent=1))
    except (ImportProblem, PicturesProblem) as problem:
        sys.exit(f'exporter: {problem}')
    except ExportError as error:
        sys.exit(f'exporter: {arguments.checkpoint.name} does not fit the fixed-point plan: {error}')


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    started = time.monotonic()
    with step(f'Reading {arguments.checkpoint}'):
        imported = import_checkpoint(arguments.checkpoint, _options(arguments))
    c = imported.model.config
    parameters = sum(p.numel() for p in imported.model.parameters())
    say(f'  {imported.origin}: {c.depth} blocks x {c.embed_dim}, {c.num_tokens} tokens, {c.num_classes} classes, {parameters / 1e6:.1f} M parameters')
    say(imported.facts.table())
    if arguments.public_blocks is not None:
        check_public_blocks(arguments.public_blocks, c.depth)
    preprocessing = preprocessing_of(imported)
    labels = labels_of(imported, arguments.labels)
    pictures = find_pictures(arguments.images, labels)
    chosen = choose(pictures, arguments.calibration, arguments.evaluate)
    known = sum(p.label >= 0 for p in pictures)
    say(f'  {len(pictures)} pictures, {known} of them labelled: {len(chosen.calibration)} to calibrate, {len(chosen.held_out)} to measure'
        + (' (the same ones: there are too few)' if chosen.overlaps else ''))  # fmt: skip
    with step('Reading pictures', len(chosen.calibration) + len(chosen.held_out)) as done:
        calibration, _, problems = load(chosen.calibration, preprocessing, done)
        held_out, shown, more = load(chosen.held_out, preprocessing, lambda n: done(len(chosen.calibration) + n))
    for problem in problems + more:
        say(f'  left out: {problem}')
    checkpoint = as_checkpoint(imported, labels, preprocessing, arguments)
    with step('Comparing two float forwards'):
        difference = compare(checkpoint, calibration.images[:COMPARED])
    say(f'  largest difference {difference:.1e} of the logits\' spread')
    with step('Calibrating, choosing scales, checking integers', len(calibration.images)) as done:
        out = arguments.out
        model = write_artifact(checkpoint, calibration.images, held_out.images[0], 'the first picture that was held out', preprocessing, out, say=done)
    if arguments.public_blocks is not None:
        publish(out, checkpoint, arguments.public_blocks)
        say(f'  patch embedding and the first {arguments.public_blocks} blocks are public: clients compute them')
    for line in choices(json.loads((out / 'manifest.json').read_text())):
        say(f'  {line}')
    with step('Measuring integers against floats', len(held_out.images)) as done:
        figures = evaluate(out, model, held_out, done)
    samples = samples_of(shown[: arguments.samples], checkpoint, held_out.images)
    write_samples(out, samples)
    if samples:
        say(f'  {len(samples)} of the pictures go into the artifact, and guests of its owner are shown them (--samples 0: none)')
    write_imported_card(out, checkpoint, imported.facts, figures, len(calibration.images), arguments.notes)
    bundle = write_bundle(out)
    files = (out / 'weights.bin', out / 'model.onnx', out / PUBLIC_PART, bundle)
    sizes = {p.name: p.stat().st_size for p in files if p.exists()}
    say(f'Wrote {out} and {bundle.name}: {", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())}')
    return {'out': str(out), 'bundle': str(bundle), 'bytes': sizes, 'seconds': round(time.monotonic() - started), 'floatDifference': difference, **figures}


def preprocessing_of(imported: Imported) -> Preprocessing:
    facts = imported.facts
    fit = facts['fit'].value if 'fit' in facts else 'crop'
    facts.require('image_size', 'mean', 'std', 'interpolation', *(['shorter_side'] if fit == 'crop' else []))
    height, width = facts.value('image_size')
    shorter = height if fit == 'squash' else facts.value('shorter_side')
    interpolation = facts.value('interpolation')
    if interpolation not in ('bilinear', 'bicubic'):
        raise ImportProblem(f'interpolation {interpolation}: expected bilinear or bicubic (--interpolation)')
    if shorter < height:
        raise ImportProblem(f'shorter_side {shorter}: expected {height} or more, the height of the image')
    return Preprocessing(shorter, height, None if width == height else width, interpolation, fit)


def labels_of(imported: Imported, path: Path | None) -> Labels:
    """Of the file, else of the checkpoint's configuration, else numbers."""
    count = imported.model.config.num_classes
    labels = read_labels(path) if path else Labels.of(imported.labels or [f'class {i}' for i in range(count)])
    if len(labels.names) != count:
        raise PicturesProblem(f'{path or "config.json"}: {len(labels.names)} labels for {count} classes')
    return labels


def as_checkpoint(imported: Imported, labels: Labels, preprocessing: Preprocessing, arguments: argparse.Namespace) -> Checkpoint:
    c, facts = imported.model.config, imported.facts
    name = arguments.name or re.sub(r'[^a-z0-9]+', '-', arguments.out.name.lower()).strip('-')[:41]
    description = {
        'name': name, 'labels': labels.names, 'dataset': arguments.title or arguments.checkpoint.stem,
        'mean': [255 * v for v in facts.value('mean')], 'std': [255 * v for v in facts.value('std')],
        'resize': {'shorter_side': preprocessing.shorter_side, 'crop': preprocessing.crop, 'interpolation': preprocessing.interpolation},
        'recipe': f'imported from {imported.origin}',
    }  # fmt: skip
    on = torch.ones(c.depth, c.num_heads, c.num_tokens), torch.ones(c.depth, c.num_tokens)
    return Checkpoint(imported.model, on, description)


def compare(checkpoint: Checkpoint, images: Array) -> float:
    """Largest difference of the folded network's logits (numpy, float64) from the unfolded one's (onnxruntime), as a part of their spread.

    Raises ImportProblem above TOLERANCE: then one of the two does not compute this checkpoint.
    """
    folded = forward(checkpoint.fold(), images)
    unfolded = run_onnx(to_onnx(checkpoint, half=False), images)
    difference = float(np.abs(folded - unfolded).max() / max(1.0, float(folded.std())))
    if not difference <= TOLERANCE:
        raise ImportProblem(f'two float forwards of this checkpoint differ by {difference:.2g} of the logits\' spread, more than {TOLERANCE}: please report it')
    return difference


def samples_of(pictures: list[Picture], checkpoint: Checkpoint, images: Array) -> list[Sample]:
    """For strangers: no names of files or folders. A picture without a label gets the float model's."""
    if not pictures:
        return []
    said = run_onnx(to_onnx(checkpoint), images[: len(pictures)]).argmax(1)
    names = checkpoint.description['labels']
    out = []
    for i, (picture, own) in enumerate(zip(pictures, said)):
        label = names[picture.label] if picture.label >= 0 else names[int(own)]
        source = "the owner's label" if picture.label >= 0 else "the model's label"
        stem = re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')[:40]
        suffix, data = for_strangers(picture.read())
        out.append(Sample(f'{stem}-{i + 1}{suffix}', label, source, data))
    return out


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    size = arguments.image_size
    if size:
        parts = [int(v) for v in re.split(r'[x×]', size)]
        size = (parts[0], parts[-1])
    triple = {name: _triple(getattr(arguments, name), name) for name in ('mean', 'std')}
    plain = {name: getattr(arguments, name) for name in ('heads', 'epsilon', 'activation', 'pool', 'interpolation', 'shorter_side', 'fit', 'keep_after')}
    return {**plain, **triple, 'image_size': size}


def _triple(values: list[float] | None, name: str) -> tuple[float, ...] | None:
    if values is None:
        return None
    if len(values) not in (1, 3) or max(values) > 1 or min(values) < 0:
        raise ImportProblem(f'--{name}: expected one or three numbers in 0..1, got {values}')
    return tuple(values * 3 if len(values) == 1 else values)


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog='exporter import', description="Anybody's trained ViT as an artifact for two-party inference (docs/bring-your-own.md).")
    p.add_argument('checkpoint', type=Path, help='safetensors (also in shards), .pth or .bin, or the folder that has it with its config.json')
    p.add_argument('--images', type=Path, required=True, help='folder or zip of pictures, labelled by their folders or not; they calibrate')
    p.add_argument('--labels', type=Path, default=None, help='file with a line for each class (name, or synset and name), or JSON')
    p.add_argument('--out', type=Path, required=True, help='folder to write; OUT.blindsight comes beside it')
    p.add_argument('--name', default=None, help="default: the folder's")
    p.add_argument('--title', default=None, help='what the model knows, in words; default: the file\'s name')
    p.add_argument('--calibration', type=int, default=400, help='pictures to calibrate with; default 400')
    p.add_argument('--evaluate', type=int, default=100, help='other pictures to measure with; default 100')
    p.add_argument('--public-blocks', type=int, default=None, help='patch embedding and so many blocks are no secret: clients compute them')
    p.add_argument('--samples', type=int, default=8, help='pictures that go into the artifact, for guests to see; default 8')
    p.add_argument('--notes', default='', help='for the card: origin, licence')
    known = p.add_argument_group('what tensors do not tell, where no config.json does either')
    known.add_argument('--heads', type=int, help='attention heads')
    known.add_argument('--epsilon', type=float, help="LayerNorm's epsilon")
    known.add_argument('--activation', choices=['gelu', 'gelu-tanh', 'quick-gelu'])
    known.add_argument('--image-size', help='HEIGHTxWIDTH in pixels, or one number')
    known.add_argument('--pool', choices=['class', 'mean', 'norm-mean'], help='what the classifier reads')
    known.add_argument('--mean', type=float, nargs='+', help='of colours in 0..1')
    known.add_argument('--std', type=float, nargs='+')
    known.add_argument('--interpolation', choices=['bilinear', 'bicubic'])
    known.add_argument('--shorter-side', type=int, help='pixels to which it is resized before the centre is taken')
    known.add_argument('--fit', choices=['crop', 'squash'])
    p.add_argument(
        '--keep-after', nargs='+', default=None, metavar='BLOCK:PATTERN',
        help=f'behind these blocks, counted from 0, fewer tokens go on: {", ".join(PATTERNS)}; cheaper, and less accurate until trained (privit narrow)',
    )  # fmt: skip
    return p
