"""The unfolded float model as ONNX: what the secure result is compared with."""
from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .checkpoint import Checkpoint

OPSET = 17
HALF_FROM = 1024
"""Initialisers of at least this many elements are stored as float16: the file would exceed 10 MB otherwise."""


class PixelModel(nn.Module):
    """Logits of RGB pixels 0..255: normalisation, then the network with its switches."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.model
        self.register_buffer('softmax', checkpoint.switches[0].float())
        self.register_buffer('gelu', checkpoint.switches[1].float())
        self.register_buffer('mean', torch.tensor(checkpoint.description['mean']).view(1, 3, 1, 1))
        self.register_buffer('std', torch.tensor(checkpoint.description['std']).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """image float32 (N, 3, S, S) -> (N, classes)."""
        return self.network((image - self.mean) / self.std, (self.softmax, self.gelu))


def to_onnx(checkpoint: Checkpoint, half: bool = True) -> bytes:
    """A serialised ONNX model: input `image` float32 (N, 3, S, S), output `logits` (N, classes), N dynamic.

    half: large initialisers are stored as float16 with a Cast to float32 behind each, so arithmetic stays float32.
    """
    size = checkpoint.model.config.img_size
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # about the tracer's constants: shapes, which are fixed here but for N
        torch.onnx.export(
            PixelModel(checkpoint).eval(), (torch.zeros(2, 3, size, size),), buffer, dynamo=False, opset_version=OPSET,
            input_names=['image'], output_names=['logits'], dynamic_axes={'image': {0: 'N'}, 'logits': {0: 'N'}},
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
