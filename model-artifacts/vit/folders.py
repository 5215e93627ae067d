"""Photographs in folders: `train/CLASS/*` and `val/CLASS/*` (or `test/CLASS/*`), in a directory or a zip, whoever made them.

What people's sets look like: one more folder around everything, another between a class and its images, and a `val/` whose classes stand
in `val_annotations.txt` (Tiny-ImageNet, whose folders are synsets with their names in `words.txt`).
"""
from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.gif')
"""Of all pictures that are looked for, in whatever folder or zip: what the client reads (client/src/worker/pictureFile.ts), and so a model is shown."""
SPLITS = {'train': 'train', 'val': 'test', 'validation': 'test', 'test': 'test'}
"""Names of folders and what they hold; where there is more than one of the latter, the first in this order that has labels."""


class Tree(Protocol):
    """Files by their paths, with `/`, and what tells one version of them from another."""

    def versions(self) -> dict[str, str]: ...

    def read(self, name: str) -> bytes: ...


class ZipTree:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def versions(self) -> dict[str, str]:
        return {entry.filename: f'{entry.file_size}:{entry.CRC}' for entry in self.archive.infolist() if not entry.is_dir()}

    def read(self, name: str) -> bytes:
        return self.archive.read(name)


class DirectoryTree:
    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self) -> dict[str, str]:
        files = ((path, path.stat()) for path in self.root.rglob('*') if path.is_file())
        return {path.relative_to(self.root).as_posix(): f'{stat.st_size}:{stat.st_mtime_ns}' for path, stat in files}

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


@contextmanager
def open_tree(path: Path) -> Iterator[Tree]:
    """A directory or a zip. Raises FileNotFoundError, or ValueError for a file that is no zip."""
    if path.is_dir():
        yield DirectoryTree(path)
    elif not path.exists():
        raise FileNotFoundError(f'{path}: expected a folder or a zip of images')
    elif not zipfile.is_zipfile(path):
        raise ValueError(f'{path}: expected a folder or a zip of images, in train/CLASS and val/CLASS')
    else:
        with zipfile.ZipFile(path) as archive:
            yield ZipTree(archive)


@dataclass(frozen=True)
class Listing:
    """splits: 'train' and 'test' to (file, class folder), sorted. names: words for class folders, where the set has them. digest: 16 hex
    digits that change with any file."""

    splits: dict[str, list[tuple[str, str]]]
    names: dict[str, str]
    digest: str

    @property
    def folders(self) -> list[str]:
        """The classes, with numbers in their names in order of size."""
        return sorted({folder for members in self.splits.values() for _, folder in members}, key=natural)

    def position(self, folder: str, labels: list[str]) -> int:
        """Which of a set's labels a class folder is: by its words, else by its name, in any spelling of spaces, signs and capitals."""
        known = [_simplified(label) for label in labels]
        word = self.names.get(folder, folder)
        for candidate in (f'{word} ({folder})', word, folder):
            if _simplified(candidate) in known:
                return known.index(_simplified(candidate))
        raise ValueError(f'folder {folder!r}: expected one of {labels}')


def _simplified(text: str) -> str:
    return ''.join(c for c in text.lower() if c.isalnum())


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts `class 10` after `class 9`."""
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', text)]


def list_images(tree: Tree, title: str) -> Listing:
    """Raises ValueError when there is no train/CLASS, or no val/ or test/ with the same classes, saying what was found; and for a BMP, which
    would be trained on and could not be classified."""
    versions = tree.versions()
    split_of: dict[str, dict[str, list[tuple[str, str]]]] = {}
    annotated: dict[str, str] = {}
    names: dict[str, str] = {}
    for name in versions:
        if name.endswith('val_annotations.txt'):
            folder = str(PurePosixPath(name).parent / 'images')
            rows = (line.split('\t') for line in tree.read(name).decode().splitlines())
            annotated |= {f'{folder}/{row[0]}': row[1] for row in rows if len(row) > 1}
        elif PurePosixPath(name).name == 'words.txt':
            rows = (line.split('\t') for line in tree.read(name).decode().splitlines())
            names |= {row[0]: row[1].split(',')[0].strip() for row in rows if len(row) > 1}
    for name in sorted(versions):
        if not name.lower().endswith((*SUFFIXES, '.bmp')) or '__MACOSX' in name:
            continue
        folders = PurePosixPath(name).parts[:-1]
        place = next((i for i, folder in enumerate(folders) if folder.lower() in SPLITS), None)
        if place is None:
            continue
        inside = folders[place + 1] if len(folders) > place + 1 else None
        label = annotated.get(name, None if inside == 'images' and place + 2 == len(folders) else inside)
        if label is not None and name.lower().endswith('.bmp'):
            raise ValueError(f'{title}: {name}: expected one of {", ".join(SUFFIXES)}, which the client reads: save it as PNG')
        if label is not None:
            split_of.setdefault(folders[place].lower(), {}).setdefault(label, []).append((name, label))
    found = {kind: next((split_of[s] for s, k in SPLITS.items() if k == kind and s in split_of), {}) for kind in ('train', 'test')}
    if len(found['train']) < 2:
        raise ValueError(f'{title}: expected images in train/CLASS/ of two classes or more, got {len(found["train"])} classes')
    if not found['test']:
        raise ValueError(f'{title}: expected held-out images in val/CLASS/ or test/CLASS/, got none: move a tenth of train/ there')
    strange = sorted(set(found['test']) - set(found['train']))
    if strange:
        raise ValueError(f'{title}: {strange[0]!r} is among the held-out classes but not in train/')
    # GIFs were none of the images once: with them it is another cache.
    kinds = 'GIF' if any(name.lower().endswith('.gif') for classes in found.values() for members in classes.values() for name, _ in members) else ''
    digest = hashlib.sha256((''.join(f'{n}\0{versions[n]}\n' for n in sorted(versions)) + kinds).encode()).hexdigest()[:16]
    splits = {kind: sorted(member for members in classes.values() for member in members) for kind, classes in found.items()}
    return Listing(splits, {k: v for k, v in names.items() if k in found['train']}, digest)


def decode_square(data: bytes, size: int) -> np.ndarray:
    """RGB uint8 (3, size, size): shorter side resized to `size` (bilinear), centre crop."""
    image = Image.open(io.BytesIO(data)).convert('RGB')
    if image.size != (size, size):
        shorter = min(image.size)  # the longer side is rounded down, as the client does
        image = image.resize((image.width * size // shorter, image.height * size // shorter), Image.Resampling.BILINEAR)
        left, top = (image.width - size) // 2, (image.height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1)
