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
from ..bundle import check_bundle, write_bundle
from ..card import write_imported_card
from ..checkpoint import Checkpoint
from ..costs import choices
from ..errors import ExportError, UsageProblem, check_number
from ..evaluate import evaluate
from ..export import title_of, write_artifact
from ..folding import Array
from ..forward import forward
from ..images import PictureError, Preprocessing, read_file
from ..limits import IMAGE_SIDES, LONGEST_SHORTER_SIDE, check_limits, check_words
from ..onnx_model import to_onnx
from ..output import check_output, replacing
from ..pictures import Labels, Picture, PicturesProblem, choose, find_pictures, load, read_labels
from ..progress import say, step
from ..public_part import check_public_blocks, publish
from ..runtime import run_onnx
from ..samples import MOST_SHARED, Sample, for_strangers, write_samples
from ..text import plain_text

TOLERANCE = 1e-3
"""Largest difference of two float forwards' logits, as a part of the logits' spread, and of 1 where that is smaller."""
COMPARED = 4
"""Pictures that are compared; one alone would hide a class token that reads another picture's."""


def main(argv: list[str] | None = None) -> None:
    """Prints one JSON object; exits with 1 and a sentence when something is wrong. Nothing is written then."""
    arguments = _parser().parse_args(argv)
    try:
        print(json.dumps(run(arguments), indent=1))
    except (ImportProblem, PicturesProblem, UsageProblem, OSError) as problem:
        sys.exit(f'exporter: {problem}')
    except ExportError as error:
        sys.exit(f'exporter: {arguments.checkpoint.name} does not fit the fixed-point plan: {error}')


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    started = time.monotonic()
    options = _options(arguments)
    inputs = [path for path in (arguments.checkpoint, arguments.labels) if path]
    check_output(arguments.out, *inputs, searched=(arguments.images,))
    check_bundle(arguments.out, *inputs, arguments.images)
    with step(f'Reading {arguments.checkpoint}'):
        imported = import_checkpoint(arguments.checkpoint, options)
    c = imported.model.config
    parameters = sum(p.numel() for p in imported.model.parameters())
    say(f'  {imported.origin}: {c.depth} blocks x {c.embed_dim}, {c.num_tokens} tokens, {c.num_classes} classes, {parameters / 1e6:.1f} M parameters')
    say(imported.facts.table())
    if arguments.public_blocks is not None:
        check_public_blocks(arguments.public_blocks, c.depth)
    preprocessing = preprocessing_of(imported)
    labels = labels_of(imported, arguments.labels)
    checkpoint = as_checkpoint(imported, labels, preprocessing, arguments)
    check_limits(checkpoint, preprocessing)
    check_words(title_of(checkpoint), '')
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
    with step('Comparing two float forwards'):
        difference = compare(checkpoint, calibration.images[:COMPARED])
    say(f'  largest difference {difference:.1e} of the logits\' spread')
    out = arguments.out
    with replacing(out) as new:
        with step('Calibrating, choosing scales, checking integers', len(calibration.images)) as done:
            golden = 'the first picture that was held out'
            model = write_artifact(checkpoint, calibration.images, held_out.images[0], golden, preprocessing, new, say=done)
        if arguments.public_blocks is not None:
            publish(new, checkpoint, arguments.public_blocks)
            say(f'  patch embedding and the first {arguments.public_blocks} blocks are public: clients compute them')
        for line in choices(json.loads((new / 'manifest.json').read_text('utf-8'))):
            say(f'  {line}')
        with step('Measuring integers against floats', len(held_out.images)) as done:
            figures = evaluate(new, model, held_out, done)
        samples = samples_of(shown[: arguments.samples], checkpoint, held_out.images)
        write_samples(new, samples)
        if samples:
            say(f'  {len(samples)} of the pictures go into the artifact, and guests of its owner are shown them (--samples 0: none)')
        write_imported_card(new, checkpoint, imported.facts, figures, len(calibration.images), arguments.notes)
    bundle = write_bundle(out)
    files = (out / 'weights.bin', out / 'model.onnx', out / PUBLIC_PART, bundle)
    sizes = {p.name: p.stat().st_size for p in files if p.exists()}
    say(f'Wrote {out} and {bundle.name}: {", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())}')
    seconds = round(time.monotonic() - started)
    return {'out': str(out), 'bundle': str(bundle), 'bytes': sizes, 'seconds': seconds, 'floatDifference': difference, **figures}


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
    labels = read_labels(path) if path else Labels.of([str(label) for label in imported.labels or [f'class {i}' for i in range(count)]])
    if len(labels.names) != count:
        raise PicturesProblem(f'{path or "config.json"}: {len(labels.names)} labels for {count} classes')
    if '' in labels.names:
        raise PicturesProblem(f'{path or "config.json"}: label {labels.names.index("")} is empty: name the classes with --labels')
    return labels


