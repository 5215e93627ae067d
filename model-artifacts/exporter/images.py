"""Images of a set (vit/folders.py) as the client would prepare them: shorter side resized, centre crop, RGB bytes."""
from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from vit.folders import list_images, open_tree

from .folding import Array
from .progress import say
from .text import plain_text

FILTERS = {'bilinear': Image.Resampling.BILINEAR, 'bicubic': Image.Resampling.BICUBIC}

# What the client reads (client/src/worker/pictureFile.ts), so that a model is measured on what it will see.
READ_FORMATS = ('PNG', 'JPEG', 'GIF', 'WEBP')
HEADER_BYTES = 16 << 20
MAX_PIXELS = 100_000_000
SRGB = ImageCms.createProfile('sRGB')
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""By EXIF's orientation: what turns the stored picture upright."""


class PictureError(ValueError):
    """The file is not read; the text says why."""


def read_file(read: Callable[[], bytes]) -> bytes:
    """A picture's file. Raises PictureError when its folder or zip does not give it: a wrong checksum, a password, a right that is missing."""
    try:
        return read()
    except Exception as error:  # each of a zip's compressions has its own kinds
        raise PictureError(f'cannot be read: {error}') from error


def open_picture(file: bytes) -> Image.Image:
    """A file of a format that the client reads too; its pixels are decoded later. Raises PictureError."""
    try:
        image = Image.open(io.BytesIO(file[:HEADER_BYTES]), formats=READ_FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise PictureError(f'{image.width}×{image.height} pixels: expected {MAX_PIXELS} at most')
        return Image.open(io.BytesIO(file), formats=READ_FORMATS)
    except PictureError:
        raise
    except Exception as error:  # Pillow's readers of damaged headers end in many kinds
        raise PictureError(f"expected {', '.join(READ_FORMATS)}, its size within the first {HEADER_BYTES} bytes: {error}") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """As browsers show it on a white page: turned as its orientation says, its profile's colours in sRGB. Raises PictureError."""
    try:
        image.load()
        return _shown(image)
    except Exception as error:  # Pillow's decoders end in many kinds
        raise PictureError(f'damaged or cut off: {error}') from error


def _shown(image: Image.Image) -> Image.Image:
    turn = TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith('I;16'):  # 16-bit grey, which Pillow's own conversion cuts off at 255
        image = Image.fromarray(((np.asarray(image, np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), _in_srgb(image))
    # Of CMYK's profiles browsers make different things; without, ink takes light away in all of them.
    return image.convert('RGB') if image.mode == 'CMYK' else _in_srgb(image.convert('RGB'))


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # of broken metadata: browsers show the picture as it is stored
        return 1


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get('icc_profile')
    if not profile:
        return image
    try:
        return ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB, outputMode=image.mode) or image
    except (OSError, ImageCms.PyCMSError):  # of grey, or broken: browsers leave the colours as they are
        return image


@dataclass(frozen=True)
class Preprocessing:
    """Pixels, as in the manifest. crop: height of what the network sees; crop_width: its width, where it is another.

    fit: 'crop' resizes so that both sides cover, then takes the centre; 'squash' resizes to the exact size, whatever the picture's shape.
    """

    shorter_side: int
    crop: int
    crop_width: int | None = None
    interpolation: str = 'bilinear'
    fit: str = 'crop'

    @property
    def width(self) -> int:
        return self.crop_width or self.crop

    def to_json(self) -> dict[str, int | str]:
        """Absent where it is the default: the plan's hash covers the manifest as it is."""
        optional = {'cropWidth': self.crop_width, 'interpolation': self.interpolation, 'fit': self.fit}
        defaults = {'cropWidth': None, 'interpolation': 'bilinear', 'fit': 'crop'}
        more = {key: value for key, value in optional.items() if value is not None and value != defaults[key]}
        return {'shorterSide': self.shorter_side, 'crop': self.crop, **more}

    @classmethod
    def from_json(cls, value: dict) -> Preprocessing:
        return cls(value['shorterSide'], value['crop'], value.get('cropWidth'), value.get('interpolation', 'bilinear'), value.get('fit', 'crop'))

    def apply(self, image: Image.Image) -> Array:
        """RGB uint8 (crop, width, 3). Antialiased: Pillow's filters, which widen when they shrink. Raises PictureError."""
        image = to_rgb(image)
        size = self._resized(*image.size)
        if size[0] * max(size[1], image.height) > MAX_PIXELS:  # the client computes no more of it than it needs
            raise PictureError(f'{image.width}×{image.height} pixels: too long and narrow, resized it would have more than {MAX_PIXELS} pixels')
        if size != image.size:
            # Each pass rounds to bytes, and Pillow begins with whichever is cheaper; the client begins with the columns.
            image = image.resize((size[0], image.height), FILTERS[self.interpolation]).resize(size, FILTERS[self.interpolation])
        left, top = (size[0] - self.width + 1) // 2, (size[1] - self.crop + 1) // 2  # halves rounded up, as the client does
        return np.asarray(image.crop((left, top, left + self.width, top + self.crop)))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) before the crop: it covers shorter_side by shorter_side·width/crop. The longer side is rounded down, as the client does."""
        if self.fit == 'squash':
            return self.width, self.crop
        wide = self.shorter_side * self.width // self.crop
        if width * self.crop <= height * self.width:
            return wide, height * wide // width
        return width * self.shorter_side // height, self.shorter_side


@dataclass(frozen=True)
class LabelledImages:
    images: Array  # uint8 (N, crop, crop, 3)
    labels: Array  # (N,)


# What a page shows at once.
MOST_SAMPLES = 20


class ImageFiles:
    """An image set's files, in a folder or a zip (vit/folders.py), with the positions of their labels."""

    def __init__(self, path: Path, labels: list[str], preprocessing: Preprocessing) -> None:
        """Raises FileNotFoundError, or ValueError for what is no such set, or has a class that is none of `labels`."""
        self.path, self.labels, self.preprocessing = path, labels, preprocessing
        with open_tree(path) as tree:
            listing = list_images(tree, str(path))
        places = {folder: listing.position(folder, labels) for folder in listing.folders}
        self.entries = {split: [(name, places[folder]) for name, folder in members] for split, members in listing.splits.items()}

    def read(self, entries: list[tuple[str, int]]) -> LabelledImages:
        """What cannot be read is left out, and said. Raises PictureError when nothing is left."""
        seen = self._readable(entries)
        return LabelledImages(np.stack([image for _, image, _ in seen]), np.array([label for _, _, label in seen]))

    def _readable(self, entries: list[tuple[str, int]]) -> list[tuple[str, Array, int]]:
        """(name, as the network sees it, label)."""
        seen, problems = [], []
        with open_tree(self.path) as tree:
            for name, label in entries:
                try:
                    file = read_file(lambda name=name: tree.read(name))  # type: ignore[misc]
                    seen.append((name, self.preprocessing.apply(open_picture(file)), label))
                except PictureError as error:
                    problems.append(plain_text(f'{name}: {error}'))
        first = f'; the first: {problems[0]}' if problems else ''
        if not seen:
            raise PictureError(f'{self.path}: none of {len(entries)} pictures can be read{first}')
        if problems:
            say(f'  left out: {len(problems)} of {len(entries)} pictures that cannot be read{first}')
        return seen

    def training(self, count: int, seed: int = 0) -> LabelledImages:
        """A random part of the training images, for calibration."""
        return self.read(self._some(self.entries['train'], count, seed))

    def held_out(self, count: int, seed: int = 1) -> LabelledImages:
        """A random part of the test images, for figures only."""
        return self.read(self._some(self.entries['test'], count, seed))

    def samples(self, per_class: int, seed: int = 2) -> list[tuple[str, bytes, int]]:
        """(name in the set, file, label): `per_class` test images of each class, of all these at most MOST_SAMPLES; chosen blindly, before those
        that cannot be read are left out. Raises PictureError when nothing is left."""
        chosen = []
        for label in range(len(self.labels)):
            mine = [entry for entry in self.entries['test'] if entry[1] == label]
            chosen += self._some(mine, per_class, seed)
        if len(chosen) > MOST_SAMPLES:
            chosen = sorted(self._some(chosen, MOST_SAMPLES, seed), key=chosen.index)
        readable = self._readable(chosen)
        with open_tree(self.path) as tree:
            return [(name, tree.read(name), label) for name, _, label in readable]

    @staticmethod
    def _some(entries: list, count: int, seed: int) -> list:
        return random.Random(seed).sample(entries, min(count, len(entries)))
