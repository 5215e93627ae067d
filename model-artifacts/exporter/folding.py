"""Exact folding: the checkpoint's network as fewer, plainer steps with the same function in real arithmetic.

What is folded, and why it is exact, is listed in docs/artifact.md. Everything here is float64.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from vit.model import ViTConfig

Array = np.ndarray


def ceil_log2(n: int) -> int:
    """Smallest L with 2^L ≥ n: sums over n stand for means at L more fraction bits."""
    return (n - 1).bit_length()


def mean_factor(n: int) -> float:
    """n / 2^ceil_log2(n), in (1/2, 1]: what such a sum is, as a multiple of the mean. Tables and weights undo it."""
    return n / 2.0 ** ceil_log2(n)


@dataclass(frozen=True)
class Linear:
    """y = x·weightᵀ + bias; weight (out, in), bias (out) or (tokens, out)."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class FoldedBlock:
    """One encoder block. `q`, `k`, `v` (D, D) read the RMS-normalised stream, `fc1` and `merged` too; where norm1, or norm2, is False, the
    stream itself. `proj`, `fc2`, `merged` write with zero channel mean.

    `merged` is fc2·fc1, for the tokens whose GELU is the identity. mlp: False where it is that of every token, and norm2 has a constant scale:
    then all of it is in `proj`, which reads the stream too, behind everything else (`proj_reading`). before, behind: places in the image of the
    tokens that enter, and of those that go on (queries): in the last block only the class token, where that is what the classifier reads.
    Switches: True = exact; of the tokens that go on. Scores are √(2^L/n) times the network's (n tokens before, L = ceil_log2(n)), inside q: then
    score²/2^L is PriViT's x²/n. score_bias, static_mix: tables of
    `by_position` that are added to the scores and to the attention weights. square_units (U, D): linear layer whose squared outputs `proj`,
    then (D, D + U), reads behind attention's.
    """

    q: Linear
    k: Linear
    v: Linear
    proj: Linear
    fc1: Linear
    fc2: Linear
    merged: Linear
    softmax_rows: Array  # bool (heads, queries)
    gelu_tokens: Array  # bool (queries,)
    before: tuple[int, ...]
    behind: tuple[int, ...]
    score_bias: Array | None = None
    static_mix: Array | None = None
    square_units: Linear | None = None
    norm1: bool = True
    norm2: bool = True
    mlp: bool = True
    groups: tuple[int, ...] = ()  # hidden units with an activation's table of their own, in their order; (): one table for all

    def proj_reading(self, frac_bits: int, stream_frac_bits: int) -> Array:
        """Weights of `proj` (D, …) that make up for the stream's fraction bits: its integers are read as if they had `frac_bits`."""
        weight = self.proj.weight.copy()
        if not self.mlp:
            weight[:, -len(weight) :] *= 2.0 ** (frac_bits - stream_frac_bits)
        return weight

    @property
    def is_softmax_alone(self) -> bool:
        """Whether all attention weights are a softmax and nothing else."""
        return bool(self.softmax_rows.all()) and self.static_mix is None

    @property
    def tokens(self) -> int:
        """That enter, and so are keys and values."""
        return len(self.before)

    @cached_property
    def go_on(self) -> list[int] | slice:
        """Which of the tokens that enter do."""
        return [self.before.index(place) for place in self.behind] if self.is_split else slice(None)

    @property
    def is_split(self) -> bool:
        """Whether fewer tokens go on than enter, so that queries have a matrix of their own."""
        return len(self.behind) < len(self.before)

    @property
    def score_scale(self) -> float:
        """What a score here must be multiplied by to be the network's: √(n/2^L)."""
        return mean_factor(self.tokens) ** 0.5

    def tables(self) -> tuple[tuple[str, Array | None], tuple[str, Array | None]]:
        return ('score_bias', self.score_bias), ('static_mix', self.static_mix)


