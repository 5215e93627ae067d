"""timm's names (`blocks.0.attn.qkv`), those of DeiT, DINO, MAE and DINOv2's own repositories too, and timm's config.json."""
from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from .errors import ImportProblem
from .facts import Fact, Facts
from .files import Files

TITLE = 'timm'

HEAD_WIDTH = 64
"""Of timm's vit_*, deit* models with a size in their name: embed_dim / num_heads (vision_transformer.py, deit.py)."""
WIDTHS = {'tiny': 192, 'small': 384, 'medium': 512, 'betwixt': 640, 'base': 768, 'large': 1024}

REFUSED = {
    r'(^|\.)dist_token$|^head_dist\.': "DeiT's distillation head (two classifiers)",
    r'\.attn\.(q_norm|k_norm)\.': 'qk-norm (a LayerNorm on queries and keys)',
    r'\.mlp\.(w12|w3|fc1_g|fc1_x)\.': 'SwiGLU (a gated MLP)',
    r'relative_position_index$|^layers\.\d+\.(blocks|downsample)\.': 'windows (Swin)',
    r'^norm_pre\.': 'a norm before the blocks (CLIP)',
    r'^attn_pool\.': 'attention pooling',
    r'^patch_embed\.backbone\.': 'a convolutional stem (hybrid)',
    r'^pre_logits\.': 'a representation layer before the classifier',
    r'\.attn\.(q_bias|v_bias)$|^rel_pos_bias\.|\.attn\.relative_position_bias_table$': "BEiT's attention",
    r'\.(attn|mlp)\.norm\.': 'a norm inside attention or the MLP',
}
"""What stands in the way, by its name; the pattern is of the tensor that shows it."""


def matches(names: set[str]) -> bool:
    return any(re.match(r'(blocks|layers)\.\d+\.', name) for name in names) and any(name.startswith('patch_embed.') for name in names)


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for pattern, feature in REFUSED.items():
        shown = next((name for name in tensors if re.search(pattern, name)), None)
        if shown:
            raise ImportProblem(f'{feature} is not supported (the checkpoint has {shown})')
    # DINOv2's own repository: its blocks are in chunks, and it has a token for training alone.
    out = {name.replace('register_tokens', 'reg_token'): tensor for name, tensor in tensors.items() if name != 'mask_token'}
    return {re.sub(r'^blocks\.\d+\.(\d+)\.', r'blocks.\1.', name): tensor for name, tensor in out.items()}


def facts(files: Files, tensors: dict[str, Tensor]) -> list[Facts]:
    config = files.config
    arguments, pretrained = config.get('model_args', {}), config.get('pretrained_cfg', config)
    said: dict[str, Fact] = {}

    def say(name: str, value: object, source: str) -> None:
        if value is not None:
            said.setdefault(name, Fact(value, source))

    say('heads', arguments.get('num_heads'), 'config.json, model_args')
    size = arguments.get('img_size') or pretrained.get('input_size', [None])[1:] or None
    if size:
        say('image_size', (size, size) if isinstance(size, int) else tuple(size), 'config.json')
    pooling = config.get('global_pool') or arguments.get('global_pool')
    if pooling:
        say('pool', _pool(pooling, tensors), 'config.json, global_pool')
    say('activation', {'gelu': 'gelu', 'gelu_tanh': 'gelu-tanh', 'quick_gelu': 'quick-gelu', 'relu': 'relu'}.get(arguments.get('act_layer', '')),
        'config.json, model_args')  # fmt: skip
    for name in ('mean', 'std'):
        say(name, tuple(pretrained[name]) if name in pretrained else None, 'config.json, pretrained_cfg')
    say('interpolation', pretrained.get('interpolation'), 'config.json, pretrained_cfg')
    say('keep_after', tuple(arguments['keep_after']) if 'keep_after' in arguments else None, 'config.json, model_args')  # privit narrow's, not timm's
    if 'crop_pct' in pretrained and 'image_size' in said:
        say('shorter_side', math.floor(said['image_size'].value[0] / pretrained['crop_pct']), 'config.json, crop_pct')
        squash = pretrained.get('crop_mode', 'center') == 'squash'
        say('fit', 'squash' if squash else 'crop', 'config.json, crop_mode')
    architecture = config.get('architecture') or files.metadata.get('architecture', '')
    width = tensors['cls_token' if 'cls_token' in tensors else 'pos_embed'].shape[-1]
    named = re.search(r'\b(?:vit|deit3?)_(\w+?)_', architecture)
    if named and WIDTHS.get(named.group(1)) == width:
        say('heads', width // HEAD_WIDTH, f"timm's {named.group(0)}*, in {'config.json' if config else 'the file'}")
    rules = Facts(
        {
            'epsilon': Fact(1e-6, "timm's rule for every ViT"),
            'activation': Fact('gelu', "timm's rule for every ViT"),
            'pool': Fact(_pool(None, tensors), "timm's rule for these tensors"),
        }
    )
    return [Facts(said), rules]


def _pool(name: str | None, tensors: dict[str, Tensor]) -> str | None:
    """timm's `global_pool`, with `fc_norm` or `norm`; None: by the tensors alone."""
    if 'fc_norm.weight' in tensors:
        return 'mean'
    if name == 'avg' or 'cls_token' not in tensors:
        return 'norm-mean'
    return 'class' if name in (None, 'token') else None


def named(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """This project's weights (vit/model.py) by timm's names: `canonical.py` the other way round. Positions of class token and registers are in
    the tokens themselves, so the class token's own is zeros."""
    out = {key: value.detach().contiguous() for key, value in weights.items() if key != 'prefix'}
    prefix = weights.get('prefix')
    if prefix is None:
        return out
    out['cls_token'] = prefix[:, :1].detach().contiguous()
    out['pos_embed'] = torch.cat([torch.zeros_like(out['cls_token']), out['pos_embed']], 1)
    if prefix.shape[1] > 1:
        out['reg_token'] = prefix[:, 1:].detach().contiguous()
        out['pos_embed'] = out['pos_embed'][:, 1:]  # timm's no_embed_class
    return {re.sub('^fc_norm', 'norm', key): value for key, value in out.items()}
