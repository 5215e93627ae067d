"""Sample images that ship with a model."""
from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from .artifact import write_json
from .folding import Array
from .images import ImageZip


def write_samples(out: Path, images: ImageZip, description: dict[str, Any], per_class: int) -> tuple[Array, str]:
    """Write samples/CLASS-N.jpg, byte for byte from the set, and samples/samples.json [{file, label, source}].

    Returns the first one prepared, (S, S, 3), and its name, for the golden vectors.
    """
    folder = out / 'samples'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listing: list[dict[str, str]] = []
    golden = None
    numbers: dict[int, int] = {}
    for name, data, label in images.samples(per_class):
        numbers[label] = numbers.get(label, 0) + 1
        text = description['labels'][label]
        file = f"{text.lower().replace(' ', '-')}-{numbers[label]}.jpg"
        (folder / file).write_bytes(data)
        listing.append({'file': file, 'label': text, 'source': f"{description['dataset']}, {name}"})
        if golden is None:
            golden = images.preprocessing.apply(Image.open(io.BytesIO(data)))
    write_json(folder / 'samples.json', listing)
    return golden, f"samples/{listing[0]['file']}"
