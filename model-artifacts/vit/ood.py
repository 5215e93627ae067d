"""Out-of-distribution (OOD) images: what no photograph looks like, and what a plan's ranges must hold all the same.

Whoever holds the image may choose it, and these reach the extremes: one-pixel stripes of full contrast the largest mean squares, plain
colours the smallest (figures in model-artifacts/privit/LOG.md).
"""
from __future__ import annotations

import numpy as np


def ood_images(size: int, width: int | None = None, seed: int = 0) -> np.ndarray:
    """uint8 (N, size, width, 3): plain colours, gradients, stripes, checkerboards, half planes, noise."""
    rng = np.random.default_rng(seed)
    shape = (size, width or size)
    plain = [np.broadcast_to(np.array(c), (*shape, 3)) for c in
             [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]]  # fmt: skip
    y, x = np.indices(shape)
    down, along = np.linspace(0, 255, shape[0])[y], np.linspace(0, 255, shape[1])[x]
    disc = np.hypot(x - shape[1] / 2, y - shape[0] / 2) < min(shape) / 3
    grey = [along, down, along[:, ::-1], (x + y) % 2 * 255, x % 2 * 255, y % 2 * 255, (x // 4 + y // 4) % 2 * 255,
            (x < shape[1] // 2) * 255, (y < shape[0] // 2) * 255, disc * 255]  # fmt: skip
    noise = [rng.integers(0, 256, (*shape, 3)), rng.integers(0, 2, (*shape, 3)) * 255, rng.integers(0, 2, (*shape, 1)).repeat(3, 2) * 255,
             np.clip(rng.normal(128, 10, (*shape, 3)), 0, 255), np.clip(rng.normal(128, 60, (*shape, 3)), 0, 255)]  # fmt: skip
    return np.stack([*plain, *(np.repeat(g[..., None], 3, 2) for g in grey), *noise]).astype(np.uint8)
