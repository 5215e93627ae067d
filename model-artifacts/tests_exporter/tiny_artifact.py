"""A small network as an artifact, calibrated on images that its test chooses."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from typescript import typescript

from exporter.checkpoint import Checkpoint
from exporter.export import write_artifact
from exporter.folding import Array, FoldedModel
from exporter.images import Preprocessing
from exporter.simulate import Simulation
from exporter.tiny import tiny_images


def export_tiny(checkpoint: Checkpoint, out: Path, images: Array | None = None) -> FoldedModel:
    """images: uint8 (count, 8, 8, 3), the golden one first; by default 257 of `tiny_images`."""
    images = tiny_images(257) if images is None else images
    return write_artifact(checkpoint, images[1:], images[0], 'seeded', Preprocessing(8, 8), out)


def assert_integers_are_those_of_the_plan(artifact: Path, count: int) -> None:
    """Of so many images that stay within their ranges, TypeScript's reference says what the exporter's integers say."""
    images, simulation = tiny_images(100, seed=9), Simulation.load(artifact)
    logits = simulation.run(images)
    inside = [i for i in range(len(images)) if i not in simulation.violations.images][:count]
    assert len(inside) == count
    np.testing.assert_array_equal(typescript(artifact, images[inside]), logits[inside])
