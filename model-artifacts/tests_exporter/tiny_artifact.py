"""A small network as an artifact, calibrated on images that its test chooses."""
from __future__ import annotations

from pathlib import Path

from exporter.checkpoint import Checkpoint
from exporter.export import write_artifact
from exporter.folding import Array, FoldedModel
from exporter.images import Preprocessing
from exporter.tiny import tiny_images


def export_tiny(checkpoint: Checkpoint, out: Path, images: Array | None = None) -> FoldedModel:
    """images: uint8 (count, 8, 8, 3), the golden one first; by default 257 of `tiny_images`."""
    images = tiny_images(257) if images is None else images
    return write_artifact(checkpoint, images[1:], images[0], 'seeded', Preprocessing(8, 8), out)
