"""What protocols/inference/manifest.ts accepts, checked before a long export instead of by the app after it."""
from __future__ import annotations

import re

from .checkpoint import Checkpoint
from .errors import ExportError
from .images import Preprocessing


def check_limits(checkpoint: Checkpoint, preprocessing: Preprocessing) -> None:
    """Raises ExportError, naming the property, for a model that no manifest can describe."""
    d, c = checkpoint.description, checkpoint.model.config

    def check(name: str, value: object, is_valid: bool, limit: str) -> None:
        if not is_valid:
            raise ExportError(name, str(value), limit)

    def between(name: str, value: int, low: int, high: int) -> None:
        check(name, value, low <= value <= high, f'{low} to {high}')

    between('image size', c.img_size, 4, 512)
    between('patch size', c.patch_size, 1, 64)
    between('depth', c.depth, 1, 24)
    between('heads', c.num_heads, 1, 16)
    between('width', c.embed_dim, 4, 1024)
    between('tokens', c.num_tokens, 1, 1024)
    between('hidden units of the MLP', int(c.mlp_ratio * c.embed_dim), 4, 4096)
    between('square units', c.square_units, 0, 1024)
    between('classes', c.num_classes, 2, 1000)
    for name, value in (('width', c.embed_dim), ('tokens', c.num_tokens)):  # means over them are shifts
        check(name, value, value & (value - 1) == 0, 'a power of two')
    check('labels', len(d['labels']), len(d['labels']) == c.num_classes, f'{c.num_classes}, one for each class')
    longest = max(d['labels'], key=len)
    check('label', longest, len(longest) <= 80, '80 characters')
    check('name', d['name'], re.fullmatch(r'[a-z0-9][a-z0-9-]{0,40}', d['name']) is not None, 'up to 41 of a-z, 0-9 and -, no - first')
    check('crop', preprocessing.crop, preprocessing.crop == c.img_size, f'{c.img_size}, the image size')
    between('shorter side', preprocessing.shorter_side, preprocessing.crop, 1024)
