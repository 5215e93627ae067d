"""Any folder or zip of pictures, labelled or not, and the labels that people have.

A picture's label is its folder's name, if that is a class by its name, its synset or its number. `train` and `val` or `test` anywhere in
its path are believed; without them a part is held out at random.
"""
from __future__ import annotations

import csv
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from .folding import Array
from .images import LabelledImages, PictureError, Preprocessing, open_picture

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.gif')
LONGEST_LABEL = 80


class PicturesProblem(ValueError):
    """What is wrong with the pictures or the labels, in a sentence."""


@dataclass(frozen=True)
class Labels:
    """names: of the classes, in the model's order. aliases: other words for a class, such as its synset."""

    names: list[str]
    aliases: dict[str, int]

    @classmethod
    def of(cls, names: list[str], others: list[list[str]] | None = None) -> Labels:
        aliases: dict[str, int] = {}
        for i, name in enumerate(names):
            for word in (str(i), *name.split(','), name, *(others[i] if others else [])):
                aliases.setdefault(simplified(word), i)
        return cls([name[:LONGEST_LABEL] for name in names], aliases)

    def index(self, folder: str) -> int:
        """−1 for what is no class."""
        return self.aliases.get(simplified(folder), -1)


def simplified(name: str) -> str:
    return ''.join(c for c in name.lower() if c.isalnum())


def read_labels(path: Path) -> Labels:
    """A line for each class (its name, or columns with a synset and a name), or JSON: a list, or a dict by number."""
    if not path.exists():
        raise PicturesProblem(f'{path}: there is no such file of labels')
    text = path.read_text()
    if path.suffix == '.json':
        value = json.loads(text)
        if isinstance(value, dict):
            value = [value[str(i)] for i in range(len(value))]
        return Labels.of([v if isinstance(v, str) else v[-1] for v in value], [[v] if isinstance(v, str) else list(v) for v in value])
    rows = [row for row in csv.reader(text.splitlines(), delimiter='\t') if row] if '\t' in text else [[line] for line in text.splitlines() if line.strip()]
    if all(row[0].strip() == str(i) for i, row in enumerate(rows)) and len(rows[0]) > 1:
        rows = [row[1:] for row in rows]
    return Labels.of([row[-1].strip() for row in rows], [[cell.strip() for cell in row] for row in rows])


@dataclass(frozen=True)
class Picture:
    name: str
    label: int  # −1: unknown
    split: str  # 'train', 'test' or ''
    read: Callable[[], bytes]


def find_pictures(path: Path, labels: Labels) -> list[Picture]:
    """All pictures under a folder or in a zip, by name. Raises PicturesProblem when there is none."""
    if not path.exists():
        raise PicturesProblem(f'{path}: there is no such folder or zip of pictures')
    if path.is_dir():
        files: list[tuple[str, Callable[[], bytes]]] = [(p.relative_to(path).as_posix(), p.read_bytes) for p in sorted(path.rglob('*')) if p.is_file()]
    else:
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise PicturesProblem(f'{path}: expected a folder or a zip of pictures ({error})') from error
        files = [(name, lambda name=name: archive.read(name)) for name in sorted(archive.namelist())]  # type: ignore[misc]
    out = []
    for name, read in files:
        parts = PurePosixPath(name).parts
        if not name.lower().endswith(SUFFIXES) or parts[-1].startswith('.') or '__MACOSX' in parts:
            continue
        words = {part.lower() for part in parts[:-1]}
        split = 'train' if 'train' in words else 'test' if words & {'test', 'val', 'validation'} else ''
        out.append(Picture(name, labels.index(parts[-2]) if len(parts) > 1 else -1, split, read))
    if not out:
        raise PicturesProblem(f'{path}: no picture in it: expected {", ".join(SUFFIXES)}, in any folders')
    return out


@dataclass(frozen=True)
class Chosen:
    """calibration and held_out do not overlap, unless there are too few pictures for both (then the same ones serve, and `overlaps` is true)."""

    calibration: list[Picture]
    held_out: list[Picture]
    overlaps: bool


def choose(pictures: list[Picture], calibration: int, held_out: int, seed: int = 0) -> Chosen:
    shuffled = pictures[:]
    random.Random(seed).shuffle(shuffled)
    train, test = ([p for p in shuffled if p.split == split] for split in ('train', 'test'))
    if not train or not test:
        if len(shuffled) < 8:
            return Chosen(shuffled[:calibration], shuffled[:held_out], True)
        part = min(held_out, max(1, len(shuffled) // 5))
        train, test = shuffled[part:], shuffled[:part]
    return Chosen(train[:calibration], test[:held_out], False)


def load(pictures: list[Picture], preprocessing: Preprocessing, say: Callable[[int], object] = lambda done: None) -> tuple[LabelledImages, list[Picture], list[str]]:
    """(as the network sees them, the pictures that these are, sentences about those that cannot be read and are left out)."""
    images: list[Array] = []
    read, problems = [], []
    for i, picture in enumerate(pictures):
        try:
            images.append(preprocessing.apply(open_picture(picture.read())))
            read.append(picture)
        except PictureError as error:
            problems.append(f'{picture.name}: {error}')
        say(i + 1)
    if not images:
        raise PicturesProblem(f'none of {len(pictures)} pictures can be read: {problems[0] if problems else "none was chosen"}')
    return LabelledImages(np.stack(images), np.array([picture.label for picture in read])), read, problems



