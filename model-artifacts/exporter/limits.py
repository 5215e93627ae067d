"""What protocols/inference/manifest.ts accepts, checked before a long export instead of by the app after it."""
from __future__ import annotations

import re

from .checkpoint import Checkpoint
from .errors import ExportError
from .images import Preprocessing
from .text import REFUSED, utf16_length

ACTIVATIONS = ('gelu', 'gelu-tanh', 'quick-gelu')
"""Of protocols/layers/splineFunctions.ts."""
IMAGE_SIDES = 4, 512
"""Least and most pixels of a side."""
LONGEST_SHORTER_SIDE = 1024
LONGEST_LABEL = 80
"""In UTF-16 units, as all lengths of words here."""


def check_limits(checkpoint: Checkpoint, preprocessing: Preprocessing) -> None:
    """Raises ExportError, naming the property, for a model that no manifest can describe."""
    d, c = checkpoint.description, checkpoint.model.config

    def check(name: str, value: object, is_valid: bool, limit: str) -> None:
        if not is_valid:
            raise ExportError(name, str(value), limit)

    def between(name: str, value: int, low: int, high: int) -> None:
        check(name, value, low <= value <= high, f'{low} to {high}')

    between('image height', c.img_size, *IMAGE_SIDES)
    between('image width', c.width, *IMAGE_SIDES)
    between('patch size', c.patch_size, 1, 64)
    between('depth', c.depth, 1, 48)
    between('heads', c.num_heads, 1, 32)
    between('width', c.embed_dim, 4, 2048)
    between('tokens', c.num_tokens, 1, 2048)
    between('prefix tokens', c.prefix_tokens, 0, 16)
    between('hidden units of the MLP', c.mlp_dim, 4, 8192)
    between('square units', c.square_units, 0, 1024)
    between('classes', c.num_classes, 2, 4096)
    check('activation', c.activation, c.activation in ACTIVATIONS, f'one of {", ".join(ACTIVATIONS)}')
    check('labels', len(d['labels']), len(d['labels']) == c.num_classes, f'{c.num_classes}, one for each class')
    for label in d['labels']:
        check('label', repr(label), 0 < utf16_length(label) <= LONGEST_LABEL, f'1 to {LONGEST_LABEL} characters (UTF-16)')
        check('label', repr(label), not REFUSED.search(label), 'no control characters')
    check('name', d['name'], re.fullmatch(r'[a-z0-9][a-z0-9-]{0,40}', d['name']) is not None, 'up to 41 of a-z, 0-9 and -, no - first')
    seen = preprocessing.crop, preprocessing.width
    check('crop', seen, seen == (c.img_size, c.width), f'{c.img_size} x {c.width}, the image size')
    between('shorter side', preprocessing.shorter_side, preprocessing.crop, LONGEST_SHORTER_SIDE)


def check_words(title: str, description: str) -> None:
    """Raises ExportError for what a manifest says of a model at too great a length."""
    for name, words, limit in (('title', title, 120), ('description', description, 2000)):
        if utf16_length(words) > limit:
            raise ExportError(name, f'{utf16_length(words)} characters ({words[:60]}…)', f'{limit}')
