"""An artifact's figures measured again, on more images or after a change of the evaluation, without exporting it anew."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vit.data import ImageSetInfo

from .card import FIXED_POINT_HEADING, fixed_point_section
from .evaluate import evaluate
from .images import ImageFiles, Preprocessing
from .restore import restore


def measure(folder: Path, info: ImageSetInfo, data: Path, images: int) -> dict[str, Any]:
    """Evaluate the artifact in `folder` on `images` held-out images of the set `data`, and put the figures on its card.

    The float figures are those of its ONNX file's weights, whose matrices are rounded to float16. Returns evaluate.py's figures without
    the ONNX file's error, which needs the checkpoint: against its own weights it is that of float32 alone.
    Raises ValueError when the card has no section on fixed point.
    """
    card = folder / 'card.md'
    text = card.read_text('utf-8')
    if FIXED_POINT_HEADING not in text:
        raise ValueError(f'{card}: expected a section "{FIXED_POINT_HEADING}"')
    manifest = json.loads((folder / 'manifest.json').read_text('utf-8'))
    preprocessing = Preprocessing.from_json(manifest['preprocessing'])
    held_out = ImageFiles(data, info.labels, preprocessing).held_out(images)
    figures = evaluate(folder, restore(folder, info).fold(), held_out)
    del figures['maxAbsLogitErrorOnnx']
    before, after = text.split(FIXED_POINT_HEADING)
    calibration = int(after.split('domains from ')[1].split()[0])
    card.write_text(before.rstrip('\n') + '\n' + fixed_point_section(folder, figures, calibration), 'utf-8')
    return figures
