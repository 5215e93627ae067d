"""Out-of-distribution (OOD) images: what no photograph looks like, and what a plan's ranges must hold all the same.

Whoever holds the image may choose it, and these reach the extremes: one-pixel stripes of full contrast the largest mean squares, plain
colours the smallest (figures in model-artifacts/privit/LOG.md).
"""
from __future__ import annotations

import numpy as np


def ood_images(size: int, seed: int = 0) -> np.ndarray:
    """uint8 (N, size, size, 3): plain colours, gradients, stripes, checkerboards, half planes, noise."""
    rng = np.random.default_rng(seed)
    plain = [np.broadcast_to(np.array(c), (size, size, 3)) for c in
             [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]]  # fmt: skip
    ramp = np.linspace(0, 255, size)
    y, x = np.indices((size, size))
    grey = [ramp[x], ramp[y], ramp[::-1][x], (x + y) % 2 * 255, x % 2 * 255, y % 2 * 255, (x // 4 + y // 4) % 2 * 255,
            (x < size // 2) * 255, (y < size // 2) * 255, np.hypot(x - size / 2, y - size / 2) < size / 3]  # fmt: skip
    grey[-1] = grey[-1] * 255
    noise = [rng.integers(0, 256, (size, size, 3)), rng.integers(0, 2, (size, size, 3)) * 255, rng.integers(0, 2, (size, size, 1)).repeat(3, 2) * 255,
             np.clip(rng.normal(128, 10, (size, size, 3)), 0, 255), np.clip(rng.normal(128, 60, (size, size, 3)), 0, 255)]  # fmt: skip
    return np.stack([*plain, *(np.repeat(g[..., None], 3, 2) for g in grey), *noise]).astype(np.uint8)
