"""Image sets: a zip of `SPLIT/CLASS/*.jpg` decoded once into a uint8 cache, then split into train, validation and test.

Selection of every kind uses `validation`, held out of the zip's own `train/`; `test` (the zip's `test/` or `val/`) is for one
final figure.
"""
from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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


def load_splits(name: str, data_dir: Path, cache_dir: Path | None = None, num_validation: int | None = None) -> Splits:
    """The three splits of `cifar10`, `imagenette`, or `synthetic` (made up on the spot, for tests).

    num_validation: training images to hold out, if not as many as the set says. Fewer are a part of those; once nothing is left to be
    chosen but the end, a last training may hold out just enough to notice that it fails.
    """
    if name == 'synthetic':
        if num_validation is not None:
            raise ValueError('num_validation: expected none for synthetic, whose validation images are made up apart')
        return synthetic_splits()
    if name not in IMAGE_SETS:
        raise ValueError(f"dataset: expected one of {[*IMAGE_SETS, 'synthetic']}, got {name!r}")
    info = IMAGE_SETS[name]
    arrays = _decode_zip(info, Path(data_dir) / info.file, Path(cache_dir or default_cache_dir()))
    train = ImageSet(info, arrays['train_images'], arrays['train_labels'])
    test = ImageSet(info, arrays['test_images'], arrays['test_labels'])
    count = info.num_validation if num_validation is None else num_validation
    if not len(info.labels) <= count <= len(train) // 2:
        raise ValueError(f'num_validation: expected {len(info.labels)}..{len(train) // 2}, got {count}')
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


def _decode_zip(info: ImageSetInfo, path: Path, cache_dir: Path) -> dict[str, Tensor]:
    cache = cache_dir / f'{info.name}-{info.size}'
    keys = ['train_images', 'train_labels', 'test_images', 'test_labels']
    if not (cache / 'complete').exists():
        if not path.exists():
            raise FileNotFoundError(f'{path}: expected the image set of {info.title} (option --data-dir)')
        cache.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path) as archive:
            names = sorted(n for n in archive.namelist() if n.lower().endswith(('.jpg', '.jpeg')))
            folders = {n.split('/')[1] for n in names}
            order = info.labels if set(info.labels) == folders else sorted(folders, key=lambda f: _label_position(f, info))
            for key, prefixes in (('train', ('train',)), ('test', ('test', 'val'))):
                chosen = [n for n in names if n.split('/')[0] in prefixes]
                images = np.empty((len(chosen), 3, info.size, info.size), np.uint8)
                for i, n in enumerate(chosen):
                    images[i] = decode_square(archive.read(n), info.size)
                np.save(cache / f'{key}_images.npy', images)
                np.save(cache / f'{key}_labels.npy', np.array([order.index(n.split('/')[1]) for n in chosen], np.int64))
        (cache / 'complete').touch()
    # Memory-mapped: several runs then share one copy.
    return {key: torch.from_numpy(np.load(cache / f'{key}.npy', mmap_mode='c')) for key in keys}


def _label_position(folder: str, info: ImageSetInfo) -> int:
    simplified = [label.lower().replace(' ', '').replace('_', '') for label in info.labels]
    wanted = folder.lower().replace(' ', '').replace('_', '').replace('-', '')
    if wanted not in simplified:
        raise ValueError(f'{folder!r}: expected one of the classes {info.labels}')
    return simplified.index(wanted)


def decode_square(jpeg: bytes, size: int) -> np.ndarray:
    """RGB uint8 (3, size, size): shorter side resized to `size` (bilinear), centre crop."""
    image = Image.open(io.BytesIO(jpeg)).convert('RGB')
    if image.size != (size, size):
        shorter = min(image.size)  # the longer side is rounded down, as the client does
        image = image.resize((image.width * size // shorter, image.height * size // shorter), Image.Resampling.BILINEAR)
        left, top = (image.width - size) // 2, (image.height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1)


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
