"""An artifact's files, in the formats of docs/artifact.md."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .folding import Array, FoldedBlock, FoldedModel
from .forward import forward
from .images import Preprocessing

GOLDEN_SUFFIXES = (
    'norm1', 'attn.q', 'attn.k', 'attn.v', 'attn.scores', 'attn.probabilities', 'attn.mix', 'attn.unit_squares', 'attn.residual', 'norm2', 'mlp.residual',
)  # fmt: skip


FORMAT = 'blindsight-manifest/1'
PUBLIC_PART = 'public.onnx'
LARGE_SUFFIXES = ('attn.scores', 'attn.probabilities')
GOLDEN_BYTES = 16 << 20
"""Above it, what grows with the square of the tokens is left out."""


def golden_points(model: FoldedModel, fixed: dict) -> list[str]:
    """The names of docs/artifact.md's golden points, in order. fixed: the manifest's `fixedPoint`."""

    def is_there(block: FoldedBlock, scales: dict, suffix: str) -> bool:
        return {
            'norm1': block.norm1, 'norm2': block.norm2, 'attn.unit_squares': block.square_units is not None, 'attn.residual': block.mlp,
            'attn.probabilities': 'unnormalisedMix' not in scales['attn'],
        }.get(suffix, True)  # fmt: skip

    both = enumerate(zip(model.blocks, fixed['blocks']))
    blocks = [f'blocks.{i}.{suffix}' for i, (block, scales) in both for suffix in GOLDEN_SUFFIXES if is_there(block, scales, suffix)]
    return ['input', 'patch_embed', *blocks, 'pool', *([] if model.fc_epsilon is None else ['fc_norm']), 'logits']


def pack(tensors: dict[str, Array]) -> tuple[list[dict], bytes]:
    """(index, bytes) of tensors, little-endian, each at a multiple of 4 bytes."""
    index, data = [], bytearray()
    for name, tensor in tensors.items():
        index.append({'name': name, 'dtype': str(tensor.dtype), 'shape': list(tensor.shape), 'offset': len(data)})
        data += tensor.astype(tensor.dtype.newbyteorder('<')).tobytes()
        data += bytes(-len(data) % 4)
    return index, bytes(data)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + '\n', 'utf-8')


def write_weights(folder: Path, index: list[dict], data: bytes) -> None:
    """weights.json and weights.bin, as `pack` made them."""
    (folder / 'weights.json').write_text('{"tensors": [\n ' + ',\n '.join(map(json.dumps, index)) + '\n]}\n')
    (folder / 'weights.bin').write_bytes(data)


def write_golden(folder: Path, model: FoldedModel, fixed: dict, image: Array, sample: str) -> None:
    """golden.json and golden.bin of one cropped image (H, W, 3). `sample`: what image it is."""
    seen: dict[str, Array] = {}
    forward(model, image[None], lambda name, value: seen.setdefault(name, value[0]))
    tensors = {'image': image.astype(np.uint8)}
    tensors.update((name, seen[name].astype(np.float32)) for name in golden_points(model, fixed))
    if sum(tensor.nbytes for tensor in tensors.values()) > GOLDEN_BYTES:
        tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(LARGE_SUFFIXES)}
    index, data = pack(tensors)
    (folder / 'golden.bin').write_bytes(data)
    (folder / 'golden.json').write_text(json.dumps({'sample': sample})[:-1] + ', "tensors": [\n ' + ',\n '.join(map(json.dumps, index)) + '\n]}\n')


def places(block: FoldedBlock, chosen: Array) -> list[int]:
    """Where in the image those are of the tokens that go on that are chosen, bool (queries,)."""
    return np.array(block.behind)[chosen].tolist()


def manifest(
    model: FoldedModel,
    fixed: dict,
    name: str,
    title: str,
    description: str,
    labels: list[str],
    preprocessing: Preprocessing,
    weights_sha256: str,
    onnx_sha256: str,
) -> dict:
    """manifest.json, as protocols/inference/manifest.ts reads it."""
    return {
        'format': FORMAT,
        'name': name,
        'title': title,
        'description': description,
        'architecture': {
            'imageSize': model.height,
            **({'imageWidth': model.width} if model.width != model.height else {}),
            'patchSize': model.patch_size,
            'dim': model.dim,
            'depth': len(model.blocks),
            'heads': model.heads,
            'mlpDim': model.mlp_dim,
            'tokens': model.tokens,
            'classes': model.classes,
            # Absent where they are not: the plan's hash covers the manifest as it is.
            **({'prefixTokens': len(model.prefix)} if len(model.prefix) else {}),
            **({'pool': model.pool} if model.pool != 'mean' else {}),
            **({'activation': model.activation} if model.activation != 'gelu' else {}),
            **({'positionalScores': True} if model.blocks[0].score_bias is not None else {}),
            **({'staticMixing': True} if model.blocks[0].static_mix is not None else {}),
            **({'squareUnits': model.square_units} if model.square_units else {}),
            **({'keptTokens': [{'block': i, 'tokens': list(tokens)} for i, tokens in kept]} if (kept := model.kept_tokens) else {}),
        },
        'preprocessing': preprocessing.to_json(),
        'labels': labels,
        'switches': {
            'softmaxRows': [[places(block, rows) for rows in block.softmax_rows] for block in model.blocks],
            'geluTokens': [places(block, block.gelu_tokens) for block in model.blocks],
        },
        'fixedPoint': fixed,
        'files': {'weightsSha256': weights_sha256, 'onnxSha256': onnx_sha256},
    }
