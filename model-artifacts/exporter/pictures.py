"""Any folder or zip of pictures, labelled or not, and the labels that people have.

A picture's label is its folder's name, if that is a class by its name, its synset or its number. `train` and `val` or `test` anywhere in
its path are believed; without them a part is held out at random.
"""
from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vit.folders import SUFFIXES

from .folding import Array
from .images import LabelledImages, PictureError, Preprocessing, open_picture, read_file
from .limits import LONGEST_LABEL
from .text import cut, plain_text


class PicturesProblem(ValueError):
    """What is wrong with the pictures or the labels, in a sentence."""


@dataclass(frozen=True)
class Labels:
    """names: of the classes, in the model's order, as a manifest takes them. aliases: all words for a class, such as its synset."""

    names: list[str]
    aliases: dict[str, int]

    @classmethod
    def of(cls, names: list[str], others: list[list[str]] | None = None) -> Labels:
        """others: more words for each class. A name comes before a part of another's name, and before a number."""
        aliases: dict[str, int] = {}
        words = [[name, *more] for name, more in zip(names, others or [[] for _ in names])]
        for of_class in (words, [name.split(',') for name in names], [[str(i)] for i in range(len(names))]):
            for i, own in enumerate(of_class):
                for word in filter(None, map(simplified, own)):
                    aliases.setdefault(word, i)
        return cls([cut(plain_text(name), LONGEST_LABEL) for name in names], aliases)

    def index(self, folder: str) -> int:
        """−1 for what is no class."""
        return self.aliases.get(simplified(folder), -1)


def simplified(name: str) -> str:
    return ''.join(c for c in name.lower() if c.isalnum())


def read_labels(path: Path) -> Labels:
    """A line for each class (its name, or columns with a synset and a name, divided by tabs, with or without the number first), or JSON: a
    list, or a dict by number. As scripts/lib/classNames.ts reads it (test/vectors/labels.json). Raises PicturesProblem."""
    if not path.exists():
        raise PicturesProblem(f'{path}: there is no such file of labels')
    try:
        text = path.read_text('utf-8-sig')
    except UnicodeDecodeError as error:
        raise PicturesProblem(f'{path}: expected UTF-8, which byte {error.start} is not: save the labels as UTF-8') from error
    except OSError as error:
        raise PicturesProblem(f'{path}: cannot be read ({error.strerror})') from error
    rows = _json_rows(path, text) if path.suffix == '.json' else _line_rows(text)
    if not rows:
        raise PicturesProblem(f'{path}: holds no label')
    for place, row in rows.items():
        if not row[-1]:
            raise PicturesProblem(f'{path}: {place}: expected a label, got none')
    return Labels.of([row[-1] for row in rows.values()], [*rows.values()])


def _line_rows(text: str) -> dict[str, list[str]]:
    """By their places, in words. Empty lines at the end are none."""
    rows = [[plain_text(cell) for cell in line.split('\t')] for line in text.split('\n')]
    while rows and not any(rows[-1]):
        rows.pop()
    if all(len(row) > 1 and row[0] == str(i) for i, row in enumerate(rows)):
        rows = [row[1:] for row in rows]
    return {f'line {i + 1}': row for i, row in enumerate(rows)}


def _json_rows(path: Path, text: str) -> dict[str, list[str]]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PicturesProblem(f'{path}: no JSON ({error})') from error
    if isinstance(value, dict):
        value = [value.get(str(i)) for i in range(len(value))]
    if not isinstance(value, list):
        raise PicturesProblem(f'{path}: expected a list of labels, or an object of them by number')
    rows = {f'label {i}': each if isinstance(each, list) else [each] for i, each in enumerate(value)}
    for place, row in rows.items():
        if not row or not all(isinstance(cell, str) for cell in row):
            raise PicturesProblem(f'{path}: {place}: expected a name, or a list of a synset and a name')
    return {place: [plain_text(cell) for cell in row] for place, row in rows.items()}


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
        found = [p for p in sorted(path.rglob('*')) if p.is_file()]
        files: list[tuple[str, Callable[[], bytes]]] = [(p.relative_to(path).as_posix(), p.read_bytes) for p in found]
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
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


def load(
    pictures: list[Picture], preprocessing: Preprocessing, say: Callable[[int], object] = lambda done: None
) -> tuple[LabelledImages, list[Picture], list[str]]:
    """(as the network sees them, the pictures that these are, sentences about those that cannot be read and are left out)."""
    images: list[Array] = []
    read, problems = [], []
    for i, picture in enumerate(pictures):
        try:
            images.append(preprocessing.apply(open_picture(read_file(picture.read))))
            read.append(picture)
        except PictureError as error:
            problems.append(plain_text(f'{picture.name}: {error}'))
        say(i + 1)
    if not images:
        raise PicturesProblem(f'none of {len(pictures)} pictures can be read: {problems[0] if problems else "none was chosen"}')
    return LabelledImages(np.stack(images), np.array([picture.label for picture in read])), read, problems



