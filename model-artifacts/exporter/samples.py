"""Sample images that ship with a model: a set's, byte for byte, or an owner's, without what its files tell beside the picture."""
from __future__ import annotations

import io
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .artifact import write_json
from .folding import Array, FoldedModel
from .forward import forward
from .images import ImageFiles, open_picture, to_rgb

# Longer sides in pixels: what is shown of a photograph; below the other, JPEG would alter what the model sees.
SHOWN_SIDE, SMALL_SIDE = 1024, 128


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
    """(suffix, file) of a picture's pixels alone, at most SHOWN_SIDE long: a camera's file says where and when, and holds what was cropped away."""
    image = to_rgb(open_picture(data))
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    plain, out = Image.fromarray(np.asarray(image)), io.BytesIO()
    suffix = '.png' if max(plain.size) <= SMALL_SIDE else '.jpg'
    plain.save(out, 'PNG' if suffix == '.png' else 'JPEG', quality=92)
    return suffix, out.getvalue()


def prepared(sample: Sample, images: ImageFiles) -> Array:
    """As the model sees it, (S, S, 3)."""
    return images.preprocessing.apply(Image.open(io.BytesIO(sample.data)))


def with_hard_ones(samples: list[Sample], images: ImageFiles, model: FoldedModel, labels: list[str]) -> list[Sample]:
    logits = forward(model, np.stack([prepared(sample, images) for sample in samples]))
    return [replace(sample, hard=labels[best] != sample.label) for sample, best in zip(samples, logits.argmax(1))]


def write_samples(out: Path, samples: list[Sample]) -> None:
    """samples/CLASS-N.jpg and samples/samples.json [{file, label, source, hard?}], in place of those from before."""
    folder = out / 'samples'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for sample in samples:
        (folder / sample.file).write_bytes(sample.data)
    write_json(folder / 'samples.json', [{'file': s.file, 'label': s.label, 'source': s.source, **({'hard': True} if s.hard else {})} for s in samples])
