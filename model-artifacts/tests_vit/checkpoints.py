"""Checkpoints as timm and Hugging Face write them, with random weights, and the network that each stands for, written from the papers.

`Recipe.forward` reads the checkpoint's own names and knows nothing of vit/: it is what an import is compared with.
"""
from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True)
class Recipe:
    """A network's shape, and the way it is written down."""

    height: int = 32
    width: int = 32
    patch: int = 8
    dim: int = 48
    depth: int = 2
    heads: int = 3
    hidden: int = 96
    classes: int = 10
    class_token: bool = True
    registers: int = 0
    positions_of_patches_only: bool = False  # timm's no_embed_class
    pool: str = 'class'
    qkv_bias: bool = True
    layer_scale: bool = False
    tanh: bool = False
    epsilon: float = 1e-6
    naming: str = 'timm'  # or 'hf4', 'hf5'
    extra: dict[str, tuple[int, ...]] = field(default_factory=dict)  # tensors of what is refused

    @property
    def patches(self) -> int:
        return (self.height // self.patch) * (self.width // self.patch)

    def state(self, seed: int = 0) -> dict[str, Tensor]:
        """By the names of `naming`. Large enough that every nonlinearity leaves its linear part, small enough for fixed point."""
        generator = torch.Generator().manual_seed(seed)

        def rand(*shape: int, scale: float | None = None) -> Tensor:
            return torch.randn(shape, generator=generator) * (scale or 0.8 / math.sqrt(math.prod(shape[1:])))

        def norm() -> tuple[Tensor, Tensor]:
            return 1 + rand(self.dim, scale=0.2), rand(self.dim, scale=0.2)

        prefix = int(self.class_token) + self.registers
        d, state = self.dim, {}
        if self.class_token:
            state['cls_token'] = rand(1, 1, d, scale=0.5)
        if self.registers:
            state['reg_token'] = rand(1, self.registers, d, scale=0.5)
        positions = self.patches + (0 if self.positions_of_patches_only else prefix if self.naming == 'timm' else 1)
        state['pos_embed'] = rand(1, positions, d, scale=0.5)
        state['patch_embed.proj.weight'], state['patch_embed.proj.bias'] = rand(d, 3, self.patch, self.patch), rand(d, scale=0.2)
        for i in range(self.depth):
            b = f'blocks.{i}'
            state[f'{b}.norm1.weight'], state[f'{b}.norm1.bias'] = norm()
            state[f'{b}.attn.qkv.weight'] = rand(3 * d, d) * 1.4
            if self.qkv_bias:
                state[f'{b}.attn.qkv.bias'] = rand(3 * d, scale=0.2)
            state[f'{b}.attn.proj.weight'], state[f'{b}.attn.proj.bias'] = rand(d, d), rand(d, scale=0.1)
            state[f'{b}.norm2.weight'], state[f'{b}.norm2.bias'] = norm()
            state[f'{b}.mlp.fc1.weight'], state[f'{b}.mlp.fc1.bias'] = rand(self.hidden, d), rand(self.hidden, scale=0.2)
            state[f'{b}.mlp.fc2.weight'], state[f'{b}.mlp.fc2.bias'] = rand(d, self.hidden), rand(d, scale=0.1)
            if self.layer_scale:
                state[f'{b}.ls1.gamma'], state[f'{b}.ls2.gamma'] = 0.5 + rand(d, scale=0.1), 0.5 + rand(d, scale=0.1)
        last = 'fc_norm' if self.pool == 'mean' else 'norm'
        state[f'{last}.weight'], state[f'{last}.bias'] = norm()
        state['head.weight'], state['head.bias'] = rand(self.classes, d) * 2, rand(self.classes, scale=0.2)
        state |= {name: rand(*shape) for name, shape in self.extra.items()}
        return state if self.naming == 'timm' else _hugging_face(state, self)

    def forward(self, state: dict[str, Tensor], images: Tensor) -> Tensor:
        """Logits of normalised images (B, 3, height, width); figure 1 of arXiv 2010.11929, by the names of `naming`."""
        own = (lambda name: state[name]) if self.naming == 'timm' else (lambda name: state[_hugging_face_name(name, self)])

        def norm(x: Tensor, name: str) -> Tensor:
            centred = x - x.mean(-1, keepdim=True)
            return centred / (centred.square().mean(-1, keepdim=True) + self.epsilon).sqrt() * own(f'{name}.weight') + own(f'{name}.bias')

        def linear(x: Tensor, name: str) -> Tensor:
            return x @ own(f'{name}.weight').T + own(f'{name}.bias')

        p, B = self.patch, len(images)
        x = images.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5).reshape(B, self.patches, -1)
        x = x @ own('patch_embed.proj.weight').flatten(1).T + own('patch_embed.proj.bias')
        position = own('pos_embed')
        if self.positions_of_patches_only:
            x = x + position
        first = [own('cls_token').expand(B, -1, -1)] if self.class_token else []
        if self.registers:
            first.append(own('reg_token').expand(B, -1, -1))
        if self.naming != 'timm' and self.registers:  # registers come after the positions were added
            x = torch.cat([first[0], x], 1) + position
            x = torch.cat([x[:, :1], first[1], x[:, 1:]], 1)
        else:
            x = torch.cat([*first, x], 1)
            if not self.positions_of_patches_only:
                x = x + position
        for i in range(self.depth):
            b = f'blocks.{i}'
            y = norm(x, f'{b}.norm1')
            q, k, v = (self._third(state, y, b, j) for j in range(3))
            heads = []
            for h in range(self.heads):
                part = slice(h * self.dim // self.heads, (h + 1) * self.dim // self.heads)
                scores = q[..., part] @ k[..., part].mT / math.sqrt(self.dim // self.heads)
                heads.append(scores.softmax(-1) @ v[..., part])
            y = linear(torch.cat(heads, -1), f'{b}.attn.proj')
            x = x + (y * own(f'{b}.ls1.gamma') if self.layer_scale else y)
            y = linear(norm(x, f'{b}.norm2'), f'{b}.mlp.fc1')
            y = 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))) if self.tanh else F.gelu(y)
            y = linear(y, f'{b}.mlp.fc2')
            x = x + (y * own(f'{b}.ls2.gamma') if self.layer_scale else y)
        prefix = int(self.class_token) + self.registers
        if self.pool == 'class':
            out = norm(x[:, 0], 'norm')
        else:
            out = norm(x[:, prefix:].mean(1), 'fc_norm') if self.pool == 'mean' else norm(x[:, prefix:], 'norm').mean(1)
        return linear(out, 'head')

    def _third(self, state: dict[str, Tensor], y: Tensor, block: str, j: int) -> Tensor:
        if self.naming == 'timm':
            rows = slice(j * self.dim, (j + 1) * self.dim)
            out = y @ state[f'{block}.attn.qkv.weight'][rows].T
            return out + state[f'{block}.attn.qkv.bias'][rows] if self.qkv_bias else out
        name = _hugging_face_name(f'{block}.attn.{"qkv"[j]}.weight', self)
        out = y @ state[name].T
        return out + state[name.replace('weight', 'bias')] if self.qkv_bias else out

    def config(self) -> dict[str, Any]:
        """config.json."""
        if self.naming == 'timm':
            return {
                'architecture': 'vit_of_a_test', 'num_classes': self.classes, 'global_pool': 'token' if self.pool == 'class' else 'avg',
                'model_args': {'num_heads': self.heads, 'act_layer': 'gelu_tanh' if self.tanh else 'gelu'},
                'pretrained_cfg': {
                    'input_size': [3, self.height, self.width], 'mean': [0.5, 0.5, 0.5], 'std': [0.5, 0.5, 0.5], 'interpolation': 'bicubic',
                    'crop_pct': 0.9,
                },
            }  # fmt: skip
        return {
            'model_type': 'vit', 'num_attention_heads': self.heads, 'layer_norm_eps': self.epsilon, 'hidden_act': 'gelu_new' if self.tanh else 'gelu',
            'image_size': self.height, 'patch_size': self.patch, 'id2label': {str(i): f'class {i}' for i in range(self.classes)},
        }  # fmt: skip

    def write(self, folder: Path, state: dict[str, Tensor]) -> Path:
        """As one safetensors file with its configuration beside it; the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / 'model.safetensors')
        (folder / 'config.json').write_text(json.dumps(self.config()))
        if self.naming != 'timm':
            (folder / 'preprocessor_config.json').write_text(json.dumps({
                'do_resize': True, 'size': {'height': self.height, 'width': self.width}, 'resample': 2, 'do_normalize': True,
                'image_mean': [0.5, 0.5, 0.5], 'image_std': [0.5, 0.5, 0.5],
            }))  # fmt: skip
        return folder


def _hugging_face_name(name: str, recipe: Recipe) -> str:
    new = recipe.naming == 'hf5'
    model = 'dinov2_with_registers.' if recipe.registers else 'vit.'
    parts = name.split('.')
    ends = {
        'cls_token': 'embeddings.cls_token', 'reg_token': 'embeddings.register_tokens', 'pos_embed': 'embeddings.position_embeddings',
        'patch_embed': 'embeddings.patch_embeddings.projection', 'norm': 'layernorm',
    }  # fmt: skip
    if parts[0] == 'head':
        return f'classifier.{parts[-1]}'
    if parts[0] in ends:
        return model + '.'.join([ends[parts[0]], *([parts[-1]] if len(parts) > 1 else [])])
    if parts[0] != 'blocks':
        return name
    inside = '.'.join(parts[2:-1])
    old_names = {
        'norm1': 'layernorm_before', 'norm2': 'layernorm_after', 'attn.q': 'attention.attention.query', 'attn.k': 'attention.attention.key',
        'attn.v': 'attention.attention.value', 'attn.proj': 'attention.output.dense', 'mlp.fc1': 'intermediate.dense', 'mlp.fc2': 'output.dense',
    }  # fmt: skip
    new_names = old_names | {'attn.q': 'attention.q_proj', 'attn.k': 'attention.k_proj', 'attn.v': 'attention.v_proj', 'attn.proj': 'attention.o_proj',
                             'mlp.fc1': 'mlp.fc1', 'mlp.fc2': 'mlp.fc2'}  # fmt: skip
    if inside in ('ls1', 'ls2'):
        return f'{model}encoder.layer.{parts[1]}.layer_scale{inside[-1]}.lambda1'
    layer = f'layers.{parts[1]}' if new and not recipe.registers else f'encoder.layer.{parts[1]}'
    names = new_names if new else old_names
    if recipe.registers:
        names = names | {'norm1': 'norm1', 'norm2': 'norm2', 'mlp.fc1': 'mlp.fc1', 'mlp.fc2': 'mlp.fc2'}
    return f'{model}{layer}.{names[inside]}.{parts[-1]}'


def _hugging_face(state: dict[str, Tensor], recipe: Recipe) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if '.attn.qkv.' in name:
            for letter, third in zip('qkv', tensor.chunk(3)):
                out[_hugging_face_name(name.replace('qkv', letter), recipe)] = third.clone()
        else:
            out[_hugging_face_name(name, recipe)] = tensor
    return out


ORDINARY: dict[str, Recipe] = {
    'class token, 197 tokens': Recipe(height=224, width=224, patch=16, depth=2),
    'mean pool, 196 tokens': Recipe(height=224, width=224, patch=16, depth=2, class_token=False, pool='mean'),
    "Hugging Face's names until transformers 4": Recipe(naming='hf4', epsilon=1e-12),
    "Hugging Face's names since transformers 5": Recipe(naming='hf5', epsilon=1e-12),
    '64 px / 8, 200 classes': Recipe(height=64, width=64, patch=8, classes=200),
    'nested .pth': Recipe(),
    'float16': Recipe(),
    'sharded': Recipe(),
    'no bias of qkv': Recipe(qkv_bias=False),
    'layer scale': Recipe(layer_scale=True),
    'registers': Recipe(registers=4, positions_of_patches_only=True, layer_scale=True),
    'patch 14, 384 wide': Recipe(height=56, width=56, patch=14, dim=384, heads=6, hidden=1536),
    '32 x 64 px': Recipe(height=32, width=64, class_token=False, pool='mean'),
    'tanh GELU': Recipe(tanh=True),
}
"""The kinds that people have. Names are the tests' ids."""

