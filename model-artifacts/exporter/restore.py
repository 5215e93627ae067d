"""The way back: a checkpoint out of an artifact's float ONNX model and manifest, so that a shipped model can be trained further."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from vit.checkpoint import describe
from vit.data import ImageSetInfo
from vit.model import SwitchTensors, VisionTransformer, ViTConfig

from .checkpoint import Checkpoint
from .folding import mean_factor
from .simulate import tokens_behind


def restore(folder: Path, info: ImageSetInfo) -> Checkpoint:
    """The network that `folder` was exported from, up to the rounding of its matrices to float16. info: its image set, for labels and
    normalisation. Raises ValueError when a tensor is missing, or labels or normalisation differ."""
    found = read_artifact(folder)
    if found.manifest['labels'] != info.labels:
        raise ValueError(f'{folder}: its labels are not those of {info.title}')
    for name, wanted in (('mean', info.mean), ('std', info.std)):
        own = getattr(found, name)
        if own is None or not np.allclose(own, wanted, rtol=1e-4):
            raise ValueError(f'{folder}/model.onnx: expected {name} {wanted} of {info.title}, got {own}')
    description = describe(found.model.config, info, f"restored from {found.manifest['name']}", name=found.manifest['name'])
    resize = found.manifest['preprocessing']
    description['resize'] |= {'shorter_side': resize['shorterSide'], 'crop': resize['crop']}
    return Checkpoint(found.model, found.switches, description)


@dataclass(frozen=True)
class Artifact:
    """What `model.onnx` and `manifest.json` say. mean, std: of colours in 0..255; None where the file has none."""

    model: VisionTransformer
    switches: SwitchTensors
    manifest: dict[str, Any]
    mean: list[float] | None
    std: list[float] | None


def read_artifact(folder: Path) -> Artifact:
    """Any exported network. Raises ValueError when a tensor is missing."""
    folder = Path(folder)
    manifest = json.loads((folder / 'manifest.json').read_text('utf-8'))
    a = manifest['architecture']
    config = ViTConfig(
        a['imageSize'], a['patchSize'], a['dim'], a['depth'], a['heads'], a['mlpDim'] / a['dim'], a['classes'],
        bool(a.get('positionalScores') or a.get('staticMixing')), a.get('squareUnits', 0), a.get('imageWidth'), a.get('prefixTokens', 0),
        a.get('pool', 'mean'), a.get('activation', 'gelu'), epsilon_of(manifest),
        tuple(fixed_norms(manifest['fixedPoint'])),
        tuple((kept['block'], tuple(kept['tokens'])) for kept in a.get('keptTokens', [])),
    )  # fmt: skip
    tensors = named_tensors(onnx.load(folder / 'model.onnx').graph)
    model = VisionTransformer(config)
    state = {}
    for name, wanted in model.state_dict().items():
        found = tensors.get(name.replace('.', '_'))
        if found is None or found.shape != tuple(wanted.shape):
            raise ValueError(f'{folder}/model.onnx: expected {name} of shape {tuple(wanted.shape)}, got {None if found is None else found.shape}')
        state[name] = torch.from_numpy(found.astype(np.float32))
    model.load_state_dict(state)
    rows, tokens = torch.zeros(config.depth, config.num_heads, config.num_tokens), torch.zeros(config.depth, config.num_tokens)
    for block, heads in enumerate(manifest['switches']['softmaxRows']):
        for head, kept in enumerate(heads):
            rows[block, head, kept] = 1
    for block, kept in enumerate(manifest['switches']['geluTokens']):
        tokens[block, kept] = 1
    pixels = [tensors.get(name, tensors.get('mean')) for name in ('mean', 'std')]  # equal tensors are one in the file, such as those of an own set
    mean, std = (None if values is None else values.ravel().tolist() for values in pixels)
    return Artifact(model.eval(), (rows, tokens), manifest, mean, std)


def fixed_norms(fixed: dict) -> list[str]:
    """Those whose scale is constant. fixed: the manifest's `fixedPoint`."""
    of_blocks = [f'blocks.{i}.{norm}' for i, block in enumerate(fixed['blocks']) for norm in ('norm1', 'norm2') if norm not in block]
    return of_blocks + ([] if 'fcNorm' in fixed else ['fc_norm'])


def epsilon_of(manifest: dict) -> float:
    """Of all norms; of none, what a `ViTConfig` has by itself. fc_norm's is smaller by the factor of a mean over the patches, where that is
    what it reads."""
    a, fixed = manifest['architecture'], manifest['fixedPoint']
    patches = sum(place >= a.get('prefixTokens', 0) for place in tokens_behind(a, a['depth'] - 1))
    pooled = mean_factor(patches) if a.get('pool', 'mean') == 'mean' else 1
    of_blocks = [block[norm]['epsilon'] for block in fixed['blocks'] for norm in ('norm1', 'norm2') if norm in block]
    of_last = [fixed['fcNorm']['epsilon'] / pooled**2] if 'fcNorm' in fixed else []
    return next(iter(of_blocks + of_last), ViTConfig.norm_eps)


def named_tensors(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The initialisers by their module's name. The tracer transposes matrices of linear layers and takes their names away: they are
    found by the bias that is added behind the product."""
    raw = {t.name.removesuffix('.half'): numpy_helper.to_array(t) for t in graph.initializer}
    bias_of = {value: other for node in graph.node if node.op_type == 'Add' for value, other in (node.input, reversed(node.input))}
    named = dict(raw)
    for node in graph.node:
        bias = bias_of.get(node.output[0], '') if node.op_type == 'MatMul' else ''
        if bias.endswith('_bias') and node.input[1] in raw:
            named[f"{bias.removesuffix('_bias')}_weight"] = raw[node.input[1]].T.copy()
    return named
