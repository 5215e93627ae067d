"""Distillation of the residual stream, block by block, from an exact ViT with as many patches, and as wide; with more blocks than its student
where the student is told which of them its own stand for (`condense.py`).

Logits alone say little to a student whose nonlinearities are mostly polynomials: MPCFormer (Li et al., ICLR 2023, arXiv 2211.01452, section
3.2) distils its approximated Transformers so, after TinyBERT (Jiao et al., 2020, arXiv 1909.10351). Ours: each channel counts alike, by its
own variance, and what fixed point could not hold is cut off, so that a pretrained network's massive activations are not taught.
"""
from __future__ import annotations

import torch
from torch import Tensor

from vit.model import ViTConfig

from .ranges import MARGIN, RESIDUAL_LIMIT

SMALLEST_DEVIATION = 0.05
"""A channel's, as a part of all channels' together: those that hardly move count no more than if they moved so far."""


class Streams:
    """An observer for `VisionTransformer` that keeps what leaves each block, (B, N, C)."""

    def __init__(self) -> None:
        self.after: list[Tensor] = []

    def __call__(self, name: str, value: Tensor) -> None:
        if name.endswith('.residual2'):
            self.after.append(value)


def within_range(stream: Tensor) -> Tensor:
    """What of a residual stream a student can have."""
    limit = MARGIN * RESIDUAL_LIMIT
    return stream.clamp(-limit, limit)


def teaching_blocks(student: ViTConfig, teacher: ViTConfig, kept: str) -> list[int]:
    """For each block of the student, the block of the teacher behind which the stream should be the same. kept: those of the teacher's that the
    student has, such as '0,1,4,7': each does what the teacher does up to the next one. '': all of them.

    Raises ValueError when the teacher's streams are not ones that the student could have.
    """
    if teacher.kept_tokens:
        raise ValueError('hidden_weight: expected a teacher all of whose tokens go on to its last block')
    for name in ('embed_dim', 'num_patches'):
        ours, theirs = getattr(student, name), getattr(teacher, name)
        if ours != theirs:
            raise ValueError(f'hidden_weight: expected a teacher with the {name} of the student, {ours}, got {theirs}')
    blocks = [int(part) for part in kept.split(',')] if kept else [*range(teacher.depth)]
    if len(blocks) != student.depth or blocks != sorted({*blocks}) or not 0 <= blocks[0] <= blocks[-1] < teacher.depth:
        raise ValueError(f'hidden_blocks: expected {student.depth} ascending ones of 0..{teacher.depth - 1}, got {blocks}')
    return [following - 1 for following in [*blocks[1:], teacher.depth]]


def hidden_loss(ours: list[Tensor], theirs: list[Tensor], pooled: Tensor, their_pooled: Tensor, student: ViTConfig, last: bool) -> Tensor:
    """The mean over blocks of the squared error of the patches' streams, of those that go on, and of what the classifiers read, (B, C), in the
    teacher's variances. last: whether the patches' streams after the last block count: not where one network reads its class token there."""
    pairs = [(pooled, their_pooled)]
    for i, (a, b) in enumerate([*zip(ours, theirs, strict=True)][: None if last else -1]):
        patches = [token - student.prefix_tokens for token in student.tokens_behind(i) if token >= student.prefix_tokens]
        if patches:
            own = b[:, -student.num_patches :]
            pairs.append((a[:, -len(patches) :], within_range(own if len(patches) == student.num_patches else own[:, patches])))
    return torch.stack([_error(a.flatten(0, -2), b.flatten(0, -2)) for a, b in pairs]).mean()


def _error(ours: Tensor, theirs: Tensor) -> Tensor:
    """Both (rows, C)."""
    deviation = theirs.std(0).clamp(min=SMALLEST_DEVIATION * float(theirs.std()))
    return ((ours - theirs) / deviation).square().mean()
