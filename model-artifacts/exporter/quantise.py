"""Integer weights at the chosen scales."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from .errors import ExportError
from .folding import Array, FoldedModel, Linear
from .scales import WEIGHT_LIMIT


def quantise(model: FoldedModel, fixed: dict) -> dict[str, Array]:
    """Tensors of docs/artifact.md by name: weights int16 with |w| ≤ 2047, biases int32 at input's + weight's fraction bits.

    Left out: `merged` of a layer whose GELU tokens are all exact, `fc1` and `fc2` of one with none, tables of positions of a model
    without. Raises ExportError when a bias or a table exceeds 2^29.
    """
    out: dict[str, Array] = {}

    def put(name: str, parts: list[tuple[Linear, int]], input_frac_bits: int) -> None:
        """`parts`: linears that share an input, stacked over outputs, with their weights' fraction bits."""
        weight = np.concatenate([np.round(linear.weight * 2.0**bits) for linear, bits in parts])
        bias = np.concatenate([np.round(linear.bias * 2.0 ** (bits + input_frac_bits)) for linear, bits in parts], -1)
        _check(f'{name}.weight', weight, WEIGHT_LIMIT)
        _check(f'{name}.bias', bias, 2**29)
        out[f'{name}.weight'] = weight.astype(np.int16)
        out[f'{name}.bias'] = bias.astype(np.int32)

    def put_table(name: str, table: Array | None, frac_bits: int) -> None:
        if table is not None:
            units = np.round(table * 2.0**frac_bits)
            _check(name, units, 2**29)
            out[name] = units.astype(np.int32)

    put('patch_embed', [(model.patch_embed, fixed['patchEmbed']['weightFracBits'])], 0)
    put_table('prefix', model.prefix if len(model.prefix) else None, fixed['residual']['fracBits'])
    stream = fixed['residual']['fracBits']
    for i, (block, scales) in enumerate(zip(model.blocks, fixed['blocks'])):
        name, attn, mlp = f'blocks.{i}', scales['attn'], scales.get('mlp')
        thirds = [(block.q, attn['qWeightFracBits']), (block.k, attn['kWeightFracBits']), (block.v, attn['vWeightFracBits'])]
        units = [(block.square_units, attn['squareUnits']['weightFracBits'])] if block.square_units else []
        stream = scales.get('residual', {'fracBits': stream})['fracBits']
        read, read_mlp = (scales[norm]['out']['fracBits'] if norm in scales else stream for norm in ('norm1', 'norm2'))
        if block.is_split:
            put(f'{name}.attn.q', thirds[:1] + units, read)
            put(f'{name}.attn.kv', thirds[1:], read)
        else:
            put(f'{name}.attn.qkv', thirds + units, read)
        put_table(f'{name}.attn.score_bias', block.score_bias, attn['q']['fracBits'] + attn['k']['fracBits'])
        put_table(f'{name}.attn.static_mix', block.static_mix, attn['probabilities']['fracBits'])
        mixed = attn['mix']['fracBits']
        put(f'{name}.attn.proj', [(replace(block.proj, weight=block.proj_reading(mixed, stream)), attn['projWeightFracBits'])], mixed)
        if mlp is None:
            continue
        if block.gelu_tokens.any():
            put(f'{name}.mlp.fc1', [(block.fc1, mlp['fc1WeightFracBits'])], read_mlp)
            put(f'{name}.mlp.fc2', [(block.fc2, mlp['fc2WeightFracBits'])], activation_tables(mlp)[0]['out']['fracBits'])
        if not block.gelu_tokens.all():
            put(f'{name}.mlp.merged', [(block.merged, mlp['mergedWeightFracBits'])], read_mlp)
    put('head', [(model.head, fixed['head']['weightFracBits'])], head_input_frac_bits(fixed, model.pool))
    return out


def head_input_frac_bits(fixed: dict, pool: str) -> int:
    """Of what the head reads. fixed: the manifest's `fixedPoint`."""
    return (fixed['pool'] if pool == 'norm-mean' or 'fcNorm' not in fixed else fixed['fcNorm']['out'])['fracBits']


def activation_tables(mlp: dict) -> list[dict]:
    """Of a manifest's block: the tables of its groups of hidden units, or the one of all. All have the same fraction bits."""
    return mlp.get('geluGroups') or [mlp['gelu']]


def _check(name: str, values: Array, limit: int) -> None:
    worst = float(np.abs(values).max())
    if worst > limit:
        raise ExportError(name, f'{worst:.0f} units', f'{limit}')
