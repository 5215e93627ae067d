"""Between stages 3 and 4: refit linear layers in closed form, so that the Taylorized network starts close to its teacher.

Not in the paper, which lets fine-tuning repair what binarisation broke; that takes epochs. Layer by layer, from the input on, the two
linear layers that write the residual stream are solved by ridge regression: given what the student's switched nonlinearities put
out, the residual stream should become the teacher's. It is the layer-wise reconstruction of post-training pruning and quantisation
(He et al., ICCV 2017, arXiv 1707.06168, section 3.1), with errors of earlier layers compensated by later ones.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit.model import Block, SwitchTensors, VisionTransformer


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

    def solve_into(self, layer: nn.Linear, ridge: float) -> None:
        start = torch.cat([layer.weight, layer.bias[:, None]], dim=1).T.double()  # (inputs + 1, outputs)
        strength = ridge * self.xx.diagonal()[:-1].mean() * torch.eye(len(self.xx), dtype=torch.float64)
        strength[-1, -1] = 0
        solution = torch.linalg.solve(self.xx + strength, self.xy + strength @ start)
        layer.weight.data.copy_(solution[:-1].T)
        layer.bias.data.copy_(solution[-1])


@torch.no_grad()
def reconstruct(student: VisionTransformer, switches: SwitchTensors, teacher: VisionTransformer, images: Tensor, ridge: float = 0.01) -> None:
    """Refit every `attn.proj` and `mlp.fc2` of the student in place.

    switches: binary. images: (count, 3, S, S) normalised; a few thousand suffice. The residual streams of all images are held in
    memory: count * tokens * embed_dim * 8 bytes.
    """
    batches = list(torch.arange(len(images)).split(128))
    ours = torch.cat([student.patch_embed(images[b]) + student.pos_embed for b in batches])  # (count, N, C)
    theirs = torch.cat([teacher.patch_embed(images[b]) + teacher.pos_embed for b in batches])
    for i, (block, reference) in enumerate(zip(student.blocks, teacher.blocks)):
        softmax, gelu = switches[0][i], switches[1][i]

        fit = RidgeRegression(ours.shape[-1], ours.shape[-1])
        for b in batches:
            theirs[b] += reference.attn(reference.norm1(theirs[b]), None, '', None) + _squares(reference, theirs[b])
            fit.add(_mix(block, ours[b], softmax), theirs[b] - ours[b] - _squares(block, ours[b]))
        fit.solve_into(block.attn.proj, ridge)
        for b in batches:
            ours[b] += block.attn.proj(_mix(block, ours[b], softmax)) + _squares(block, ours[b])

        fit = RidgeRegression(block.mlp.fc2.in_features, ours.shape[-1])
        for b in batches:
            theirs[b] += reference.mlp(reference.norm2(theirs[b]), None, '', None)
            fit.add(_hidden(block, ours[b], gelu), theirs[b] - ours[b])
        fit.solve_into(block.mlp.fc2, ridge)
        for b in batches:
            ours[b] += block.mlp.fc2(_hidden(block, ours[b], gelu))


def _mix(block: Block, x: Tensor, switch: Tensor) -> Tensor:
    """What `attn.proj` sees, (B, N, C)."""
    return block.attn.mix(block.norm1(x), switch)


def _squares(block: Block, x: Tensor) -> Tensor | float:
    """What the block's square units, if it has any, add beside attention."""
    return 0.0 if block.squares is None else block.squares(block.norm1(x), '', None)


def _hidden(block: Block, x: Tensor, switch: Tensor) -> Tensor:
    """What `mlp.fc2` sees, (B, N, M)."""
    hidden = block.mlp.fc1(block.norm2(x))
    return torch.where(switch[:, None] > 0, block.mlp.activation(hidden), hidden)
