"""The folded network in floating point: what the integer plan approximates, and what golden.bin records."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from vit.model import ACTIVATIONS

from .folding import Array, FoldedBlock, FoldedModel, Linear, by_position, ceil_log2, mean_factor

Observer = Callable[[str, Array], object]
"""Called with a tensor's name and value (images first). Golden points have the names of docs/artifact.md."""


def patches(images: Array, patch_size: int) -> Array:
    """uint8 (B, H, W, 3) -> float64 pixel − 128 (B, patches, 3pp), entries in the order (channel, y, x)."""
    B, H, W, _ = images.shape
    p = patch_size
    x = images.astype(np.float64).reshape(B, H // p, p, W // p, p, 3) - 128
    return np.ascontiguousarray(x.transpose(0, 1, 3, 5, 2, 4)).reshape(B, (H // p) * (W // p), 3 * p * p)


def activation(name: str) -> Callable[[Array], Array]:
    """The function of that name (vit.model.ACTIVATIONS), of arrays."""
    function = ACTIVATIONS[name]
    return lambda x: function(torch.from_numpy(np.ascontiguousarray(x))).numpy()


gelu = activation('gelu')


def split_heads(x: Array, heads: int) -> Array:
    """(B, T, D) -> (B, heads, T, D/heads)."""
    B, T, D = x.shape
    return x.reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)


def join_heads(x: Array) -> Array:
    """(B, heads, T, d) -> (B, T, heads·d)."""
    B, H, T, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * d)


def forward(model: FoldedModel, images: Array, observe: Observer = lambda name, value: None) -> Array:
    """Logits (B, classes) of uint8 images (B, H, W, 3), in the precision of the model's weights."""
    x = patches(images, model.patch_size).astype(model.patch_embed.weight.dtype)
    observe('input', x)
    x = _apply(model.patch_embed, x)
    x = np.concatenate([np.broadcast_to(model.prefix, (len(x), *model.prefix.shape)), x], 1)  # (B, T, D)
    observe('patch_embed', x)
    for i, block in enumerate(model.blocks):
        name = f'blocks.{i}'
        y = _rms_norm(x, model.epsilon, f'{name}.norm1', observe) if block.norm1 else x
        x = x[:, block.go_on]
        x = x + _attention(model, block, y, x, f'{name}.attn', observe)
        if block.mlp:
            observe(f'{name}.attn.residual', x)
            y = _rms_norm(x, model.epsilon, f'{name}.norm2', observe) if block.norm2 else x
            x = x + _mlp(model, block, y, f'{name}.mlp', observe)
        observe(f'{name}.mlp.residual', x)
    pooled = _pool(model, x, observe)
    logits = _apply(model.head, pooled)
    observe('logits', logits)
    return logits


def _apply(linear: Linear, x: Array) -> Array:
    return x @ linear.weight.T + linear.bias


def _pool(model: FoldedModel, x: Array, observe: Observer) -> Array:
    """What the head reads, (B, D), of the last block's output."""

    def norm(y: Array) -> Array:
        return y if model.fc_epsilon is None else _rms_norm(y, model.fc_epsilon, 'fc_norm', observe)

    if model.pool == 'class':
        pooled = x[:, 0]
        observe('pool', pooled)
        return norm(pooled)
    patches = x[:, x.shape[1] - model.pooled_patches :]
    if model.pool == 'norm-mean':
        patches = norm(patches)
    pooled = patches.sum(1) * 2.0 ** -ceil_log2(model.pooled_patches)
    observe('pool', pooled)
    return pooled if model.pool == 'norm-mean' else norm(pooled)


def _rms_norm(x: Array, epsilon: float, name: str, observe: Observer) -> Array:
    """LayerNorm without γ, β of a stream whose channel mean is already 0. Observed is what the table gets: the sum of squares / 2^L."""
    mean_square = np.square(x).mean(-1, keepdims=True)
    observe(f'{name}.mean_square', mean_square * mean_factor(x.shape[-1]))
    y = x / np.sqrt(mean_square + epsilon)
    observe(name, y)
    return y


def _attention(model: FoldedModel, block: FoldedBlock, y: Array, ahead: Array, name: str, observe: Observer) -> Array:
    """(B, queries, D) of normalised tokens (B, T, D). ahead: of the stream, what goes on behind the block, (B, queries, D)."""
    q, k, v = _apply(block.q, y[:, block.go_on]), _apply(block.k, y), _apply(block.v, y)
    observe(f'{name}.q', q)
    observe(f'{name}.k', k)
    observe(f'{name}.v', v)
    q, k, v = (split_heads(t, model.heads) for t in (q, k, v))
    scores = q @ k.transpose(0, 1, 3, 2)  # (B, H, queries, T)
    if block.score_bias is not None:
        scores = scores + by_position(block.score_bias, model.side)
    observe(f'{name}.scores', scores)
    exact = block.softmax_rows
    probabilities = np.square(scores) * 2.0 ** -ceil_log2(block.tokens)
    rows = scores[:, exact]  # (B, rows, T)
    # What the table of exp gets: the sum of a row is T/2^L of its mean.
    observe(f'{name}.centred', (rows - rows.mean(-1, keepdims=True)) * mean_factor(block.tokens))
    # Softmax itself is computed from the maximum, so that scores the integers could not hold still give the right answer here.
    shifted = np.exp((rows - rows.max(-1, keepdims=True, initial=-np.inf)) * block.score_scale)
    probabilities[:, exact] = shifted / shifted.sum(-1, keepdims=True)
    observe(f'{name}.switched', probabilities)
    if block.static_mix is not None:
        probabilities = probabilities + by_position(block.static_mix, model.side)
    observe(f'{name}.probabilities', probabilities)
    mix = join_heads(probabilities @ v)
    observe(f'{name}.mix', mix)
    if block.square_units is not None:
        units = _apply(block.square_units, y[:, block.go_on])
        observe(f'{name}.square_units', units)
        squares = np.square(units)
        observe(f'{name}.unit_squares', squares)
        mix = np.concatenate([mix, squares], -1)
    out = _apply(block.proj, mix if block.mlp else np.concatenate([mix, ahead], -1))
    observe(f'{name}.proj', out)
    return out


def _mlp(model: FoldedModel, block: FoldedBlock, y: Array, name: str, observe: Observer) -> Array:
    exact = block.gelu_tokens
    out = np.empty_like(y)
    hidden = _apply(block.fc1, y[:, exact])
    observe(f'{name}.fc1', hidden)
    activated = activation(model.activation)(hidden)
    observe(f'{name}.gelu', activated)
    out[:, exact] = _apply(block.fc2, activated)
    observe(f'{name}.fc2', out[:, exact])
    out[:, ~exact] = _apply(block.merged, y[:, ~exact])
    observe(f'{name}.merged', out[:, ~exact])
    return out
