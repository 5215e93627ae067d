"""Image sets: folders of photographs (`folders.py`) decoded once into a uint8 cache, then split into train, validation and test.

Selection of every kind uses `validation`, held out of the set's own `train/`; `test` (its `test/` or `val/`) is for one
final figure.
"""
from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .folders import Listing, Tree, decode_square, list_images, open_tree

Read = TypeVar('Read')

CIFAR10_LABELS = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
IMAGENETTE_LABELS = [
    'tench', 'English springer', 'cassette player', 'chain saw', 'church',
    'French horn', 'garbage truck', 'gas pump', 'golf ball', 'parachute',
]  # fmt: skip
"""In the order of their ImageNet synsets (n01440764 ... n03888257), which is the order of `IMAGENETTE_IMAGENET_INDICES`."""
IMAGENETTE_IMAGENET_INDICES = [0, 217, 482, 491, 497, 566, 569, 571, 574, 701]


@dataclass(frozen=True)
class ImageSetInfo:
    """What a set is. `size` in pixels: images are stored as size x size; mean and std in units of 0..255."""

    name: str
    title: str
    file: str
    size: int
    labels: list[str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    num_validation: int
    crop_ratio: float = 1.0  # part of the shorter side that a model is shown when it classifies


IMAGE_SETS = {
    'cifar10': ImageSetInfo(
        'cifar10', 'CIFAR-10 (JPEG)', 'cifar10-jpeg.zip', 32, CIFAR10_LABELS,
        (125.307, 122.961, 113.8575), (62.985, 62.0925, 66.708), 2500,
    ),
    'imagenette': ImageSetInfo(
        'imagenette', 'Imagenette', 'imagenette-160.zip', 160, IMAGENETTE_LABELS,
        (125.307, 122.961, 113.8575), (62.985, 62.0925, 66.708), 500, 0.875,
    ),
}  # fmt: skip
"""Imagenette keeps CIFAR-10's normalisation, because its first model started from the CIFAR-10 model's weights. Its centre crop of 0.875
is ImageNet's usual one: random crops show objects larger in training than the whole image does (Touvron et al., NeurIPS 2019, arXiv 1906.06423)."""


@dataclass(frozen=True)
class ImageSet:
    """images: uint8 (count, 3, size, size), RGB. labels: int64 (count,), indices into `info.labels`."""

    info: ImageSetInfo
    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """16 hex digits that tell these images, in this order, from any others: of the labels and of each image's middle row of pixels (all
        pixels would take seconds; the labels alone, sorted as they are, are the same for every choice of held-out images)."""
        rows = self.images[:, :, self.images.shape[2] // 2].contiguous()
        return hashlib.sha256(self.labels.numpy().tobytes() + rows.numpy().tobytes()).hexdigest()[:16]

    def subset(self, indices: Tensor) -> ImageSet:
        return ImageSet(self.info, self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Splits:
    train: ImageSet
    validation: ImageSet
    test: ImageSet


def default_cache_dir() -> Path:
    """`$PRIVIT_CACHE`, else `privit` in the user's cache directory."""
    base = os.environ.get('PRIVIT_CACHE')
    return Path(base) if base else Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache')) / 'privit'


STORED_SIZE = 256
"""Pixels to which the images of one's own set are stored at most, unless said otherwise."""


def load_splits(
    name: str, data_dir: Path, cache_dir: Path | None = None, num_validation: int | None = None, stored_size: int | None = None
) -> Splits:
    """The three splits of `cifar10`, `imagenette`, of a folder or zip of one's own (a path, see `folders.py`), or `synthetic` (made up on the
    spot, for tests).

    num_validation: training images to hold out, if not as many as the set says. Fewer are a part of those; once nothing is left to be
    chosen but the end, a last training may hold out just enough to notice that it fails.
    stored_size: pixels a side in which the images of a path are kept; by default as large as most of them are, at most STORED_SIZE.
    """
    if name == 'synthetic':
        if num_validation is not None:
            raise ValueError('num_validation: expected none for synthetic, whose validation images are made up apart')
        return synthetic_splits()
    cache = Path(cache_dir or default_cache_dir())
    if name in IMAGE_SETS:
        if stored_size is not None:
            raise ValueError(f'stored_size: expected none for {name}, which has its own')
        info = IMAGE_SETS[name]
        path = Path(data_dir) / info.file
        if not (cache / f'{info.name}-{info.size}' / 'complete').exists() and not path.exists():
            raise FileNotFoundError(f'{path}: expected the image set of {info.title} (option --data-dir)')
        arrays = _decoded(info, path, cache / f'{info.name}-{info.size}')
    elif Path(name).exists():
        info, listing = _own_set(Path(name), stored_size)
        # Another cache as soon as any of the files changes.
        arrays = _decoded(info, Path(name), cache / f'{info.name}-{info.size}-{listing.digest}')
    else:
        raise ValueError(f"dataset: expected one of {[*IMAGE_SETS, 'synthetic']}, or the path of a folder or zip of images, got {name!r}")
    train = ImageSet(info, arrays['train_images'], arrays['train_labels'])
    test = ImageSet(info, arrays['test_images'], arrays['test_labels'])
    count = info.num_validation if num_validation is None else num_validation
    if len(train) < 2 * len(info.labels):
        raise ValueError(f'{name}: expected at least two training images of each class, one of them to be held out, got {len(train)} of {len(info.labels)} classes')
    if not len(info.labels) <= count <= len(train) // 2:
        raise ValueError(f'num_validation: expected {len(info.labels)}..{len(train) // 2}, got {count}')
    sizes = train.labels.bincount(minlength=len(info.labels))
    if int(sizes.min()) <= count // len(info.labels):
        few = info.labels[int(sizes.argmin())]
        raise ValueError(f'num_validation: {count} would leave no training image of {few!r}, which has {int(sizes.min())}')
    held_out, kept = stratified_holdout(train.labels, count)
    return Splits(train.subset(kept), train.subset(held_out), test)


def shorter_side(info: ImageSetInfo, img_size: int) -> int:
    """Pixels to which an image's shorter side is resized before its centre img_size x img_size is taken."""
    return round(img_size / info.crop_ratio)


def stratified_holdout(labels: Tensor, count: int, seed: int = 2310) -> tuple[Tensor, Tensor]:
    """Indices of about `count` held-out examples, equally many of each class, and of the rest; both ascending and reproducible."""
    classes = int(labels.max()) + 1
    generator = torch.Generator().manual_seed(seed)
    held = []
    for label in range(classes):
        members = (labels == label).nonzero().flatten()
        held.append(members[torch.randperm(len(members), generator=generator)[: count // classes]])
    held_out = torch.cat(held).sort().values
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[held_out] = False
    return held_out, rest.nonzero().flatten()


def image_set_info(name: str) -> ImageSetInfo:
    """Of `cifar10`, `imagenette`, or the path of a folder or zip. Raises ValueError for what is neither."""
    if name in IMAGE_SETS:
        return IMAGE_SETS[name]
    if not Path(name).exists():
        raise ValueError(f'dataset: expected one of {[*IMAGE_SETS]}, or the path of a folder or zip of images, got {name!r}')
    return _own_set(Path(name), None)[0]


def _own_set(path: Path, stored_size: int | None) -> tuple[ImageSetInfo, Listing]:
    """Of a folder or zip: what it is, and what is in it."""
    with open_tree(path) as tree:
        listing = list_images(tree, str(path))
        size = stored_size or usual_size(path, tree, listing)
    folders = listing.folders
    words = [listing.names.get(folder, folder) for folder in folders]
    labels = [w if words.count(w) == 1 else f'{w} ({folder})' for w, folder in zip(words, folders)]
    name = re.sub(r'[^a-z0-9]+', '-', path.resolve().stem.lower()).strip('-') or 'images'
    images = len(listing.splits['train'])
    grey = (127.5,) * 3
    info = ImageSetInfo(name, path.resolve().stem, path.name, size, labels, grey, grey, max(len(labels), min(images // 20, 2500)), 0.875)
    return info, listing


def usual_size(path: Path, tree: Tree, listing: Listing) -> int:
    """The shorter side, in pixels, that at least half of the images have (64 of them are asked); at most STORED_SIZE."""
    members = listing.splits['train']
    some = members[:: -(-len(members) // 64)]
    sides = sorted(_read(path, tree, name, lambda file: min(Image.open(io.BytesIO(file)).size)) for name, _ in some)
    return min(STORED_SIZE, sides[len(sides) // 2])


def _read(path: Path, tree: Tree, name: str, read: Callable[[bytes], Read]) -> Read:
    """What `read` makes of a file of the set at `path`. Raises ValueError, which names both."""
    try:
        return read(tree.read(name))
    except Exception as error:  # Pillow's readers of damaged files end in many kinds
        raise ValueError(f'{path}: {name} cannot be read as an image ({error}): remove it or replace it') from error


def _decoded(info: ImageSetInfo, path: Path, cache: Path) -> dict[str, Tensor]:
    keys = ['train_images', 'train_labels', 'test_images', 'test_labels']
    if not (cache / 'complete').exists():
        cache.mkdir(parents=True, exist_ok=True)
        with open_tree(path) as tree:
            listing = list_images(tree, str(path))
            place = {folder: listing.position(folder, info.labels) for folder in listing.folders}
            for key, members in listing.splits.items():
                images = np.lib.format.open_memmap(cache / f'{key}_images.npy', 'w+', np.uint8, (len(members), 3, info.size, info.size))
                for i, (name, _) in enumerate(members):
                    images[i] = _read(path, tree, name, lambda file: decode_square(file, info.size))
                images.flush()
                np.save(cache / f'{key}_labels.npy', np.array([place[folder] for _, folder in members], np.int64))
        (cache / 'complete').touch()
    # Memory-mapped: several runs then share one copy.
    return {key: torch.from_numpy(np.load(cache / f'{key}.npy', mmap_mode='c')) for key in keys}


def synthetic_splits(count: int = 96, size: int = 8, classes: int = 4, seed: int = 0) -> Splits:
    """Noise around one coloured template per class: learnable in seconds, for tests and smoke runs."""
    generator = torch.Generator().manual_seed(seed)
    info = ImageSetInfo(
        'synthetic', 'synthetic templates', '', size, [f'class{i}' for i in range(classes)],
        (127.5, 127.5, 127.5), (64.0, 64.0, 64.0), count,
    )  # fmt: skip
    templates = torch.randint(0, 256, (classes, 3, size, size), generator=generator).float()

    def make(n: int) -> ImageSet:
        labels = torch.randint(0, classes, (n,), generator=generator)
        noise = torch.randn((n, 3, size, size), generator=generator) * 48
        return ImageSet(info, (templates[labels] + noise).clamp(0, 255).to(torch.uint8), labels)

    return Splits(make(2 * count), make(count), make(count))