REFUSED: dict[str, tuple[Recipe, str]] = {
    'distilled DeiT': (replace(Recipe(), extra={'dist_token': (1, 1, 48), 'head_dist.weight': (10, 48), 'head_dist.bias': (10,)}), "DeiT's distillation head"),
    'qk-norm': (replace(Recipe(), extra={f'blocks.{i}.attn.{n}.weight': (16,) for i in range(2) for n in ('q_norm', 'k_norm')}), 'qk-norm'),
    'SwiGLU': (replace(Recipe(), extra={f'blocks.{i}.mlp.w12.weight': (192, 48) for i in range(2)}), 'SwiGLU'),
}


def write(folder: Path, name: str) -> tuple[Path, Recipe, dict[str, Tensor]]:
    """The checkpoint of ORDINARY of this name, as the kind of file that it is about: (what to import, recipe, its tensors as float32)."""
    recipe = ORDINARY[name]
    state = recipe.state()
    if name == 'float16':
        state = {key: tensor.half() for key, tensor in state.items()}
    path = recipe.write(folder, state)
    if name == 'nested .pth':
        (folder / 'model.safetensors').unlink()
        torch.save({'epoch': 3, 'state_dict': {f'module.{key}': tensor for key, tensor in state.items()}}, folder / 'checkpoint.pth')
        path = folder / 'checkpoint.pth'
    if name == 'sharded':
        (folder / 'model.safetensors').unlink()
        keys = sorted(state)
        parts = {f'model-0000{i + 1}-of-00003.safetensors': keys[i::3] for i in range(3)}
        for file, part in parts.items():
            save_file({key: state[key] for key in part}, folder / file)
        weight_map = {key: file for file, part in parts.items() for key in part}
        (folder / 'model.safetensors.index.json').write_text(json.dumps({'metadata': {}, 'weight_map': weight_map}))
    return path, recipe, {key: tensor.float() for key, tensor in state.items()}
