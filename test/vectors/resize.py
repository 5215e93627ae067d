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

CASES = [  # width, height, preprocessing
    (8, 8, Preprocessing(8, 8)),
    (37, 23, Preprocessing(20, 16)),
    (23, 37, Preprocessing(20, 17)),
    (41, 29, Preprocessing(19, 16)),
    (80, 107, Preprocessing(73, 64)),
    (81, 80, Preprocessing(73, 64)),
    (11, 9, Preprocessing(24, 20)),
    (64, 3, Preprocessing(6, 4)),
    (37, 23, Preprocessing(20, 16, interpolation='bicubic')),
    (80, 107, Preprocessing(73, 64, interpolation='bicubic')),
    (11, 9, Preprocessing(24, 20, interpolation='bicubic')),
    (37, 23, Preprocessing(16, 16, fit='squash')),
    (23, 61, Preprocessing(16, 16, fit='squash', interpolation='bicubic')),
    (37, 23, Preprocessing(18, 16, 32)),
    (61, 23, Preprocessing(18, 16, 32, 'bicubic')),
    (40, 20, Preprocessing(17, 16, 32)),
    (20, 50, Preprocessing(33, 32, 16)),
]


def picture(width: int, height: int) -> Image.Image:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing='ij')
    return Image.fromarray(((3 * x * x + 7 * y * (c + 1) + x * y * c) % 256).astype(np.uint8))


def main() -> None:
    cases = []
    for width, height, preprocessing in CASES:
        out = preprocessing.apply(picture(width, height))
        cases.append({'width': width, 'height': height, **preprocessing.to_json(), 'rgb': base64.b64encode(out.tobytes()).decode()})
    Path(__file__).with_suffix('.json').write_text(json.dumps(cases, indent=1) + '\n')


if __name__ == '__main__':
    main()
