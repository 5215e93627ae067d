"""Hugging Face's names of both generations, and its config.json and preprocessor_config.json.

Until transformers 4: `vit.encoder.layer.0.attention.attention.query`. Since transformers 5: `vit.layers.0.attention.q_proj`. Models: ViT,
DINOv2 with or without registers.
"""
from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from .errors import ImportProblem
from .facts import Fact, Facts
from .files import Files

TITLE = 'Hugging Face'

REFUSED = {
    r'distillation_token$|distillation_classifier\.|cls_classifier\.': "DeiT's distillation head (two classifiers)",
    r'\.(q_norm|k_norm)\.': 'qk-norm (a LayerNorm on queries and keys)',
    r'\.mlp\.(weights_in|weights_out|gate_proj)\.': 'SwiGLU (a gated MLP)',
    r'relative_position_index$|\.downsample\.|encoder\.layers\.\d+\.blocks\.': 'windows (Swin)',
    r'relative_position_bias_table$': "BEiT's attention",
    r'pre_layrnorm\.|text_model\.': 'a norm before the blocks (CLIP)',
}

NAMES = (
    (r'^embeddings\.cls_token$', 'cls_token'),
    (r'^embeddings\.position_embeddings$', 'pos_embed'),
    (r'^embeddings\.register_tokens$', 'reg_token'),
    (r'^embeddings\.patch_embeddings\.projection\.', 'patch_embed.proj.'),
    (r'^(?:encoder\.)?layers?\.(\d+)\.', r'blocks.\1.'),
    (r'\.(?:layernorm_before|norm1)\.', '.norm1.'),
    (r'\.(?:layernorm_after|norm2)\.', '.norm2.'),
    (r'\.attention\.(?:attention\.)?(?:query|q_proj)\.', '.attn.q.'),
    (r'\.attention\.(?:attention\.)?(?:key|k_proj)\.', '.attn.k.'),
    (r'\.attention\.(?:attention\.)?(?:value|v_proj)\.', '.attn.v.'),
    (r'\.attention\.(?:output\.dense|o_proj)\.', '.attn.proj.'),
    (r'\.(?:intermediate\.dense|mlp\.fc1)\.', '.mlp.fc1.'),
    (r'^(blocks\.\d+)\.(?:output\.dense|mlp\.fc2)\.', r'\1.mlp.fc2.'),
    (r'\.layer_scale([12])\.lambda1$', r'.ls\1.gamma'),
    (r'^layernorm\.', 'norm.'),
    (r'^classifier\.', 'head.'),
)
"""In this order, of names without the model's own first word."""

UNUSED = re.compile(r'^pooler\.|^embeddings\.mask_token$')
"""For training alone, or for features: the classifier does not read them."""

ACTIVATIONS = {'gelu': 'gelu', 'gelu_new': 'gelu-tanh', 'gelu_pytorch_tanh': 'gelu-tanh', 'gelu_fast': 'gelu-tanh', 'quick_gelu': 'quick-gelu', 'relu': 'relu'}
RESAMPLING = {2: 'bilinear', 3: 'bicubic'}
"""Pillow's numbers."""


def matches(names: set[str]) -> bool:
    return any(re.search(r'(^|\.)embeddings\.(patch_embeddings|cls_token|position_embeddings)', name) for name in names)


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for pattern, feature in REFUSED.items():
        shown = next((name for name in tensors if re.search(pattern, name)), None)
        if shown:
            raise ImportProblem(f'{feature} is not supported (the checkpoint has {shown})')
    out: dict[str, Tensor] = {}
    for full, tensor in tensors.items():
        name = re.sub(r'^(vit|deit|dinov2|dinov2_with_registers|model|backbone)\.', '', full)
        if UNUSED.search(name):
            continue
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        out[name] = tensor
    for block in sorted({name.split('.')[1] for name in out if name.startswith('blocks.')}, key=int):
        for part in ('weight', 'bias'):
            thirds = [out.pop(f'blocks.{block}.attn.{letter}.{part}', None) for letter in 'qkv']
            present = [t for t in thirds if t is not None]
            if len(present) == 3:
                out[f'blocks.{block}.attn.qkv.{part}'] = torch.cat(present)
            elif present:
                raise ImportProblem(f'block {block}: expected {part}s of query, key and value, got {len(present)} of them')
    width = out['pos_embed'].shape[-1] if 'pos_embed' in out else 0
    if 'head.weight' in out and out['head.weight'].shape[1] == 2 * width:
        raise ImportProblem('a classifier that reads the class token beside the mean of the patches (Dinov2ForImageClassification) is not supported')
    return out


def facts(files: Files, tensors: dict[str, Tensor]) -> list[Facts]:
    config, pre = files.config, files.preprocessor
    said: dict[str, Fact] = {}

    def say(name: str, value: Any, source: str, problem: str = '') -> None:
        if value is not None:
            said.setdefault(name, Fact(value, source, problem))

    say('heads', config.get('num_attention_heads'), 'config.json')
    say('epsilon', config.get('layer_norm_eps'), 'config.json')
    act = config.get('hidden_act')
    say('activation', ACTIVATIONS.get(str(act), act), 'config.json', _unless(str(act) in ACTIVATIONS, f'a hidden_act of {", ".join(ACTIVATIONS)}', act))
    say('image_size', _pair(config.get('image_size')), 'config.json')
    source = 'preprocessor_config.json'
    if pre.get('do_rescale', True) is False or abs(255 * (pre.get('rescale_factor') or 1 / 255) - 1) > 1e-3:
        raise ImportProblem(f'{source}: colours that are not divided by 255 (do_rescale, rescale_factor) are not supported')
    if pre.get('do_normalize', True):
        say('mean', _tuple(pre.get('image_mean')), source)
        say('std', _tuple(pre.get('image_std')), source)
    else:
        say('mean', (0.0, 0.0, 0.0), source)
        say('std', (1.0, 1.0, 1.0), source)
    resample: Any = pre.get('resample')
    say('interpolation', RESAMPLING.get(resample, resample), source, _unless(resample in RESAMPLING, 'a resample of 2 (bilinear) or 3 (bicubic)', resample))
    size = pre.get('size')
    if isinstance(size, dict) and 'shortest_edge' in size:
        say('shorter_side', size['shortest_edge'], source)
        say('fit', 'crop', source)
    elif size is not None:
        height = size if isinstance(size, int) else size.get('height') if isinstance(size, dict) else None
        if height is None:
            raise ImportProblem(f'{source}: expected a size of shortest_edge, or of height and width, got {size!r}')
        cropped = pre.get('do_center_crop', False)
        say('shorter_side', height, source)
        # Resized to the exact size; a centre crop of a smaller one would follow a squash, which no published ViT does.
        if cropped and _pair(pre.get('crop_size')) not in (None, _pair(height)):
            raise ImportProblem(f'{source}: a centre crop after resizing to an exact size is not supported')
        say('fit', 'squash', source)
    rules = Facts({'pool': Fact('class', "Hugging Face's rule for a ViT that classifies")})
    return [Facts(said), rules]


def _unless(fine: bool, expected: str, got: object) -> str:
    """A Fact's problem."""
    return '' if fine else f'expected {expected}, got {got!r}'


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, dict):
        return (value['height'], value['width']) if 'height' in value else None
    return (value[0], value[1]) if isinstance(value, (list, tuple)) and len(value) == 2 else None


def _tuple(value: Any) -> tuple[float, ...] | None:
    return None if value is None else tuple(float(v) for v in value)
