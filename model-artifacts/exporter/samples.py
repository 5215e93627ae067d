"""Sample images that ship with a model: a set's, byte for byte, or an owner's, without what its files tell beside the picture."""
from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .artifact import write_json
from .folding import Array, FoldedModel
from .forward import forward
from .images import ImageFiles, open_picture, to_rgb
from .output import sample_files

# Longer sides in pixels: what is shown of a photograph; below the other, JPEG would alter what the model sees.
SHOWN_SIDE, SMALL_SIDE = 1024, 128
# Of an owner's own model, what its guests' tabs take: `sampleLimits` of client/src/session/ownSamples.ts.
MOST_SHARED, MOST_BYTES = 16, 2**19
JPEG_STEPS = ((SHOWN_SIDE, 92), (SHOWN_SIDE, 80), (768, 80), (512, 80))
"""(longer side, quality), tried in this order. The last has room for noise: 0.7 bytes a pixel, 180 kB."""


@dataclass(frozen=True)
class Sample:
    """data: the file. hard: the model, in floating point, gives another label."""

    file: str
    label: str
    source: str
    data: bytes
    hard: bool = False


def choose_samples(images: ImageFiles, description: dict[str, Any], per_class: int) -> list[Sample]:
    """By lot, so that as many are hard as the model is wrong. At least one: the first is for the golden vectors, whether samples ship or not."""
    chosen: list[Sample] = []
    numbers: dict[str, int] = {}
    for name, data, label in images.samples(max(1, per_class)):
        text = description['labels'][label]
        stem = re.sub('[^a-z0-9]+', '-', text.lower()).strip('-') or 'class'
        numbers[stem] = numbers.get(stem, 0) + 1
        chosen.append(Sample(f'{stem}-{numbers[stem]}.jpg', text, f"{description['dataset']}, {name}", data))
    return chosen


def for_strangers(data: bytes) -> tuple[str, bytes]:
    """(suffix, file) of a picture's pixels alone, at most SHOWN_SIDE long and of at most MOST_BYTES: a camera's file says where and when, and
    holds what was cropped away. Raises PictureError."""
    image = Image.fromarray(np.asarray(to_rgb(open_picture(data))))
    if max(image.size) <= SMALL_SIDE:
        return '.png', _encoded(image, 'PNG')
    for side, quality in JPEG_STEPS:
        image.thumbnail((side, side))
        file = _encoded(image, 'JPEG', quality=quality)
        if len(file) <= MOST_BYTES:
            break
    return '.jpg', file


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def prepared(sample: Sample, images: ImageFiles) -> Array:
    """As the model sees it, (S, S, 3)."""
    return images.preprocessing.apply(open_picture(sample.data))


def with_hard_ones(samples: list[Sample], images: ImageFiles, model: FoldedModel, labels: list[str]) -> list[Sample]:
    logits = forward(model, np.stack([prepared(sample, images) for sample in samples]))
    return [replace(sample, hard=labels[best] != sample.label) for sample, best in zip(samples, logits.argmax(1))]


def write_samples(out: Path, samples: list[Sample]) -> None:
    """samples/CLASS-N.jpg and samples/samples.json [{file, label, source, hard?}], in place of those that the latter listed before."""
    folder = out / 'samples'
    for file in sample_files(out):
        file.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        (folder / sample.file).write_bytes(sample.data)
    index = [{'file': s.file, 'label': s.label, 'source': s.source, **({'hard': True} if s.hard else {})} for s in samples]
    write_json(folder / 'samples.json', index)
