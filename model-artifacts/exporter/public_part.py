"""Patch embedding and first blocks that are no secret: a file for clients, and an artifact without their integers (docs/artifact.md, A public part)."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .artifact import PUBLIC_PART, pack, write_json, write_weights
from .checkpoint import Checkpoint
from .errors import ExportError
from .onnx_model import to_onnx
from .simulate import read_weights


def publish(folder: Path, checkpoint: Checkpoint, blocks: int) -> None:
    """Give the artifact in `folder`, exported from `checkpoint`, a public part."""
    check_public_blocks(blocks, checkpoint.model.config.depth)
    onnx = to_onnx(checkpoint, public_blocks=blocks)
    manifest = json.loads((folder / 'manifest.json').read_text('utf-8'))
    private = {name: tensor for name, tensor in read_weights(folder, stored=True).items() if is_private(name, blocks)}
    index, data = pack(private)
    part = {'blocks': blocks, 'bytes': len(onnx), 'sha256': hashlib.sha256(onnx).hexdigest()}
    files = {**manifest.pop('files'), 'weightsSha256': hashlib.sha256(data).hexdigest()}
    (folder / PUBLIC_PART).write_bytes(onnx)
    write_weights(folder, index, data)
    write_json(folder / 'manifest.json', {**manifest, 'publicPart': part, 'files': files})


def check_public_blocks(blocks: int, depth: int) -> None:
    """Raises ExportError when there are not as many."""
    if not 0 <= blocks <= depth:
        raise ExportError('public blocks', str(blocks), f'0 to {depth}, the depth')


def is_private(tensor: str, blocks: int) -> bool:
    """Whether an artifact's tensor of that name belongs to what comes after the first `blocks` blocks."""
    first, *rest = tensor.split('.')
    return int(rest[0]) >= blocks if first == 'blocks' else first == 'head'
