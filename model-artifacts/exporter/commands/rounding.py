"""`python -m exporter rounding FOLDER --images DIR|ZIP`: what rounding the answer costs (docs/online.md, "The answer's precision").

Clients learn logits rounded to 8 fraction bits, in the ring of their own range. Rounding keeps the order, so the label can be another only
where the two best are equal. This counts both over a whole set, with the integers of the plan (simulate.py, the same as
protocols/inference/reference.ts to the last unit, and quicker): for networks for which the TypeScript reference takes hours.
"""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageProblem, check_number
from ..folding import Array
from ..images import Preprocessing
from ..pictures import Labels, Picture, PicturesProblem, find_pictures, load
from ..progress import say, step
from ..simulate import Simulation

ANSWER_FRAC_BITS = 8
"""`answerFracBits` of protocols/inference/vit.ts."""


def main(argv: list[str] | None = None) -> None:
    """Prints one JSON object; exits with 1 at any other label than by a tie, and with a sentence when something is wrong."""
    p = argparse.ArgumentParser(prog='exporter rounding', description="Labels from an artifact's rounded logits against those at full precision.")
    p.add_argument('artifact', type=Path, help="folder with the artifact's files")
    p.add_argument('--images', type=Path, required=True, help='folder or zip of pictures; of a divided set those held out')
    p.add_argument('--count', type=int, default=None, help='so many, spread evenly; default all')
    arguments = p.parse_args(argv)
    try:
        check_number('--count', arguments.count, 1)
        simulation = Simulation.load(arguments.artifact)
        pictures = find_pictures(arguments.images, Labels.of(simulation.manifest['labels']))
        figures = rounding(simulation, spread(held_out(pictures), arguments.count))
    except (PicturesProblem, UsageProblem, OSError) as problem:
        sys.exit(f'exporter: {problem}')
    print(json.dumps(figures, indent=1))
    if figures['otherLabels'] > 0:
        sys.exit(1)


def held_out(pictures: list[Picture]) -> list[Picture]:
    return [p for p in pictures if p.split == 'test'] or [p for p in pictures if p.split != 'train']


def spread(pictures: list[Picture], count: int | None) -> list[Picture]:
    """Every n-th, so that all folders have their part."""
    if count is None or count >= len(pictures):
        return pictures
    return [pictures[i * len(pictures) // count] for i in range(count)]


def rounding(simulation: Simulation, pictures: list[Picture], batch: int = 16) -> dict[str, Any]:
    """`ties`: images whose two best rounded logits are equal. `otherLabels`: other labels without one. `nearTies`: within the one unit by which
    the stochastic rounding of a secure run may move each."""
    preprocessing = Preprocessing.from_json(simulation.manifest['preprocessing'])
    exact, rounded = [], []
    with step('Rounding', len(pictures)) as done:
        for images in batches(pictures, preprocessing, batch):
            integers = np.rint(simulation.run(images) * 2.0**simulation.logit_frac_bits).astype(np.int64)
            exact.append(integers)
            rounded.append(revealed(integers, simulation.logit_frac_bits))
            done(simulation.seen)
    if not exact:
        raise PicturesProblem(f'none of {len(pictures)} pictures can be read')
    figures = compare(np.concatenate(exact), np.concatenate(rounded))
    return {**figures, 'unit': 2.0**-min(ANSWER_FRAC_BITS, simulation.logit_frac_bits), 'imagesOutOfRange': len(simulation.violations.images)}


def revealed(logits: Array, frac_bits: int) -> Array:
    """As the plan truncates them before the reveal, half up."""
    drop = frac_bits - ANSWER_FRAC_BITS
    return (logits + (1 << (drop - 1))) >> drop if drop > 0 else logits


def compare(exact: Array, rounded: Array) -> dict[str, int]:
    best = np.sort(rounded, axis=1)[:, -2:]
    margin = best[:, 1] - best[:, 0]
    differs = rounded.argmax(1) != exact.argmax(1)
    return {
        'images': len(exact),
        'ties': int((margin == 0).sum()),
        'labelsAtTies': int((differs & (margin == 0)).sum()),
        'otherLabels': int((differs & (margin > 0)).sum()),
        'nearTies': int((margin <= 1).sum()),
    }


def batches(pictures: list[Picture], preprocessing: Preprocessing, size: int) -> Iterator[Array]:
    """What cannot be read is left out, and said."""
    for start in range(0, len(pictures), size):
        try:
            images, _, problems = load(pictures[start : start + size], preprocessing)
        except PicturesProblem as problem:  # of all in the batch
            say(f'  left out: {problem}')
            continue
        for left_out in problems:
            say(f'  left out: {left_out}')
        yield images.images
