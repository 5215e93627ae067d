"""Writes resize.json: small pictures as the exporter prepares them (Pillow), for the client's `prepareImage` to agree with.

    python test/vectors/resize.py        (in model-artifacts/, for its package `exporter`; needs Pillow and NumPy)

Pixel (x, y) of channel c is (3 x^2 + 7 y (c + 1) + x y c) mod 256. Sizes are odd and even, both orientations, larger and smaller than asked.
"""
import base64
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / 'model-artifacts'))
from exporter.images import Preprocessing

CASES = [  # width, height, shorter side, crop
    (8, 8, 8, 8),
    (37, 23, 20, 16),
    (23, 37, 20, 17),
    (41, 29, 19, 16),
    (80, 107, 73, 64),
    (81, 80, 73, 64),
    (11, 9, 24, 20),
    (64, 3, 6, 4),
]


def picture(width: int, height: int) -> Image.Image:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing='ij')
    return Image.fromarray(((3 * x * x + 7 * y * (c + 1) + x * y * c) % 256).astype(np.uint8))


def main() -> None:
    cases = []
    for width, height, shorter_side, crop in CASES:
        out = Preprocessing(shorter_side, crop).apply(picture(width, height))
        cases.append({
            'width': width, 'height': height, 'shorterSide': shorter_side, 'crop': crop,
            'rgb': base64.b64encode(out.tobytes()).decode(),
        })  # fmt: skip
    Path(__file__).with_suffix('.json').write_text(json.dumps(cases, indent=1) + '\n')


if __name__ == '__main__':
    main()
