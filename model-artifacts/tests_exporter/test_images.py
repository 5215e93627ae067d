"""Odd picture files are seen as the tab and Node see them (test/vectors/pictures.json, which all three are held to)."""
import base64
import json
from pathlib import Path

import numpy as np
import pytest

from exporter.images import PictureError, Preprocessing, open_picture

VECTORS = Path(__file__).parents[2] / 'test/vectors'
TABLE = json.loads((VECTORS / 'pictures.json').read_text())
LARGEST_DIFFERENCE = 2


def file_of(case: dict) -> bytes:
    file = (VECTORS / 'pictures' / case['file']).read_bytes()
    rest = case.get('metadataBytes', 0)
    metadata = b''
    while rest > 0:  # JPEG comments of the largest length that one can have
        length = min(rest, 65_533)
        metadata += b'\xff\xfe' + (length + 2).to_bytes(2, 'big') + bytes(length)
        rest -= length
    return file[:2] + metadata + file[2:]


@pytest.mark.parametrize('case', TABLE['cases'], ids=lambda case: f"{case['file']}-{case.get('metadataBytes', 0)}")
def test_odd_picture(case):
    preprocessing = Preprocessing(TABLE['side'], TABLE['side'])
    if 'problem' in case:
        with pytest.raises(PictureError):
            preprocessing.apply(open_picture(file_of(case)))
        return
    expected = np.frombuffer(base64.b64decode(case['rgb']), np.uint8).reshape(TABLE['side'], TABLE['side'], 3)
    seen = preprocessing.apply(open_picture(file_of(case)))
    assert np.abs(seen.astype(int) - expected).max() <= LARGEST_DIFFERENCE
