"""The folded network in floating point: what the integer plan approximates, and what golden.bin records."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .folding import Array, FoldedModel, Linear, by_position

Observer = Callable[[str, Array], object]
"""Called with a tensor's name and value (images first). Golden points have the names of docs/artifact.md."""


def patches(images: Array, patch_size: int) -> Array:
    """uint8 (B, S, S, 3) -> float64 pixel − 128 (B, tokens, 3pp), entries in the order (channel, y, x)."""
    B, S, _, _ = images.shape
    n, p = S // patch_size, patch_size
    x = images.astype(np.float64).reshape(B, n, p, n, p, 3) - 128
    return np.ascontiguousarray(x.transpose(0, 1, 3, 5, 2, 4)).reshape(B, n * n, 3 * p * p)


def gelu(x: Array) -> Array:
    """x·Φ(x), exactly (erf), as `torch.nn.functional.gelu`."""
    return 0.5 * x * (1 + torch.erf(torch.from_numpy(np.ascontiguousarray(x)) / 2**0.5).numpy())


def split_heads(x: Array, heads: int) -> Array:
    """(B, T, D) -> (B, heads, T, D/heads)."""
    B, T, D = x.shape
    return x.reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)


def join_heads(x: Array) -> Array:
    """(B, heads, T, d) -> (B, T, heads·d)."""
    B, H, T, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * d)


def forward(model: FoldedModel, images: Array, observe: Observer = lambda name, value: None) -> Array:
    """Logits (B, classes) of uint8 images (B, S, S, 3), in the precision of the model's weights."""
    x = patches(images, model.patch_size).astype(model.patch_embed.weight.dtype)
    observe('input', x)
    x = _apply(model.patch_embed, x)
    observe('patch_embed', x)
    for i, block in enumerate(model.blocks):
        name = f'blocks.{i}'
        y = _rms_norm(x, model.epsilon, f'{name}.norm1', observe)
        x = x + _attention(model, block, y, f'{name}.attn', observe)
        observe(f'{name}.attn.residual', x)
        y = _rms_norm(x, model.epsilon, f'{name}.norm2', observe)
        x = x + _mlp(block, y, f'{name}.mlp', observe)
        observe(f'{name}.mlp.residual', x)
    x = x.mean(1)
    observe('pool', x)
    logits = _apply(model.head, _rms_norm(x, model.epsilon, 'fc_norm', observe))
    observe('logits', logits)
    return logits


def _apply(linear: Linear, x: Array) -> Array:
    return x @ linear.weight.T + linear.bias


def _rms_norm(x: Array, epsilon: float, name: str, observe: Observer) -> Array:
    """LayerNorm without γ, β of a stream whose channel mean is already 0."""
    mean_square = np.square(x).mean(-1, keepdims=True)
    observe(f'{name}.mean_square', mean_square)
    y = x / np.sqrt(mean_square + epsilon)
    observe(name, y)
    return y


def _attention(model: FoldedModel, block, y: Array, name: str, observe: Observer) -> Array:
    q, k, v = (_apply(linear, y) for linear in (block.q, block.k, block.v))
    observe(f'{name}.q', q)
    observe(f'{name}.k', k)
    observe(f'{name}.v', v)
    q, k, v = (split_heads(t, model.heads) for t in (q, k, v))
    scores = q @ k.transpose(0, 1, 3, 2)  # (B, H, T, T)
    if block.score_bias is not None:
        scores = scores + by_position(block.score_bias, model.side)
    observe(f'{name}.scores', scores)
    exact = block.softmax_rows
    probabilities = np.square(scores) / model.tokens
    rows = scores[:, exact]  # (B, rows, T)
    centred = rows - rows.mean(-1, keepdims=True)
    observe(f'{name}.centred', centred)
    # Softmax itself is computed from the maximum, so that scores the integers could not hold still give the right answer here.
    shifted = np.exp(rows - rows.max(-1, keepdims=True, initial=-np.inf))
    probabilities[:, exact] = shifted / shifted.sum(-1, keepdims=True)
    observe(f'{name}.switched', probabilities)
    if block.static_mix is not None:
        probabilities = probabilities + by_position(block.static_mix, model.side)
    observe(f'{name}.probabilities', probabilities)
    mix = join_heads(probabilities @ v)
    observe(f'{name}.mix', mix)
    if block.square_units is not None:
        units = _apply(block.square_units, y)
        observe(f'{name}.square_units', units)
        squares = np.square(units)
        observe(f'{name}.unit_squares', squares)
        mix = np.concatenate([mix, squares], -1)
    out = _apply(block.proj, mix)
    observe(f'{name}.proj', out)
    return out


def _mlp(block, y: Array, name: str, observe: Observer) -> Array:
    exact = block.gelu_tokens
    out = np.empty_like(y)
    hidden = _apply(block.fc1, y[:, exact])
    observe(f'{name}.fc1', hidden)
    activated = gelu(hidden)
    observe(f'{name}.gelu', activated)
    out[:, exact] = _apply(block.fc2, activated)
    observe(f'{name}.fc2', out[:, exact])
    out[:, ~exact] = _apply(block.merged, y[:, ~exact])
    observe(f'{name}.merged', out[:, ~exact])
    return out
