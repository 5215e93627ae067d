"""timm's names (`blocks.0.attn.qkv`), those of DeiT, DINO, MAE and DINOv2's own repositories too, and timm's config.json."""
from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from ..model import ViTConfig
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


ACTIVATIONS = {'gelu': 'gelu', 'gelu_tanh': 'gelu-tanh', 'quick_gelu': 'quick-gelu', 'relu': 'relu'}
"""timm's `act_layer`, and ours."""
POOLS = {'token': 'class', 'avg': 'mean'}
"""timm's `global_pool`, and ours where `fc_norm` is the last norm."""
EPSILON = 1e-6
"""Of LayerNorm, of every ViT in timm, which has no argument for it."""

OWN_ARGUMENTS = {'keep_after', 'norm_eps'}
"""What `configuration` writes among timm's: timm does not know them, and so does not take the network for another one."""
ARGUMENTS = OWN_ARGUMENTS | set(
    """img_size patch_size in_chans num_classes global_pool embed_dim depth num_heads mlp_ratio qkv_bias qk_norm scale_attn_norm scale_mlp_norm
    proj_bias init_values class_token pos_embed no_embed_class reg_tokens pre_norm final_norm fc_norm pool_include_prefix dynamic_img_size
    dynamic_img_pad strict_img_size drop_rate pos_drop_rate patch_drop_rate proj_drop_rate attn_drop_rate drop_path_rate weight_init fix_init
    embed_layer embed_norm_layer norm_layer act_layer block_fn mlp_layer attn_layer""".split()
)
"""Of its VisionTransformer. What they change is in the tensors, or for training alone, or read by `facts`, or one of PLAIN."""
PLAIN: dict[str, tuple[Any, ...]] = {
    'norm_layer': ('layernorm', 'layernormfp32'), 'pre_norm': (False,), 'pool_include_prefix': (False,), 'block_fn': ('block',),
    'attn_layer': ('attention', 'attn'), 'mlp_layer': ('mlp',),
}  # fmt: skip
"""Arguments that the tensors need not show, and what they are in a plain ViT, as in its absence."""
REFUSED_ARCHITECTURES = {'rpn': 'norms behind attention and MLP', 'rope': 'rotary positions'}
"""By a word of timm's name; the tensors are a plain ViT's."""


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
    arguments, pretrained = config.get('model_args') or {}, config.get('pretrained_cfg') or config
    architecture = config.get('architecture') or files.metadata.get('architecture', '')
    _refuse_others(arguments, str(architecture), tensors)
    said: dict[str, Fact] = {}

    def say(name: str, value: object, source: str, problem: str = '') -> None:
        if value is not None:
            said.setdefault(name, Fact(value, source, problem))

    heads = arguments.get('num_heads')
    say('heads', heads, 'config.json, model_args', '' if type(heads) is int and heads > 0 else f'expected num_heads of 1 or more, got {heads!r}')
    size = arguments.get('img_size') or (pretrained.get('input_size') or [])[1:]
    if size:
        sides = (size, size) if isinstance(size, int) else tuple(size)
        fine = len(sides) == 2 and all(type(side) is int and side > 0 for side in sides)
        say('image_size', sides, 'config.json', '' if fine else f'expected an image size of two numbers of pixels, got {size!r}')
    for place in (arguments, config):
        pooling = place.get('global_pool')
        expected = f'expected a global_pool of {" or ".join(POOLS)}, got {pooling!r}'
        if pooling is not None:
            say('pool', _pool(pooling, tensors), 'config.json, global_pool', '' if _one_of(pooling, POOLS) else expected)
    if len({str(place['global_pool']) for place in (arguments, config) if place.get('global_pool') is not None}) > 1:
        both = f'expected one global_pool, got {config["global_pool"]!r} and in model_args {arguments["global_pool"]!r}'
        said['pool'] = Fact(said['pool'].value, said['pool'].source, said['pool'].problem or both)
    act = arguments.get('act_layer')
    if act is not None:
        known = _one_of(act, ACTIVATIONS)
        problem = '' if known else f'expected an act_layer of {", ".join(ACTIVATIONS)}, got {act!r}'
        say('activation', ACTIVATIONS[act] if known else act, 'config.json, model_args', problem)
    epsilon = arguments.get('norm_eps')
    say('epsilon', epsilon, 'config.json, model_args', '' if epsilon == 0 or _is_number(epsilon, 1) else f'expected a norm_eps in 0..1, got {epsilon!r}')
    for name in ('mean', 'std'):
        values = pretrained.get(name)
        if values is not None:
            fine = isinstance(values, (list, tuple)) and len(values) == 3 and all(isinstance(v, (int, float)) for v in values)
            problem = '' if fine else f'expected a {name} of three numbers, got {values!r}'
            say(name, tuple(values) if fine else values, 'config.json, pretrained_cfg', problem)
    say('interpolation', pretrained.get('interpolation'), 'config.json, pretrained_cfg')
    say('keep_after', tuple(arguments['keep_after']) if 'keep_after' in arguments else None, 'config.json, model_args')  # privit narrow's, not timm's
    ratio, mode = pretrained.get('crop_pct'), pretrained.get('crop_mode') or 'center'
    if ratio is not None and 'image_size' in said and not said['image_size'].problem:
        fine = _is_number(ratio, 1)
        shorter = math.floor(said['image_size'].value[0] / ratio) if fine else ratio
        say('shorter_side', shorter, 'config.json, crop_pct', '' if fine else f'expected a crop_pct of more than 0 and at most 1, got {ratio!r}')
    if ratio is not None or 'crop_mode' in pretrained:
        problem = '' if _one_of(mode, ('center', 'squash')) else f'expected a crop_mode of center or squash, got {mode!r}'
        if mode == 'squash' and ratio not in (None, 1):
            problem = f'a centre crop behind a squash (crop_pct {ratio}) is not supported'
        say('fit', 'squash' if mode == 'squash' else 'crop', 'config.json, crop_mode', problem)
    width = next((tensors[name].shape[-1] for name in ('cls_token', 'pos_embed') if name in tensors), None)
    named = re.search(r'\b(?:vit|deit3?)_(\w+?)_', str(architecture))
    if named and WIDTHS.get(named.group(1)) == width:
        say('heads', WIDTHS[named.group(1)] // HEAD_WIDTH, f"timm's {named.group(0)}*, in {'config.json' if config else 'the file'}")
    rules = Facts(
        {
            'epsilon': Fact(EPSILON, "timm's rule for every ViT"),
            'activation': Fact('gelu', "timm's rule for every ViT"),
            'pool': Fact(_pool(None, tensors), "timm's rule for these tensors"),
        }
    )
    return [Facts(said), rules]


def _refuse_others(arguments: dict[str, Any], architecture: str, tensors: dict[str, Tensor]) -> None:
    """Raises ImportProblem when the configuration is of another network than these tensors are of, or of none that is known."""
    for word, feature in REFUSED_ARCHITECTURES.items():
        if word in architecture.split('.')[0].split('_'):
            raise ImportProblem(f'{feature} are not supported (config.json, architecture {architecture})')
    for name, value in arguments.items():
        where = f'config.json, model_args: {name} {value!r}'
        if name not in ARGUMENTS:
            raise ImportProblem(f"{where}: no argument of timm's VisionTransformer: take it out if it does not change what the network computes")
        plain = value.replace('_', '').lower() if isinstance(value, str) else value
        if name in PLAIN and value is not None and plain not in PLAIN[name]:
            raise ImportProblem(f'{where} is not supported: expected {PLAIN[name][0]!r}, as in a plain vision transformer')
    conv = tensors.get('patch_embed.proj.weight')
    if conv is None or conv.dim() != 4:
        return
    depth = 1 + max((int(name.split('.')[1]) for name in tensors if re.match(r'blocks\.\d+\.', name)), default=-1)
    for name, there in (('patch_size', conv.shape[-1]), ('embed_dim', conv.shape[0]), ('depth', depth)):
        value = arguments.get(name)
        if value is not None and value not in (there, [there, there]):
            raise ImportProblem(f"config.json, model_args: {name} {value!r}, but the tensors' is {there}: it is another checkpoint's")


def _one_of(value: object, names: Any) -> bool:
    return isinstance(value, str) and value in names


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= most


def _pool(name: object, tensors: dict[str, Tensor]) -> str:
    """timm's `global_pool`, with `fc_norm` or `norm`; None: by the tensors alone. A value that is none of POOLS is given back."""
    if name is None:
        name = 'avg' if 'fc_norm.weight' in tensors or 'cls_token' not in tensors else 'token'
    if name == 'avg':
        return 'mean' if 'fc_norm.weight' in tensors else 'norm-mean'
    return POOLS[name] if _one_of(name, POOLS) else str(name)  # type: ignore[index]


def named(weights: dict[str, Tensor], pool: str) -> dict[str, Tensor]:
    """This project's weights (vit/model.py) by timm's names: `canonical.py` the other way round. Positions of class token and registers are in
    the tokens themselves, so the class token's own is zeros. pool: one of vit.model.POOLS; the last norm is `fc_norm` where it follows the mean."""
    out = {key: value.detach().contiguous() for key, value in weights.items() if key != 'prefix'}
    prefix = weights.get('prefix')
    if prefix is not None:
        out['cls_token'] = prefix[:, :1].detach().contiguous()
        if prefix.shape[1] > 1:
            out['reg_token'] = prefix[:, 1:].detach().contiguous()  # positions of patches alone: timm's no_embed_class
        else:
            out['pos_embed'] = torch.cat([torch.zeros_like(out['cls_token']), out['pos_embed']], 1)
    return out if pool == 'mean' else {re.sub('^fc_norm', 'norm', key): value for key, value in out.items()}


def configuration(config: ViTConfig, facts: Facts, labels: list[str] | None) -> dict[str, Any]:
    """config.json of the network whose tensors `named` gives, which `facts` above reads as the same. facts: mean and std of colours in 0..1, and
    what is known of interpolation, shorter_side, fit, keep_after. Raises ValueError for a network that cannot be said so."""
    for name, unsaid in (
        ('square_units', config.square_units), ('fixed_norms', config.fixed_norms), ('kept_tokens', config.kept_tokens and 'keep_after' not in facts),
    ):  # fmt: skip
        if unsaid:
            raise ValueError(f'{name}: expected none, since timm has no name for them, got {getattr(config, name)}')
    size = [config.img_size, config.width]
    seen: dict[str, Any] = {'input_size': [3, *size], 'mean': facts.value('mean'), 'std': facts.value('std')}
    if 'interpolation' in facts:
        seen['interpolation'] = facts.value('interpolation')
    squash = 'fit' in facts and facts.value('fit') == 'squash'
    if squash or 'shorter_side' in facts:
        seen['crop_pct'] = 1.0 if squash else crop_pct(config.img_size, facts.value('shorter_side'))
        seen['crop_mode'] = 'squash' if squash else 'center'
    pooling = 'token' if config.pool == 'class' else 'avg'
    arguments: dict[str, Any] = {
        'num_heads': config.num_heads, 'img_size': size, 'global_pool': pooling, 'fc_norm': config.pool == 'mean',
        'act_layer': next(theirs for theirs, ours in ACTIVATIONS.items() if ours == config.activation),
    }  # fmt: skip
    if not math.isclose(config.norm_eps, EPSILON):
        arguments['norm_eps'] = config.norm_eps
    if 'keep_after' in facts and facts.value('keep_after'):
        arguments['keep_after'] = facts.value('keep_after')
    said = {'global_pool': pooling, 'model_args': arguments, 'pretrained_cfg': seen}
    return said | ({'label_names': labels} if labels else {})


def crop_pct(size: int, shorter: int) -> float:
    """Of which timm's floor(size / crop_pct) is `shorter`: the quotient, or a neighbour of it where rounding would take a pixel."""
    ratio = size / shorter
    while math.floor(size / ratio) < shorter:
        ratio = math.nextafter(ratio, 0)
    return ratio