def as_checkpoint(imported: Imported, labels: Labels, preprocessing: Preprocessing, arguments: argparse.Namespace) -> Checkpoint:
    c, facts = imported.model.config, imported.facts
    name = arguments.name or re.sub(r'[^a-z0-9]+', '-', arguments.out.resolve().name.lower()).strip('-')[:41]
    if not name:
        raise UsageProblem(f'--out {arguments.out}: no letter of a to z to name the model by: expected --name')
    description = {
        'name': name, 'labels': labels.names, 'dataset': plain_text(arguments.title or arguments.checkpoint.stem),
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
        words = f'two float forwards of this checkpoint differ by {difference:.2g} of the logits\' spread'
        raise ImportProblem(f'{words}, more than {TOLERANCE}: please report it')
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
        stem = re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')[:40] or 'class'
        try:
            suffix, data = for_strangers(read_file(picture.read))
        except PictureError as error:  # it was there a moment ago
            say(f'  left out: {plain_text(picture.name)}: {error}')
            continue
        out.append(Sample(f'{stem}-{i + 1}{suffix}', label, source, data))
    return out


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The facts that are given. Raises UsageProblem and ImportProblem for what no network or no import has."""
    for name, low, high in (
        ('calibration', 1, None), ('evaluate', 1, None), ('samples', 0, MOST_SHARED), ('heads', 1, None), ('epsilon', 0, 1),
        ('shorter_side', IMAGE_SIDES[0], LONGEST_SHORTER_SIDE),
    ):  # fmt: skip
        check_number(f'--{name.replace("_", "-")}', getattr(arguments, name), low, high)
    size = _sides(arguments.image_size)
    triple = {name: _triple(getattr(arguments, name), name) for name in ('mean', 'std')}
    names = ('heads', 'epsilon', 'activation', 'pool', 'interpolation', 'shorter_side', 'fit', 'keep_after')
    plain = {name: getattr(arguments, name) for name in names}
    return {**plain, **triple, 'image_size': size}


def _sides(size: str | None) -> tuple[int, int] | None:
    """(height, width) of `32x64`, or of one number for both."""
    if size is None:
        return None
    found = re.fullmatch(r'([0-9]{1,5})(?:[x×]([0-9]{1,5}))?', size)
    if not found:
        raise UsageProblem(f'--image-size {size}: expected HEIGHTxWIDTH in pixels, such as 32x64, or one number')
    height, width = int(found[1]), int(found[2] or found[1])
    for side in (height, width):
        check_number('--image-size', side, *IMAGE_SIDES)
    return height, width


def _triple(values: list[float] | None, name: str) -> tuple[float, ...] | None:
    if values is None:
        return None
    if len(values) not in (1, 3) or not all(0 <= v <= 1 for v in values) or (name == 'std' and 0 in values):
        raise UsageProblem(f'--{name}: expected one or three numbers in 0..1{", and not 0" if name == "std" else ""}, got {values}')
    return tuple(values * 3 if len(values) == 1 else values)


def _parser() -> argparse.ArgumentParser:
    about = "Anybody's trained ViT as an artifact for two-party inference (docs/bring-your-own.md)."
    p = argparse.ArgumentParser(prog='exporter import', description=about)
    p.add_argument('checkpoint', type=Path, help='safetensors (also in shards), .pth or .bin, or the folder that has it with its config.json')
    p.add_argument('--images', type=Path, required=True, help='folder or zip of pictures, labelled by their folders or not; they calibrate')
    p.add_argument('--labels', type=Path, default=None, help='file with a line for each class (name, or synset and name), or JSON')
    p.add_argument(
        '--out', type=Path, required=True,
        help='folder to write: new, empty, or an earlier artifact, which is replaced; OUT.blindsight comes beside it',
    )  # fmt: skip
    p.add_argument('--name', default=None, help="default: the folder's")
    p.add_argument('--title', default=None, help='what the model knows, in words; default: the file\'s name')
    p.add_argument('--calibration', type=int, default=400, help='pictures to calibrate with; default 400')
    p.add_argument('--evaluate', type=int, default=100, help='other pictures to measure with; default 100')
    p.add_argument('--public-blocks', type=int, default=None, help='patch embedding and so many blocks are no secret: clients compute them')
    p.add_argument('--samples', type=int, default=8, help=f'pictures that go into the artifact, for guests to see: 0 to {MOST_SHARED}; default 8')
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
        help=f'behind these blocks, counted from 0, fewer tokens go on: {", ".join(PATTERNS)}; '
        'cheaper, and less accurate until trained (privit narrow)',
    )  # fmt: skip
    return p
