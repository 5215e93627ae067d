"""What a student starts as: its teacher, but for an attention and an MLP that polynomials can do, all in closed form. Ours, not PriViT's.

A square row x^2/n of a pretrained network's scores resembles its softmax in nothing: scores of -8 and 8 weigh alike, and the row's sum is no 1.
So, for each head, over some images:

- scores s become a·(s + r): the r for which (s + r)^2 tells most of what the softmax varies by from image to image, and the a that gives it
  the softmax's size. r is a constant of position (`rel_pos`), a goes into the queries;
- what a softmax weight is on average, for each offset between two tokens, goes into `rel_mix`, less what the student's own rows give;
- then `reconstruct` refits the linear layers that write the residual stream.

Both constants cost nothing in the secure protocol. They are of a grid without class token: the student reads the mean of its tokens.
"""
from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vit.model import SwitchTensors, VisionTransformer, attention_weights

from .reconstruct import AT_ONCE, reconstruct

OFFSETS = torch.arange(0, 4.01, 0.25)
"""Candidates for r."""


@torch.no_grad()
def student_start(
    teacher: VisionTransformer, switches: SwitchTensors, images: Tensor, square_units: int = 0, for_attention: int = 128, ridge: float = 0.01
) -> VisionTransformer:
    """images: normalised (count, 3, S, S). switches: of the student, without the teacher's class token, in [0, 1]."""
    old = teacher.config
    if old.positional:
        raise ValueError('teacher: expected one without constants of relative position')
    config = replace(old, pool='mean', prefix_tokens=0, positional=True, square_units=square_units)
    student = VisionTransformer(config).eval()
    fresh = {k: torch.zeros_like(v) if '.rel_' in k else v for k, v in student.state_dict().items() if '.rel_' in k or '.squares.' in k}
    student.load_state_dict({k: v for k, v in teacher.state_dict().items() if k != 'prefix'} | fresh)
    x = torch.cat([teacher.embed(part) for part in images[:for_attention].split(AT_ONCE)])
    for i, reference in enumerate(teacher.blocks):
        scores, weights = attention_of(teacher, i, x)
        approximate_attention(student, i, scores, weights, switches[0][i])
        x = torch.cat([reference(part, None, None, '', None) for part in x.split(AT_ONCE)])
    reconstruct(student, switches, teacher, images, ridge)
    return student


def attention_of(model: VisionTransformer, block: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """(scores, softmax weights) of an exact network's block, (B, h, patches, patches), for what enters it, (B, N, C)."""
    own, first = list(model.blocks)[block], model.config.prefix_tokens
    q, k, _ = own.attn.qkv(own.norm1(x)).unflatten(-1, (3, own.attn.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, h, N, d)
    scores = (q * own.attn.scale) @ k.transpose(-2, -1)
    return scores[:, :, first:, first:], scores.softmax(-1)[:, :, first:, first:]


@torch.no_grad()
def approximate_attention(model: VisionTransformer, block: int, scores: Tensor, weights: Tensor, switch: Tensor) -> None:
    """Set queries, `rel_pos` and `rel_mix` of a block. scores, weights (B, h, N, N) of the teacher; switch (h, N)."""
    attn = list(model.blocks)[block].attn
    if attn.rel_pos is None or attn.rel_mix is None:
        raise TypeError('model: expected one with constants of relative position')
    varying = weights - weights.mean(0)
    _, h, N, _ = weights.shape
    best = torch.full((h,), -1.0)
    offset, factor = torch.zeros(h), torch.ones(h)
    for r in OFFSETS:
        squares = (scores + r).square()
        squares -= squares.mean(0)
        product, power = (squares * varying).sum((0, 2, 3)), squares.square().sum((0, 2, 3))
        told = product.clamp(min=0).square() / power  # of the weights' variance
        better = told > best
        best = torch.where(better, told, best)
        offset = torch.where(better, r, offset)
        factor = torch.where(better, (N * product.clamp(min=0) / power).sqrt(), factor)
    factor = factor.clamp(0.05, 1) ** (1 - switch.mean(1))  # rows of softmax, of which the head may have some, want their scores as they are
    C, d = model.config.embed_dim, model.config.embed_dim // h
    qkv, each = attn.qkv, factor.repeat_interleave(d)
    qkv.weight[:C] *= each[:, None]
    qkv.bias[:C] *= each
    attn.rel_pos.relative_position_bias_table.copy_((factor * offset).expand_as(attn.rel_pos.relative_position_bias_table))
    missing = (weights - attention_weights((scores + offset[:, None, None]) * factor[:, None, None], switch)).mean(0)  # (h, N, N)
    table, index = torch.zeros_like(attn.rel_mix.relative_position_bias_table), attn.rel_mix.index.flatten()
    table.index_add_(0, index, missing.flatten(1).T)
    attn.rel_mix.relative_position_bias_table.copy_(table / index.bincount()[:, None])
