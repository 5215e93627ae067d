"""Between stages 3 and 4, or before the search: refit linear layers in closed form, so that a student starts close to its teacher.

Not in the paper, which lets fine-tuning repair what binarisation broke; that takes epochs. Layer by layer, from the input on, the
linear layers that write the residual stream are solved by ridge regression: given what the student's switched nonlinearities put
out, the residual stream should become the teacher's. It is the layer-wise reconstruction of post-training pruning and quantisation
(He et al., ICCV 2017, arXiv 1707.06168, section 3.1), with errors of earlier layers compensated by later ones.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit.model import Block, SwitchTensors, VisionTransformer

from .hidden import within_range

AT_ONCE = 128
"""Images of a forward pass."""


class RidgeRegression:
    """Accumulates y ~ W x + b over batches; solves with a penalty of `ridge` times the mean variance of x on W - W_0."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.xx = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64)
        self.xy = torch.zeros(inputs + 1, outputs, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """x (..., inputs), y (..., outputs)."""
        x = F.pad(x.reshape(-1, x.shape[-1]), (0, 1), value=1.0)
        self.xx += (x.T @ x).double()
        self.xy += (x.T @ y.reshape(-1, y.shape[-1])).double()

    def solve_into(self, layer: nn.Linear, ridge: float, beside: nn.Linear | None = None) -> None:
        """beside: a layer without bias that reads the last of the inputs."""
        weights = [layer.weight, *([] if beside is None else [beside.weight])]
        start = torch.cat([*weights, layer.bias[:, None]], dim=1).T.double()  # (inputs + 1, outputs)
        strength = ridge * self.xx.diagonal()[:-1].mean() * torch.eye(len(self.xx), dtype=torch.float64)
        strength[-1, -1] = 0
        solution = torch.linalg.solve(self.xx + strength, self.xy + strength @ start)
        for weight, part in zip(weights, solution[:-1].T.split([w.shape[1] for w in weights], 1)):
            weight.data.copy_(part)
        layer.bias.data.copy_(solution[-1])


@torch.no_grad()
def reconstruct(student: VisionTransformer, switches: SwitchTensors, teacher: VisionTransformer, images: Tensor, ridge: float = 0.01) -> None:
    """Refit every `attn.proj`, with the square units' `fc2`, and every `mlp.fc2` of the student in place.

    switches: binary, or still being learned. images: (count, 3, S, S) normalised; a few thousand suffice. The residual streams of all
    images are held in memory: count * tokens * embed_dim * 8 bytes. A student that reads the mean of its tokens where its teacher reads
    the class token has this token's last state as the target of all tokens of its last block.
    """
    batches = list(torch.arange(len(images)).split(AT_ONCE))
    ours = torch.cat([student.embed(images[b]) for b in batches])  # (count, N, C)
    theirs = torch.cat([teacher.embed(images[b]) for b in batches])
    first = teacher.config.prefix_tokens - student.config.prefix_tokens
    summarises = teacher.config.pool == 'class' and student.config.pool != 'class'
    for i, (block, reference) in enumerate(zip(student.blocks, teacher.blocks)):
        softmax, gelu = switches[0][i], switches[1][i]
        between = theirs.clone()
        for b in batches:
            between[b] += reference.attn(reference.norm1(theirs[b]), None, '', None) + _squares(reference, theirs[b])
            theirs[b] = between[b] + reference.mlp(reference.norm2(between[b]), None, '', None)
        after, between = within_range(theirs[:, first:]), within_range(between[:, first:])
        if summarises and block is student.blocks[-1]:
            after = between = within_range(theirs[:, :1]).expand_as(ours)

        fit = RidgeRegression(block.attn.proj.in_features + student.config.square_units, ours.shape[-1])
        for b in batches:
            fit.add(_read_by_proj(block, ours[b], softmax), between[b] - ours[b])
        fit.solve_into(block.attn.proj, ridge, None if block.squares is None else block.squares.fc2)
        for b in batches:
            ours[b] += block.attn.proj(block.attn.mix(block.norm1(ours[b]), softmax)) + _squares(block, ours[b])

        fit = RidgeRegression(block.mlp.fc2.in_features, ours.shape[-1])
        for b in batches:
            fit.add(_hidden(block, ours[b], gelu), after[b] - ours[b])
        fit.solve_into(block.mlp.fc2, ridge)
        for b in batches:
            ours[b] += block.mlp.fc2(_hidden(block, ours[b], gelu))


def _read_by_proj(block: Block, x: Tensor, switch: Tensor) -> Tensor:
    """What `attn.proj` and the square units' `fc2` see, side by side, (B, N, C + units)."""
    y = block.norm1(x)
    mix = block.attn.mix(y, switch)
    return mix if block.squares is None else torch.cat([mix, block.squares.fc1(y).square()], -1)


def _squares(block: Block, x: Tensor) -> Tensor | float:
    """What the block's square units, if it has any, add beside attention."""
    return 0.0 if block.squares is None else block.squares(block.norm1(x), '', None)


def _hidden(block: Block, x: Tensor, switch: Tensor) -> Tensor:
    """What `mlp.fc2` sees, (B, N, M)."""
    hidden = block.mlp.fc1(block.norm2(x))
    return torch.lerp(hidden, block.mlp.activation(hidden), switch[:, None])
