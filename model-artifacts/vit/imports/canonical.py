"""timm's tensors as vit/model.py's network, the same function in real arithmetic.

Class token and registers become rows of `prefix`, with their positions inside. Layer scale (Touvron et al., ICCV 2021, arXiv 2103.17239,
equation 4) goes into the matrix before it. Biases that are not there are zeros. The last norm is `fc_norm`.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from ..kept_tokens import read_place, with_kept_tokens
from ..model import VisionTransformer, ViTConfig
from .errors import ImportProblem
from .facts import Fact, Facts

BLOCK = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
TABLE = 'relative_position_bias_table'


def canonical(name: str, tensors: dict[str, Tensor], facts: Facts) -> tuple[VisionTransformer, Facts]:
    """(network, facts with those that the tensors settle). Raises ImportProblem when tensors are missing, left over, or do not fit."""
    rest = dict(tensors)

    def take(key: str) -> Tensor:
        if key not in rest:
            raise ImportProblem(f'{name}: expected a tensor {key}' + (': a checkpoint without its classifier?' if key.startswith('head') else ''))
        return rest.pop(key)

    conv = take('patch_embed.proj.weight')
    if conv.dim() != 4 or conv.shape[1] != 3 or conv.shape[2] != conv.shape[3]:
        raise ImportProblem(f'{name}: expected square patches of RGB, got a patch embedding of shape {tuple(conv.shape)}')
    dim, patch = conv.shape[0], conv.shape[2]
    position = take('pos_embed').reshape(-1, dim)
    tokens = [take(key).reshape(-1, dim) for key in ('cls_token', 'reg_token') if key in rest]
    has_class = 'cls_token' in tensors
    prefix = torch.cat(tokens) if tokens else torch.empty(0, dim)
    facts, height, width = _size(name, facts, patch, len(position), len(prefix), has_class)
    patches = (height // patch) * (width // patch)
    if len(position) == patches:  # timm's no_embed_class
        placed = prefix
    elif len(position) == patches + len(prefix):
        placed = prefix + position[: len(prefix)]
    elif has_class and len(position) == patches + 1:  # Hugging Face's registers have no positions
        placed = torch.cat([prefix[:1] + position[:1], prefix[1:]])
    else:
        raise ImportProblem(f'{name}: {len(position)} positions do not fit {patches} patches and {len(prefix)} other tokens: --image-size?')
    state: dict[str, Tensor] = {
        'patch_embed.proj.weight': conv,
        'patch_embed.proj.bias': rest.pop('patch_embed.proj.bias', torch.zeros(dim)),
        'pos_embed': position[len(position) - patches :][None],
    }
    if len(prefix):
        state['prefix'] = placed[None]
    depth = 1 + max((int(key.split('.')[1]) for key in rest if key.startswith('blocks.')), default=-1)
    positional = any(TABLE in key for key in rest)
    for i in range(depth):
        for part in BLOCK:
            key = f'blocks.{i}.{part}'
            weight = take(f'{key}.weight')
            state[f'{key}.weight'] = weight
            state[f'{key}.bias'] = rest.pop(f'{key}.bias', torch.zeros(len(weight)))
        for scale, part in (('ls1', 'attn.proj'), ('ls2', 'mlp.fc2')):
            gamma = rest.pop(f'blocks.{i}.{scale}.gamma', None)
            if gamma is not None:
                state[f'blocks.{i}.{part}.weight'] = gamma[:, None] * state[f'blocks.{i}.{part}.weight']
                state[f'blocks.{i}.{part}.bias'] = gamma * state[f'blocks.{i}.{part}.bias']
        for table in ('rel_pos', 'rel_mix'):
            if positional:
                key = f'blocks.{i}.attn.{table}.{TABLE}'
                heads = facts.value('heads')
                state[key] = rest.pop(key, torch.zeros((2 * height // patch - 1) ** 2, heads))
    last = 'fc_norm' if 'fc_norm.weight' in rest else 'norm'
    for part in ('weight', 'bias'):
        state[f'fc_norm.{part}'] = take(f'{last}.{part}')
    head = take('head.weight')
    state |= {'head.weight': head, 'head.bias': rest.pop('head.bias', torch.zeros(len(head)))}
    if rest:
        some = ', '.join(sorted(rest)[:4])
        raise ImportProblem(f'{name}: {len(rest)} tensors belong to no part of a plain vision transformer ({some}): its network is another one')
    config = _config(name, state, facts, (height, width), patch, depth, len(prefix), positional)
    if config.pool == 'class' and not has_class:
        raise ImportProblem(f'{name}: --pool class needs a class token, and the checkpoint has none')
    model = VisionTransformer(config)
    wrong = {key: tuple(t.shape) for key, t in state.items() if key in model.state_dict() and t.shape != model.state_dict()[key].shape}
    if wrong:
        key, shape = next(iter(wrong.items()))
        raise ImportProblem(f'{name}: {key}: expected shape {tuple(model.state_dict()[key].shape)}, got {shape}')
    model.load_state_dict(state)
    return model, facts


def _size(name: str, facts: Facts, patch: int, positions: int, prefix: int, has_class: bool) -> tuple[Facts, int, int]:
    """(facts with the image's size, height, width): what was said, else the square that the number of positions is of."""
    if 'image_size' not in facts:
        counts = [n for n in (positions - prefix, positions - 1 if has_class else positions, positions) if n > 0 and math.isqrt(n) ** 2 == n]
        if not counts:
            raise ImportProblem(f'{name}: image_size unknown: {positions} positions are of no square image: expected --image-size HEIGHTxWIDTH')
        side = math.isqrt(counts[0]) * patch
        facts = Facts({**facts, 'image_size': Fact((side, side), f'a square of {counts[0]} patches of {patch} pixels')})
    height, width = facts.value('image_size')
    if height % patch or width % patch:
        raise ImportProblem(f'{name}: image_size {height}x{width}: expected multiples of the patch size, {patch}')
    return facts, height, width


def _config(
    name: str, state: dict[str, Tensor], facts: Facts, size: tuple[int, int], patch: int, depth: int, prefix: int, positional: bool
) -> ViTConfig:
    dim, hidden, heads = state['pos_embed'].shape[-1], len(state['blocks.0.mlp.fc1.bias']), facts.value('heads')
    if dim % heads:
        raise ImportProblem(f'{name}: heads {heads}: expected a divisor of the width, {dim}')
    if state['blocks.0.attn.qkv.weight'].shape[0] != 3 * dim:
        raise ImportProblem(f'{name}: heads whose width is not {dim} / {heads} are not supported (qkv has {state["blocks.0.attn.qkv.weight"].shape[0]} outputs)')
    config = ViTConfig(
        img_size=size[0], img_width=None if size[1] == size[0] else size[1], patch_size=patch, embed_dim=dim, depth=depth, num_heads=heads,
        mlp_ratio=hidden / dim, num_classes=len(state['head.bias']), positional=positional, prefix_tokens=prefix, pool=facts.value('pool'),
        activation=facts.value('activation'), norm_eps=facts.value('epsilon'),
    )  # fmt: skip
    try:
        return with_kept_tokens(config, [read_place(place) for place in facts.value('keep_after')]) if 'keep_after' in facts else config
    except ValueError as problem:
        raise ImportProblem(f'{name}: keep_after: {problem}') from problem
