"""The network that all peers compute: a ViT of a bundled model's shape, with its switches, and weights drawn at random.

Time and bytes depend on the shape alone. One forward pass serves every framework: it asks a small set of operations (`Operations`) for what they
name differently. An exact softmax row is a softmax, another a square; an exact GELU token is a GELU, another the identity (PriViT).
What only our own networks have (positional scores, static mixing, square units) is left out: so the peers compute a little less than we do.
"""
from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Array = Any
"""A framework's tensor."""


class Operations(Protocol):
    """Of one framework. Tensors have a last axis of features."""

    softmax: Callable[[Array], Array]
    """Of each row of (rows, tokens)."""
    gelu: Callable[[Array], Array]
    rsqrt: Callable[[Array], Array]
    concatenate: Callable[[list[Array]], Array]
    """Along the first axis."""
    take: Callable[[Array, np.ndarray], Array]
    """Rows by public numbers."""


@dataclass(frozen=True)
class Network:
    tokens: int
    patch: int
    """Values of a patch."""
    dim: int
    depth: int
    heads: int
    mlp: int
    classes: int
    class_token: bool
    softmax_rows: list[np.ndarray]
    """Of each block: exact rows, head·tokens + token."""
    gelu_tokens: list[np.ndarray]

    @property
    def patches(self) -> int:
        return self.tokens - self.class_token


def read_network(folder: Path, softmax: float | None = None, gelu: float | None = None) -> Network:
    """A model's shape and switches; with fractions, the first rows and tokens of each block in place of the model's own."""
    manifest = json.loads((folder / 'manifest.json').read_text())
    shape, switches = manifest['architecture'], manifest['switches']
    tokens, heads, depth = shape['tokens'], shape['heads'], shape['depth']
    rows = [np.array([head * tokens + row for head, exact in enumerate(block) for row in exact], int) for block in switches['softmaxRows']]
    exact = [np.array(block, int) for block in switches['geluTokens']]
    if softmax is not None:
        rows = [np.arange(round(softmax * heads * tokens)) for _ in range(depth)]
    if gelu is not None:
        exact = [np.arange(round(gelu * tokens)) for _ in range(depth)]
    patch = 3 * shape['patchSize'] ** 2
    class_token = tokens > (shape['imageSize'] // shape['patchSize']) ** 2
    return Network(tokens, patch, shape['dim'], depth, heads, shape['mlpDim'], shape['classes'], class_token, rows, exact)


def draw(network: Network, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Weights, as training leaves them in size, and patches of an image."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) / math.sqrt(rows)).astype(np.float32)

    n = network
    weights = {'patch': matrix(n.patch, n.dim), 'position': 0.1 * matrix(n.tokens, n.dim), 'head': matrix(n.dim, n.classes)}
    for i in range(n.depth):
        weights |= {f'{i}.qkv': matrix(n.dim, 3 * n.dim), f'{i}.proj': 0.5 * matrix(n.dim, n.dim)}
        weights |= {f'{i}.fc1': matrix(n.dim, n.mlp), f'{i}.fc2': 0.5 * matrix(n.mlp, n.dim)}
    return weights, random.standard_normal((n.patches, n.patch)).astype(np.float32)


def forward(ops: Operations, network: Network, weights: dict[str, Array], patches: Array) -> Array:
    """Logits (classes). Biases and the norms' weights are folded into the matrices, as our exporter does."""
    n = network
    x = patches @ weights['patch']
    if n.class_token:
        x = ops.concatenate([ops.take(weights['position'], np.arange(1)), x])
    x = x + weights['position']
    head_dim = n.dim // n.heads
    for i in range(n.depth):
        qkv = _norm(ops, x, n.dim) @ weights[f'{i}.qkv']
        heads = [qkv[:, h * head_dim : (h + 1) * head_dim] for h in range(3 * n.heads)]
        queries, keys, values = heads[: n.heads], heads[n.heads : 2 * n.heads], heads[2 * n.heads :]
        scores = ops.concatenate([q @ k.transpose(1, 0) for q, k in zip(queries, keys)]) * (1 / math.sqrt(head_dim))
        attention = _split(ops, scores, n.softmax_rows[i], ops.softmax, lambda rows: rows * rows * (1 / n.tokens))
        mixed = [attention[h * n.tokens : (h + 1) * n.tokens] @ values[h] for h in range(n.heads)]
        projection = weights[f'{i}.proj']
        x = x + sum(part @ projection[h * head_dim : (h + 1) * head_dim] for h, part in enumerate(mixed))
        hidden = _norm(ops, x, n.dim) @ weights[f'{i}.fc1']
        x = x + _split(ops, hidden, n.gelu_tokens[i], ops.gelu, lambda rows: rows) @ weights[f'{i}.fc2']
    pooled = ops.take(x, np.arange(1)) if n.class_token else x.sum(0).reshape(1, n.dim) * (1 / n.tokens)
    return (_norm(ops, pooled, n.dim) @ weights['head']).reshape(n.classes)


def _norm(ops: Operations, x: Array, dim: int) -> Array:
    centred = x - x.sum(1).reshape(-1, 1) * (1 / dim)
    square = (centred * centred).sum(1).reshape(-1, 1) * (1 / dim)
    return centred * ops.rsqrt(square + 1e-5)


def _split(ops: Operations, x: Array, exact: np.ndarray, of_exact: Callable, of_others: Callable) -> Array:
    """One function of the exact rows, another of the rest, each in its place."""
    rows = x.shape[0]
    others = np.setdiff1d(np.arange(rows), exact)
    if len(exact) == 0:
        return of_others(x)
    if len(others) == 0:
        return of_exact(x)
    order = np.argsort(np.concatenate([exact, others]))
    return ops.take(ops.concatenate([of_exact(ops.take(x, exact)), of_others(ops.take(x, others))]), order)
