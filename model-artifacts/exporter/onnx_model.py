"""The unfolded float model as ONNX: what the secure result is compared with."""
from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from vit.model import ACTIVATIONS

from .checkpoint import Checkpoint

OPSET = 17
HALF_FROM = 1024
"""Initialisers of at least this many elements are stored as float16: the file would exceed 10 MB otherwise."""


class PixelModel(nn.Module):
    """Logits of RGB pixels 0..255: normalisation, then timm's ViT with PriViT's switches, layer by layer as it was trained.

    Written out here, on the state dict, so that the file has each weight once and nothing that speeds up training.
    """

    mean: Tensor
    std: Tensor
    positions: Tensor
    softmax_switch: Tensor
    gelu_switch: Tensor
    patch_embed_proj_weight: Tensor
    patch_embed_proj_bias: Tensor
    pos_embed: Tensor
    prefix: Tensor

    def __init__(self, checkpoint: Checkpoint, public_blocks: int | None = None) -> None:
        """public_blocks: stop before that block, with the residual stream as the protocol has it; None: go on to the logits."""
        super().__init__()
        self.public_blocks = public_blocks
        self.config = checkpoint.model.config
        self.epsilon = self.config.norm_eps
        for name, tensor in checkpoint.model.state_dict().items():
            self.register_buffer(name.replace('.', '_'), tensor.float())
        self.register_buffer('softmax_switch', checkpoint.switches[0].float())
        self.register_buffer('gelu_switch', checkpoint.switches[1].float())
        self.register_buffer('mean', torch.tensor(checkpoint.description['mean']).view(1, 3, 1, 1))
        self.register_buffer('std', torch.tensor(checkpoint.description['std']).view(1, 3, 1, 1))

        side = self.config.img_size // self.config.patch_size if self.config.positional else 0
        y, x = torch.arange(side**2) // side, torch.arange(side**2) % side
        self.register_buffer('positions', (y[:, None] - y + side - 1) * (2 * side - 1) + x[:, None] - x + side - 1)

    def _plus_table(self, x: Tensor, name: str) -> Tensor:
        """x (N, H, T, T) plus timm's RelPosBias of that name, where the network has it."""
        table = getattr(self, f'{name}_relative_position_bias_table', None)
        return x if table is None else x + table[self.positions].permute(2, 0, 1)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, getattr(self, f'{name}_weight'), getattr(self, f'{name}_bias'))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        if name in {fixed.replace('.', '_') for fixed in self.config.fixed_norms}:
            return (x - x.mean(-1, keepdim=True)) * getattr(self, f'{name}_weight') + getattr(self, f'{name}_bias')
        return F.layer_norm(x, (self.config.embed_dim,), getattr(self, f'{name}_weight'), getattr(self, f'{name}_bias'), self.epsilon)

    def forward(self, image: Tensor) -> Tensor:
        """image float32 (N, 3, H, W) -> (N, classes), or of a public part (N, T, D); of all blocks before a class token's head (N, 1, D)."""
        c = self.config
        x = F.conv2d((image - self.mean) / self.std, self.patch_embed_proj_weight, self.patch_embed_proj_bias, stride=c.patch_size)
        x = x.flatten(2).transpose(1, 2) + self.pos_embed  # (N, patches, D)
        if c.prefix_tokens:
            x = torch.cat([self.prefix.expand(x.shape[0], -1, -1), x], 1)  # (N, T, D)
        there = list(range(c.num_tokens))
        for i in range(c.depth if self.public_blocks is None else self.public_blocks):
            block, behind = f'blocks_{i}', list(c.tokens_behind(i, only_pooled=False))
            go_on = [there.index(place) for place in behind]
            y = self._norm(x, f'{block}_norm1')
            qkv = self._linear(y, f'{block}_attn_qkv')
            q, k, v = (t.reshape(-1, len(there), c.num_heads, c.embed_dim // c.num_heads).transpose(1, 2) for t in qkv.chunk(3, -1))
            if len(behind) < len(there):
                x, y, q = x[:, go_on], y[:, go_on], q[:, :, go_on]
            scores = (q * (c.embed_dim // c.num_heads) ** -0.5) @ k.transpose(-2, -1)  # (N, H, Q, T)
            scores = self._plus_table(scores, f'{block}_attn_rel_pos')
            kept = self.softmax_switch[i][:, behind, None]
            weights = kept * scores.softmax(-1) + (1 - kept) * (scores * scores / len(there))
            there = behind
            mix = (self._plus_table(weights, f'{block}_attn_rel_mix') @ v).transpose(1, 2).reshape(-1, len(there), c.embed_dim)
            x = x + self._linear(mix, f'{block}_attn_proj')
            if c.square_units:
                units = self._linear(y, f'{block}_squares_fc1')
                # The matrix comes first so that the tracer leaves it as it is: without a bias, `restore` finds it by its name only.
                x = x + (getattr(self, f'{block}_squares_fc2_weight') @ (units * units).transpose(1, 2)).transpose(1, 2)
            hidden = self._linear(self._norm(x, f'{block}_norm2'), f'{block}_mlp_fc1')
            kept = self.gelu_switch[i][there, None]
            x = x + self._linear(kept * ACTIVATIONS[c.activation](hidden) + (1 - kept) * hidden, f'{block}_mlp_fc2')
        if self.public_blocks is not None:
            x = x[:, :1] if c.pool == 'class' and self.public_blocks == c.depth else x
            return x - x.mean(-1, keepdim=True)
        if c.pool == 'class':
            return self._linear(self._norm(x[:, 0], 'fc_norm'), 'head')
        patches = x[:, sum(place < c.prefix_tokens for place in there) :]
        return self._linear(self._norm(patches, 'fc_norm').mean(1) if c.pool == 'norm-mean' else self._norm(patches.mean(1), 'fc_norm'), 'head')


def to_onnx(checkpoint: Checkpoint, half: bool = True, public_blocks: int | None = None) -> bytes:
    """A serialised ONNX model: input `image` float32 (N, 3, H, W), output `logits` (N, classes), or `stream` of PixelModel's public_blocks;
    N dynamic. It has the tensors that it needs, and no others.

    half: large initialisers are stored as float16 with a Cast to float32 behind each, so arithmetic stays float32.
    """
    config = checkpoint.model.config
    output = 'logits' if public_blocks is None else 'stream'
    buffer: Any = io.BytesIO()  # written too, whatever torch's signature says
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # about the tracer's constants: shapes, which are fixed here but for N
        torch.onnx.export(
            PixelModel(checkpoint, public_blocks).eval(), (torch.zeros(2, 3, config.img_size, config.width),), buffer, dynamo=False, opset_version=OPSET,
            input_names=['image'], output_names=[output], dynamic_axes={'image': {0: 'N'}, output: {0: 'N'}},
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    if half:
        _store_as_half(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _store_as_half(model: onnx.ModelProto) -> None:
    casts = []
    for initialiser in model.graph.initializer:
        values = numpy_helper.to_array(initialiser)
        if initialiser.data_type != TensorProto.FLOAT or values.size < HALF_FROM:
            continue
        name = initialiser.name
        initialiser.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f'{name}.half'))
        casts.append(helper.make_node('Cast', [f'{name}.half'], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