@dataclass(frozen=True)
class FoldedModel:
    """The network between integers pixel − 128 and logits.

    What is pooled by a mean is its sum over the patches that go on to the end, divided by 2^L of their number: fc_norm's epsilon, or the head
    that reads it, undo the rest.
    """

    height: int
    width: int
    patch_size: int
    dim: int
    heads: int
    activation: str
    pool: str
    epsilon: float  # of the blocks' norms
    fc_epsilon: float | None  # of fc_norm; None where its scale is constant: the head reads what is pooled itself
    patch_embed: Linear  # weight (D, 3pp), bias (patches, D)
    prefix: Array  # (P, D): class token and registers, with their positions
    blocks: tuple[FoldedBlock, ...]
    head: Linear

    @property
    def side(self) -> int:
        """Patches per side of a square image."""
        return self.height // self.patch_size

    @property
    def tokens(self) -> int:
        """Of the image."""
        return len(self.blocks[0].before)

    @property
    def pooled_patches(self) -> int:
        """Patches that go on to the end."""
        return sum(place >= len(self.prefix) for place in self.blocks[-1].behind)

    @property
    def kept_tokens(self) -> list[tuple[int, tuple[int, ...]]]:
        """Blocks behind which fewer tokens go on, and which, but for the last one before a class token's head."""
        return [(i, block.behind) for i, block in enumerate(self.blocks) if block.is_split and not (self.pool == 'class' and block is self.blocks[-1])]

    def in_single_precision(self) -> FoldedModel:
        """The same network in float32, for passes over many images that need no more."""

        def cast(linear: Linear) -> Linear:
            return Linear(linear.weight.astype(np.float32), linear.bias.astype(np.float32))

        def cast_block(block: FoldedBlock) -> FoldedBlock:
            names = ('q', 'k', 'v', 'proj', 'fc1', 'fc2', 'merged', *(['square_units'] if block.square_units else []))
            changed: dict[str, Any] = {name: cast(getattr(block, name)) for name in names}
            changed |= {name: None if table is None else table.astype(np.float32) for name, table in block.tables()}
            return replace(block, **changed)

        blocks = tuple(map(cast_block, self.blocks))
        return replace(self, patch_embed=cast(self.patch_embed), prefix=self.prefix.astype(np.float32), head=cast(self.head), blocks=blocks)

    @property
    def classes(self) -> int:
        return len(self.head.bias)

    @property
    def square_units(self) -> int:
        """Of each block."""
        units = self.blocks[0].square_units
        return 0 if units is None else len(units.bias)

    @property
    def mlp_dim(self) -> int:
        return len(self.blocks[0].fc1.bias)


def by_position(table: Array, side: int) -> Array:
    """A table of relative positions ((2·side − 1)², heads) written out: (heads, tokens, tokens), entry (query token i, key token j).

    Row (yi − yj + side − 1)·(2·side − 1) + xi − xj + side − 1 of the table belongs to the offset from j to i, as in timm's RelPosBias.
    """
    y, x = np.divmod(np.arange(side**2), side)
    row = (y[:, None] - y + side - 1) * (2 * side - 1) + x[:, None] - x + side - 1
    return table[row].transpose(2, 0, 1)


def fold(
    state: dict[str, Array], config: ViTConfig, mean: Array, std: Array, softmax_switch: Array | None = None, gelu_switch: Array | None = None
) -> FoldedModel:
    """Fold a state dict of vit/model.py.

    mean, std: (3,) of the input normalisation, in units of 0..255. softmax_switch (depth, heads, tokens), gelu_switch
    (depth, tokens): 1 = exact; None = all exact. `attn.rel_pos` and `attn.rel_mix` (timm's RelPosBias) are read where the state dict
    has them, and `squares` (privit's SquareUnits). Raises ValueError when a tensor or a switch has the wrong shape, or when only some blocks
    have a table or square units.
    """
    state = {name: np.asarray(tensor, np.float64) for name, tensor in state.items()}
    dim, heads, tokens, side = state['pos_embed'].shape[-1], config.num_heads, config.num_tokens, config.img_size // config.patch_size
    depth = 1 + max(int(name.split('.')[1]) for name in state if name.startswith('blocks.'))
    softmax = _switch('switch.softmax', softmax_switch, (depth, heads, tokens))
    gelu = _switch('switch.gelu', gelu_switch, (depth, tokens))
    if state['pos_embed'].shape != (1, config.num_patches, dim):
        raise ValueError(f"pos_embed: expected shape {(1, config.num_patches, dim)}, got {state['pos_embed'].shape}")
    def linear(name: str) -> Linear:
        return Linear(state[f'{name}.weight'], state[f'{name}.bias'])

    def tables(name: str) -> list[Array | None]:
        names = [f'blocks.{i}.attn.{name}.relative_position_bias_table' for i in range(depth)]
        if not any(n in state for n in names):
            return [None] * depth
        shape = ((2 * side - 1) ** 2, heads)
        for n in names:
            if n not in state or state[n].shape != shape:
                raise ValueError(f'{n}: expected shape {shape}, got {state[n].shape if n in state else None}')
        return [state[n] for n in names]

    score_bias, static_mix = tables('rel_pos'), tables('rel_mix')
    units = {i: len(bias) for i in range(depth) if (bias := state.get(f'blocks.{i}.squares.fc1.bias')) is not None}
    if units and (len(units) < depth or len(set(units.values())) > 1):
        raise ValueError(f'blocks: expected as many square units in each, got {units}')
    blocks = []
    for i in range(depth):
        name = f'blocks.{i}'
        norm1, norm2 = linear(f'{name}.norm1'), linear(f'{name}.norm2')
        qkv = _after_norm(linear(f'{name}.attn.qkv'), norm1)
        q, k, v = (Linear(w, b) for w, b in zip(np.split(qkv.weight, 3), np.split(qkv.bias, 3)))
        before, behind = config.tokens_before(i), config.tokens_behind(i)
        factor = mean_factor(len(before))
        scale = (dim // heads * factor) ** -0.5
        fc1 = _after_norm(linear(f'{name}.mlp.fc1'), norm2)
        fc2 = _centred(linear(f'{name}.mlp.fc2'))
        merged = Linear(fc2.weight @ fc1.weight, fc2.weight @ fc1.bias + fc2.bias)
        softmax_rows, gelu_tokens = softmax[i][:, behind], gelu[i][list(behind)]
        norms = [f'{name}.norm{j}' not in config.fixed_norms for j in (1, 2)]
        mlp = norms[1] or bool(gelu_tokens.any())
        proj, square_units = _centred(linear(f'{name}.attn.proj')), None
        out = state[f'{name}.squares.fc2.weight'] if units else np.empty((dim, 0))
        if not mlp:
            proj, out = _with_linear_mlp(proj, merged), out - out.mean(0)
            out = out + merged.weight @ out
        if units:
            square_units, out = _balanced(_after_norm(linear(f'{name}.squares.fc1'), norm1), out, proj.weight)
            proj = Linear(np.concatenate([proj.weight, out], 1), proj.bias)
        if not mlp:
            proj = Linear(np.concatenate([proj.weight, merged.weight], 1), proj.bias)
        blocks.append(
            FoldedBlock(
                q=Linear(q.weight * scale, q.bias * scale),
                k=k,
                v=v,
                proj=proj,
                fc1=fc1,
                fc2=fc2,
                merged=merged,
                softmax_rows=softmax_rows,
                gelu_tokens=gelu_tokens,
                before=before,
                behind=behind,
                score_bias=None if (bias := score_bias[i]) is None else bias * factor**-0.5,
                static_mix=static_mix[i],
                square_units=square_units,
                norm1=norms[0],
                norm2=norms[1],
                mlp=mlp,
            )
        )
    embed = _fold_input(linear('patch_embed.proj'), state['pos_embed'][0], np.asarray(mean, np.float64), np.asarray(std, np.float64))
    prefix = state['prefix'][0] if config.prefix_tokens else np.empty((0, dim))
    head, pooled = _after_norm(linear('head'), linear('fc_norm')), mean_factor(sum(place >= config.prefix_tokens for place in blocks[-1].behind))
    fc_epsilon = None if 'fc_norm' in config.fixed_norms else config.norm_eps * (pooled**2 if config.pool == 'mean' else 1)
    if config.pool == 'norm-mean' or (config.pool == 'mean' and fc_epsilon is None):
        head = Linear(head.weight / pooled, head.bias)
    return FoldedModel(
        config.img_size, config.width, config.patch_size, dim, heads, config.activation, config.pool, config.norm_eps,
        fc_epsilon, _centred(embed), prefix - prefix.mean(-1, keepdims=True), tuple(blocks), head,
    )  # fmt: skip


def _switch(name: str, switch: Array | None, shape: tuple[int, ...]) -> Array:
    if switch is None:
        return np.ones(shape, bool)
    switch = np.asarray(switch)
    if switch.shape != shape:
        raise ValueError(f'{name}: expected shape {shape}, got {switch.shape}')
    if not np.isin(switch, (0, 1)).all():
        raise ValueError(f'{name}: expected zeros and ones only')
    return switch.astype(bool)


def _after_norm(linear: Linear, norm: Linear) -> Linear:
    """W(γ·y + β) + b = (W·γ)y + (Wβ + b); of a constant scale, which is inside γ, y is the stream."""
    return Linear(linear.weight * norm.weight, linear.weight @ norm.bias + linear.bias)


def _centred(linear: Linear) -> Linear:
    """Subtract the mean over output channels: LayerNorm would subtract it anyway, and nothing else reads the stream."""
    return Linear(linear.weight - linear.weight.mean(0), linear.bias - linear.bias.mean(-1, keepdims=True))


def _with_linear_mlp(proj: Linear, mlp: Linear) -> Linear:
    """What proj adds to x before an MLP M z + m of the stream z itself: z = x + P f + p gives x + M x + (I + M)(P f + p) + m, of which M x is not
    in here."""
    return Linear(proj.weight + mlp.weight @ proj.weight, proj.bias + mlp.weight @ proj.bias + mlp.bias)


def _balanced(units: Linear, out: Array, proj: Array) -> tuple[Linear, Array]:
    """Square units (U, D) and the weights (D, U) of their squares, with zero channel mean, each unit scaled by a c in 0..1 so that its largest
    weight is the largest of all and of `proj`: so one number of fraction bits serves all columns that `proj` gets. (c·u)²·(w/c²) = u²·w."""
    out = out - out.mean(0)
    largest = np.abs(out).max(0)
    square = largest / (max(largest.max(), np.abs(proj).max()) or 1.0)  # c² of each unit; 0 of one that adds nothing
    scale = np.sqrt(square)
    balanced = np.divide(out, square, out=np.zeros_like(out), where=square > 0)
    return Linear(units.weight * scale[:, None], units.bias * scale), balanced


def _fold_input(conv: Linear, position: Array, mean: Array, std: Array) -> Linear:
    """The convolution as a matrix over (channel, y, x), acting on pixel − 128 instead of (pixel − mean)/std."""
    kernel = conv.weight / std[:, None, None]
    offset = ((128 - mean)[:, None, None] * kernel).sum((1, 2, 3))
    return Linear(kernel.reshape(len(kernel), -1), position + conv.bias + offset)
